// The chat on Socket.IO and Bun, by Socket.IO's own engine for it. Arguments: --listen HOST:PORT.
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";
import { options, serveChat } from "./chat.mjs";

const argument = (name: string) => process.argv[process.argv.indexOf(name) + 1];
const [hostname, port] = argument("--listen").split(":");

const io = new Server(options);
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);
serveChat(io);

const server = Bun.serve({ hostname, port: Number(port), ...engine.handler() });
console.log(`listening on ${server.hostname}:${server.port}`);
