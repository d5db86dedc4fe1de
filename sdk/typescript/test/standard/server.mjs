// The server that the assertions talk to: an echo, and handshakes and closes of every bad kind.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/**
 * @param {string} page what `/` answers
 * @param {string} script what `/script.js` answers
 */
export async function startServer(page, script) {
  /** What was received on `/count?id=…`, by id. @type {Map<string, number>} */
  const counts = new Map();
  /** @type {Set<import("node:stream").Duplex>} */
  const sockets = new Set();
  const lines = new WebSocketServer({ noServer: true });
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://server");
    const policy = searchParams.get("policy");
    if (policy !== null) response.setHeader("content-security-policy", policy);
    if (pathname === "/") return void response.setHeader("content-type", "text/html").end(page);
    if (pathname === "/script.js") return void response.setHeader("content-type", "text/javascript").end(script);
    if (pathname === "/counted") return void response.end(String(counts.get(searchParams.get("id") ?? "") ?? 0));
    response.writeHead(404).end();
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  server.on("upgrade", (request, socket, head) => {
    const url = new URL(request.url ?? "/", "http://server");
    const spoil = HANDSHAKES[url.pathname];
    if (spoil) return spoil(socket, String(request.headers["sec-websocket-key"]));
    lines.handleUpgrade(request, socket, head, (line) => (LINES[url.pathname] ?? echo)(line, url.searchParams, { counts }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    http: `http://127.0.0.1:${port}`,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** @param {string} key @param {string[]} headers */
function accepted(key, ...headers) {
  const accept = createHash("sha1").update(key + GUID).digest("base64");
  return ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`, ...headers, "", ""].join("\r\n");
}

/** A frame of a server: opcode and at most 125 bytes. @param {number} opcode @param {Buffer} payload */
function frame(opcode, payload) {
  return Buffer.concat([Buffer.from([0x80 | opcode, payload.length]), payload]);
}

/** @param {number} code @param {string} reason */
function closeFrame(code, reason) {
  const payload = Buffer.from(`..${reason}`);
  payload.writeUInt16BE(code);
  return frame(8, payload);
}

/** Handshakes that are answered by hand. @type {Record<string, (socket: import("node:stream").Duplex, key: string) => void>} */
const HANDSHAKES = {
  "/redirect": (socket) => socket.end("HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n"),
  "/status": (socket) => socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
  "/ok": (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
  "/bad-accept": (socket) => void socket.write(accepted("another key")),
  "/no-protocol": (socket, key) => void socket.write(accepted(key)),
  "/unasked-protocol": (socket, key) => void socket.write(accepted(key, "Sec-WebSocket-Protocol: unasked")),
  "/upper-protocol": (socket, key) => void socket.write(accepted(key, "Sec-WebSocket-Protocol: CHAT")),
  "/unasked-extension": (socket, key) => void socket.write(accepted(key, "Sec-WebSocket-Extensions: x-unasked")),
  // Answers never.
  "/silent": () => {},
  "/greeting-in-the-same-packet": (socket, key) => {
    socket.write(Buffer.concat([Buffer.from(accepted(key)), frame(1, Buffer.from("hello"))]));
    socket.once("data", () => socket.end(closeFrame(1000, "")));
  },
  "/close-then-data": (socket, key) => {
    socket.write(Buffer.concat([Buffer.from(accepted(key)), frame(1, Buffer.from("before")), closeFrame(1000, ""), frame(1, Buffer.from("after"))]));
    socket.once("data", () => socket.end());
  },
  "/slow-close": (socket, key) => {
    socket.write(Buffer.concat([Buffer.from(accepted(key)), closeFrame(1000, "slow")]));
    setTimeout(() => socket.end(), 500);
  },
  "/breaks": (socket, key) => {
    socket.write(accepted(key));
    setTimeout(() => socket.destroy(), 50);
  },
  "/breaks-the-protocol": (socket, key) => {
    socket.write(accepted(key));
    // A frame with a reserved opcode.
    setTimeout(() => socket.write(frame(3, Buffer.alloc(0))), 50);
  },
};

/** @param {import("ws").WebSocket} line */
function echo(line) {
  line.on("message", (data, isBinary) => line.send(data, { binary: isBinary }));
}

/** @type {Record<string, (line: import("ws").WebSocket, query: URLSearchParams, cx: {counts: Map<string, number>}) => void>} */
const LINES = {
  "/close": (line, query) => {
    const code = query.get("code");
    setTimeout(() => line.close(code === null ? undefined : Number(code), query.get("reason") ?? ""), 20);
  },
  "/count": (line, query, { counts }) => {
    const id = query.get("id") ?? "";
    line.on("message", (data) => counts.set(id, (counts.get(id) ?? 0) + /** @type {Buffer} */ (data).byteLength));
  },
  "/ping": (line) => {
    line.ping("are you there");
    line.send("after the ping");
  },
};
