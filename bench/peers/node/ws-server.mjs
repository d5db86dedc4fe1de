// Echo on any path; lines on /chat are subscribed to what they send there, and readers of /sse to what
// lines on /publish send. Arguments: --listen HOST:PORT [--deflate] [--tls].
//
// Settings: with `bufferutil`, the native add-on that ws recommends for masking
// and picks up by itself; UTF-8 is checked by Node. ws sets TCP_NODELAY itself.
// A broadcast is ws's documented loop over the clients; ws has no shared send.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { WebSocketServer } from "ws";

const argument = (name) => process.argv[process.argv.indexOf(name) + 1];
const [host, port] = argument("--listen").split(":");
const deflate = process.argv.includes("--deflate");

const readers = new Set();

function answer(request, response) {
  if (request.url !== "/sse") return response.writeHead(426).end();
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(": hello\n\n");
  readers.add(response);
  response.on("close", () => readers.delete(response));
}

const server = process.argv.includes("--tls")
  ? createSecureServer({ cert: readFileSync("certificate.pem"), key: readFileSync("key.pem") }, answer)
  : createServer(answer);
const wss = new WebSocketServer({
  server,
  maxPayload: 16 * 1024 * 1024,
  perMessageDeflate: deflate
    ? { threshold: 1024, serverNoContextTakeover: true, clientNoContextTakeover: true }
    : false,
});

const room = new Set();

wss.on("connection", (line, request) => {
  line.on("error", () => line.terminate());
  if (request.url === "/publish") {
    line.on("message", (data) => {
      for (const reader of readers) reader.write(`data: ${data}\n\n`);
    });
    return;
  }
  if (request.url !== "/chat") {
    line.on("message", (data, binary) => line.send(data, { binary }));
    return;
  }
  room.add(line);
  line.on("close", () => room.delete(line));
  line.on("message", (data, binary) => {
    for (const other of room) other.send(data, { binary });
  });
});

server.listen({ host, port: Number(port), backlog: 4096 }, () => {
  console.log(`listening on ${host}:${port}`);
});
