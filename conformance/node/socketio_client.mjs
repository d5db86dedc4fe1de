// `socket.io-client` in node against a server.
//
//   node socketio_client.mjs URL URL_WITH_MANY_HEARTBEATS TRANSPORT...
import { io } from "socket.io-client";
import { runCases } from "./socketio_cases.mjs";

const [url, steady, ...transports] = process.argv.slice(2);
const seen = await runCases(io, url, steady, transports);
console.log(JSON.stringify(seen));
process.exit(0);
