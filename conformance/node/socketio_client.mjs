// `socket.io-client` in node against a server.
//
//   node socketio_client.mjs URL URL_WITH_A_BRISK_HEARTBEAT TRANSPORT...
import { io } from "socket.io-client";
import { runCases } from "./socketio_cases.mjs";

const [url, brisk, ...transports] = process.argv.slice(2);
const seen = await runCases(io, url, brisk, transports);
console.log(JSON.stringify(seen));
process.exit(0);
