import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "../src/core.js";
import { createTestServer } from "../src/testing/index.js";

test("a client of a line alone tells what comes and sends now or never", async () => {
  const server = createTestServer();
  using client = createClient({ url: "ws://test", transports: [server.transport] });
  const came: unknown[] = [];
  client.on("price", (data) => void came.push(data));

  const early = client.send("look", 1, { volatile: true });
  assert.equal(early.state, "failed");
  await assert.rejects(early.delivered, { code: "disconnected" });

  await client.connect();
  const sent = client.send("look", 2, { volatile: true });
  assert.equal(sent.state, "delivered");
  await sent.delivered;
  assert.deepEqual(server.line.received.at(-1), { type: "look", data: 2 });

  server.line.send({ type: "price", data: 7 });
  assert.deepEqual(came, [7]);
});

test("a client of a line alone answers requests of the server, and has nothing that waits", async () => {
  const server = createTestServer();
  using client = createClient({ url: "ws://test", transports: [server.transport] });
  client.on("sum", ({ a, b }: any) => a + b);
  await client.connect();
  const line = await server.take();
  line.send({ type: "sum", id: "s-1", data: { a: 1, b: 2 } });
  assert.deepEqual(await line.take(), { type: "sum", id: "s-1", data: 3 });
  for (const absent of ["request", "queue", "publish", "channel"]) {
    assert.equal(absent in client, false, absent);
  }
});

test("a client of a line alone comes back, and stops when it is told to", async () => {
  const server = createTestServer();
  using client = createClient({ url: "ws://test", transports: [server.transport], backoff: { base: 1 } });
  const states: string[] = [];
  client.subscribeStatus(({ state }) => void states.push(state));
  await client.connect();
  (await server.take()).close(1006);
  await server.take();
  await client.connect();
  client.disconnect();
  assert.deepEqual(states, ["connecting", "online", "waiting", "connecting", "online", "stopped"]);
});
