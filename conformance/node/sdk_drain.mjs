// A client of the TypeScript SDK that publishes all the time and reads what it publishes: what it got, and was told.
//
//   node sdk_drain.mjs URL CHANNEL COUNT
//
// Prints `ready` when it is subscribed, publishes the numbers below COUNT, one every 5 ms, until it has seen all,
// and prints as JSON the numbers in the order in which they came, the states of its line, gaps, failures and lines.
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import WebSocket from "ws";

const sdk = fileURLToPath(new URL("../../sdk/typescript/", import.meta.url));
const { build } = createRequire(join(sdk, "package.json"))("esbuild");
const folder = await mkdtemp(join(tmpdir(), "openline-sdk-"));
const bundle = join(folder, "client.mjs");
await build({ entryPoints: [join(sdk, "src/index.ts")], bundle: true, platform: "node", format: "esm", outfile: bundle, logLevel: "error" });
const { createClient } = await import(pathToFileURL(bundle).href);
await rm(folder, { recursive: true });

const [url, channel, countText] = process.argv.slice(2);
const count = Number(countText);
const rest = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const client = createClient({ url, environment: { WebSocket } });
await client.connect();
const seen = [];
const gaps = [];
const failures = [];
const states = new Set([client.status.state]);
const lines = [client.status.clientId];
client.subscribeStatus(({ state }) => void states.add(state));
client.on("connected", ({ clientId }) => void lines.push(clientId));
client.on("error", ({ code }) => void failures.push(code));
const room = client.channel(channel);
room.on("publication", ({ data }) => void seen.push(data));
room.on("gap", ({ reason }) => void gaps.push(reason));
await room.subscribe();
console.log("ready");
for (let number = 0; number < count; number++) {
  client.publish(channel, number).catch(({ code }) => void failures.push(code));
  await rest(5);
}
for (let tries = 0; seen.length < count && tries < 1_000; tries++) await rest(20);
console.log(JSON.stringify({ seen, states: [...states], gaps, failures, lines: lines.length }));
process.exit(0);
