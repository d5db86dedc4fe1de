// The same as heap.test.ts for clients, with a channel and what waits for an answer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "../src/index.js";
import { CYCLES, growth, GROWTH_MAX, LongLived } from "./heap/growth.js";

const WELCOME = JSON.stringify({ type: "welcome", protocol: 1, clientId: "c-1", authenticated: false, pingInterval: 25_000, retrySpread: 1_000, channels: [], data: {} });

test(`${CYCLES} clients that are closed leave the heap as it was`, async (t) => {
  const surroundings = new LongLived();
  const ignored = (): void => {};
  let subscribed = 0;
  const bytes = await growth((number) => {
    const client = createClient({ url: "ws://server/ws", environment: surroundings.environment });
    client.on("message", ignored);
    const unsubscribe = client.subscribeStatus(ignored);
    const channel = client.channel("room:1");
    channel.on("publication", ignored);
    client.connect().catch(ignored);
    channel.subscribe().catch(ignored);
    // An attempt, an open line, a wait: by turns.
    if (number % 3 !== 0) surroundings.socket?.accept("openline.v1.json");
    if (number % 3 !== 0) surroundings.socket?.receive(WELCOME);
    client.request("user.get", {}).catch(ignored);
    subscribed += surroundings.socket?.sent.some((frame) => String(frame).includes("subscribe")) ? 1 : 0;
    if (number % 3 === 2) surroundings.socket?.end(1006);
    unsubscribe();
    client.close();
  });
  assert.ok(subscribed >= CYCLES / 2, `${subscribed} of the clients had a line`);
  t.diagnostic(`${bytes.toFixed(1)} bytes a cycle`);
  assert.ok(bytes < GROWTH_MAX, `the heap grew by ${bytes.toFixed(1)} bytes a cycle`);
});
