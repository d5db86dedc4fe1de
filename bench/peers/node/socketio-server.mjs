// The chat on Socket.IO and Node.js. Arguments: --listen HOST:PORT [--recovery].
//
// Settings: WebSocket alone, no compression, `bufferutil` for ws below it, and the
// first request let go of, as Socket.IO's page on memory says. Without --recovery
// its connection state recovery is off, which is its default.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { options, serveChat } from "./chat.mjs";

const argument = (name) => process.argv[process.argv.indexOf(name) + 1];
const [host, port] = argument("--listen").split(":");
const recovery = process.argv.includes("--recovery") ? { connectionStateRecovery: {} } : {};

const server = createServer();
const io = new Server(server, { ...options, ...recovery });
io.engine.on("connection", (connection) => {
  connection.request = null;
});
serveChat(io);

server.listen({ host, port: Number(port), backlog: 4096 }, () => {
  console.log(`listening on ${host}:${port}`);
});
