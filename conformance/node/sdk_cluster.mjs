// Clients of the TypeScript SDK behind a proxy, one for each transport: what each got of a channel.
//
//   node sdk_cluster.mjs URL CHANNEL COUNT
//
// Prints `ready` when all are subscribed, waits until each has the numbers below COUNT, publishes `done <transport>`
// with each, and prints what they got as JSON.
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
const { createClient, fallback, longPoll, sse, websocket } = await import(pathToFileURL(bundle).href);
await rm(folder, { recursive: true });

const [url, channel, countText] = process.argv.slice(2);
const count = Number(countText);
const ways = { websocket: [websocket()], sse: [sse()], poll: [longPoll()], fallback: [fallback([websocket(), sse(), longPoll()])] };

const until = async (isSo, what) => {
  for (let tries = 0; !isSo(); tries++) {
    if (tries === 4_000) throw new Error(`${what()} after 80 s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

const readers = await Promise.all(
  Object.entries(ways).map(async ([name, transports]) => {
    const client = createClient({ url, environment: { WebSocket }, transports, backoff: { base: 50, max: 1_000 } });
    const reader = { name, client, seen: [], gaps: [], cuts: 0 };
    client.subscribeStatus(({ state }) => {
      if (state !== "connected" && reader.isReady) reader.cuts++;
    });
    await client.connect();
    reader.room = client.channel(channel);
    reader.room.on("publication", ({ data }) => void reader.seen.push(data));
    reader.room.on("gap", ({ reason }) => void reader.gaps.push(reason));
    await reader.room.subscribe();
    reader.isReady = true;
    return reader;
  }),
);
console.log("ready");
const numbers = ({ seen }) => seen.filter((data) => typeof data === "number");
const shown = () => JSON.stringify(readers.map((reader) => [reader.name, numbers(reader).length, reader.gaps]));
await until(() => readers.every((reader) => numbers(reader).length >= count || reader.gaps.length > 0), shown);
for (const { name, client } of readers) await client.publish(channel, `done ${name}`);
await until(() => readers.every(({ seen }) => seen.filter((data) => typeof data === "string").length >= 4), shown);
console.log(JSON.stringify(Object.fromEntries(readers.map(({ name, seen, gaps, cuts }) => [name, { seen, gaps, cuts: cuts > 0 }]))));
process.exit(0);
