// A reader of the delivery checker over the TypeScript client: takes what to do as lines of JSON, and writes what it hears
// in the form of the protocol's messages.
//
//   node reader.mjs <folder of the SDK, built> <url>

import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [sdk, url] = process.argv.slice(2);
const { createClient } = await import(pathToFileURL(join(resolve(sdk), "dist/index.js")).href);
// Node 20 has no WebSocket of its own.
const WebSocket = globalThis.WebSocket ?? createRequire(join(resolve(sdk), "package.json"))("ws");

const client = createClient({ url, environment: { WebSocket }, backoff: { base: 100, max: 1_000 } });
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const open = new Map();

function subscribe(name, position) {
  const channel = client.channel(name, position ? { since: position } : {});
  open.set(name, channel);
  let isTold = false;
  channel.on("subscribed", (what) => {
    if (!isTold) {
      isTold = true;
      // What came of a position the channel tells by `gap`.
      say({ type: "subscribed", data: { [name]: position ? {} : { position: what.position } } });
    }
  });
  channel.on("publication", ({ data, position: at }) => say({ type: "message", channel: name, data, position: at }));
  channel.on("gap", ({ reason, position: at }) => say({ type: "unrecovered", channel: name, reason, position: at }));
  channel.subscribe().catch(({ code, message }) => say({ type: "error", id: name, code: `${code}: ${message}` }));
}

function unsubscribe(name) {
  const channel = open.get(name);
  open.delete(name);
  for (const type of ["subscribed", "publication", "gap"]) {
    channel?.off(type);
  }
  // Without handlers the client forgets the channel, and where it was.
  channel?.unsubscribe();
  say({ type: "unsubscribed", channels: [name] });
}

client.on("error", (error) => process.stderr.write(`${error}\n`));
client.connect().catch((error) => {
  process.stderr.write(`${error}\n`);
  process.exit(1);
});
for await (const line of createInterface({ input: process.stdin })) {
  const { act, channel, position } = JSON.parse(line);
  if (act === "subscribe") {
    subscribe(channel, position);
  } else {
    unsubscribe(channel);
  }
}
process.exit(0);
