// An echo server on node's `ws`, the peer that our client talks to.
//
//   node echo_server.mjs [--no-deflate] [--tls CERTIFICATE KEY]
//
// The path says what happens: /echo returns every message, /binary answers
// text with the bytes de ad be ef, /close closes with 4001 after the first
// message, /headers reports the request's headers, /deflate reports whether
// the last message came compressed.
import { createServer as createHttp } from "node:http";
import { createServer as createHttps } from "node:https";
import { readFileSync } from "node:fs";
import { WebSocketServer } from "ws";

const args = process.argv.slice(2);
const tls = args.indexOf("--tls");
const server =
  tls < 0
    ? createHttp(notFound)
    : createHttps({ cert: readFileSync(args[tls + 1]), key: readFileSync(args[tls + 2]) }, notFound);

function notFound(_request, response) {
  response.writeHead(404, { "content-type": "text/plain" });
  response.end("nothing here\n");
}

const lines = new WebSocketServer({
  noServer: true,
  maxPayload: 32 << 20,
  maxFragments: 0,
  perMessageDeflate: args.includes("--no-deflate") ? false : { threshold: 0 },
  handleProtocols: (offered) => offered.values().next().value,
});

server.on("upgrade", (request, socket, head) => {
  const path = request.url.split("?")[0];
  if (path === "/refused") {
    socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    return;
  }
  lines.handleUpgrade(request, socket, head, (line) => {
    line.on("error", () => {});
    let compressed = 0;
    if (path === "/deflate") {
      // RSV1 is not part of the API: read it off the wire, in the first byte
      // of each read. Good for short messages that arrive one at a time.
      socket.prependListener("data", (bytes) => (compressed |= bytes[0] & 0x40));
    }
    line.on("message", (data, binary) => {
      switch (path) {
        case "/binary":
          return line.send(Buffer.from("deadbeef", "hex"));
        case "/close":
          return line.close(4001, "signed in elsewhere");
        case "/headers":
          return line.send(JSON.stringify(request.headers));
        case "/deflate":
          return line.send(JSON.stringify({ extensions: line.extensions, compressed: compressed !== 0 }));
        default:
          return line.send(data, { binary });
      }
    });
  });
});

server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
