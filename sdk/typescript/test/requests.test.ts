import assert from "node:assert/strict";
import { test } from "node:test";
import { online, outcome, scene } from "./support.js";

const echo = ({ type, id, data }: any) => (id === undefined ? undefined : { type, id, data });

test("a request is answered, or refused with the server's code", async () => {
  const { client } = await online({}, {
    answer: ({ type, id, data }) => (type === "roll" ? { type, id, data } : { type: "error", id, code: "rate_limited", error: "slow down", message: "slow down", retryAfter: 250, data: { left: 0 } }),
  });
  assert.deepEqual(await client.request("roll", { sides: 6 }), { sides: 6 });
  await assert.rejects(client.request("other"), { name: "ClientError", code: "rate_limited", message: "slow down", retryAfter: 250, retryable: true, data: { left: 0 } });
  client.close();
});

test("what is asked before the line is there waits for it", async () => {
  const { client } = scene({}, { answer: echo });
  const early = client.request("a", 1);
  const sent = client.send("b", 2);
  assert.deepEqual([client.queue.size, sent.state], [2, "queued"]);
  await client.connect();
  assert.equal(await early, 1);
  await sent.delivered;
  assert.deepEqual([client.queue.size, client.queue.bytes, sent.state], [0, 0, "delivered"]);
  client.close();
});

test("a request that gets no answer ends by its timeout, and a late answer hurts nobody", async () => {
  const { client, server, clock, errors } = await online();
  const asked = outcome(client.request("slow", null, { timeout: 3000 }));
  const { id } = await server.line.take();
  await clock.advance(2999);
  assert.equal(asked.isSettled, false);
  await clock.advance(1);
  assert.equal(asked.code, "timeout");
  server.line.send({ type: "slow", id, data: 1 });
  assert.deepEqual(errors, []);
  assert.equal(client.queue.size, 0);
  client.close();
});

test("what timed out while it waited is not sent afterwards", async () => {
  const { client, server, clock } = scene();
  const asked = outcome(client.request("old", null, { timeout: 1000 }));
  const sent = client.send("older", null, { ttl: 500 });
  await clock.advance(1000);
  assert.equal(asked.code, "expired");
  assert.equal(sent.state, "failed");
  await client.connect();
  assert.deepEqual(server.line.received, []);
  client.close();
});

test("what expired while the machine slept is not sent, though its timer has not fired", async () => {
  const { client, server, clock } = await online({ queue: { ageMax: 5000 } });
  server.line.close();
  const sent = client.send("old");
  const late = outcome(sent.delivered);
  await clock.sleep(100_000);
  assert.equal(late.code, "expired");
  assert.equal(client.status.state, "online");
  assert.deepEqual(server.line.received, []);
  client.close();
});

test("nothing is sent on a line that is overdue: it is asked for a sign of life first", async () => {
  const { client, server, clock } = await online({}, { pongs: false, welcome: { pingInterval: 20_000 } });
  // The timers are held back; the clock is not.
  const advance = clock.sleep(60_000);
  const asked = outcome(client.request("a"));
  assert.deepEqual(server.line.received, [{ type: "ping" }]);
  await advance;
  server.line.send({ type: "pong" });
  assert.equal(server.line.received.at(-1)!.type, "a");
  assert.equal(asked.isSettled, false);
  client.close();
});

test("a request that was under way when the line was lost fails; one that may be repeated is", async () => {
  const { client, server, clock } = await online();
  const once = outcome(client.request("pay"));
  const again = outcome(client.request("read", null, { idempotent: true }));
  await clock.settle();
  server.line.close();
  await clock.settle();
  assert.deepEqual([once.code, again.isSettled], ["connection_lost", false]);
  await clock.advance(500);
  const { type, id } = await server.line.take();
  assert.equal(type, "read");
  server.line.send({ type, id, data: "there" });
  await clock.settle();
  assert.equal(again.value, "there");
  client.close();
});

test("every call settles when the client is closed, and none is taken after", async () => {
  const { client, clock } = await online();
  const calls = [client.request("a"), client.publish("room", 1), client.send("b").delivered, client.channel("room").subscribe(), client.channel("room").history()].map(outcome);
  client.close();
  calls.push(outcome(client.request("c")), outcome(client.connect()), outcome(client.publish("room", 2)), outcome(client.send("d").delivered));
  await clock.settle();
  const codes = calls.map(({ code }) => code);
  // Of requests that were sent nobody knows whether they were done.
  assert.deepEqual(codes.splice(0, 5), ["connection_lost", "disconnected", "connection_lost", "disconnected", "disconnected"]);
  assert.deepEqual(codes, Array(4).fill("disconnected"));
  assert.equal(clock.timers, 0);
  assert.equal(client.queue.size, 0);
});

test("a call can be aborted: before, while it waits, and while it is under way", async () => {
  const { client, server, clock } = await online();
  const abort = new AbortController();
  const sent = outcome(client.request("a", null, { signal: abort.signal }));
  await server.line.take();
  abort.abort();
  const early = outcome(client.request("b", null, { signal: abort.signal }));
  await clock.settle();
  assert.deepEqual([sent.code, early.code], ["aborted", "aborted"]);
  assert.equal(server.line.received.length, 1);
  assert.equal(client.queue.size, 0);
  client.close();
});

test("the queue is bounded in messages and bytes, and refuses what is too much", async () => {
  const { client, clock } = scene({ queue: { messagesMax: 2, bytesMax: 200 } });
  const first = [client.send("a"), client.send("b")];
  const third = outcome(client.send("c").delivered);
  const large = outcome(client.send("d", "x".repeat(300)).delivered);
  await clock.settle();
  assert.deepEqual([third.code, large.code], ["queue_full", "too_large"]);
  assert.deepEqual(first.map(({ state }) => state), ["queued", "queued"]);
  assert.deepEqual(client.queue.list().map(({ type, state }) => [type, state]), [["a", "queued"], ["b", "queued"]]);
  client.queue.clear();
  assert.deepEqual(first.map(({ state }) => state), ["failed", "failed"]);
  assert.equal(client.queue.bytes, 0);
  client.close();
});

test("bytes are counted as they are on the line", () => {
  const { client } = scene();
  client.send("å", "😀");
  assert.equal(client.queue.bytes, Buffer.byteLength('{"type":"å","data":"😀","id":1}'));
  client.close();
});

test("with dropOldest the newest stay", async () => {
  const { client, server } = scene({ queue: { messagesMax: 2, overflow: "dropOldest" } });
  const sent = ["a", "b", "c"].map((type) => client.send(type));
  assert.deepEqual(sent.map(({ state }) => state), ["failed", "queued", "queued"]);
  await client.connect();
  assert.deepEqual([(await server.line.take()).type, (await server.line.take()).type], ["b", "c"]);
  client.close();
});

test("with wait, messages enter when there is room, in their order, and not without a limit", async () => {
  const { client, server, clock } = scene({ queue: { messagesMax: 2, overflow: "wait" } }, { answer: echo });
  const sent = ["a", "b", "c", "d", "e"].map((type) => client.send(type));
  assert.deepEqual(sent.map(({ state }) => state), ["queued", "queued", "queued", "queued", "failed"]);
  assert.equal(client.queue.size, 2);
  await client.connect();
  await clock.settle();
  assert.deepEqual(server.line.received.map(({ type }) => type), ["a", "b", "c", "d"]);
  assert.deepEqual(sent.map(({ state }) => state), ["delivered", "delivered", "delivered", "delivered", "failed"]);
  client.close();
});

test("volatile messages go now or never", async () => {
  const { client, server, clock } = scene();
  const early = client.send("typing", 1, { volatile: true });
  const published = outcome(client.publish("room", 1, { volatile: true }));
  await client.connect();
  assert.equal(early.state, "failed");
  assert.equal(published.code, "disconnected");
  const late = client.send("typing", 2, { volatile: true });
  await late.delivered;
  await clock.settle();
  assert.deepEqual(server.line.received, [{ type: "typing", data: 2 }]);
  assert.equal(client.queue.size, 0);
  client.close();
});

test("a message that cannot be written is refused where it is made", async () => {
  const { client } = await online();
  const ring: Record<string, unknown> = {};
  ring["ring"] = ring;
  await assert.rejects(client.request("a", ring), { code: "bad_message" });
  assert.equal(client.queue.size, 0);
  client.close();
});

test("a publish carries a key of its own, and is sent again in order until it is acknowledged", async () => {
  const { client, server, clock } = await online();
  const published = [1, 2].map((n) => outcome(client.publish("room", n, { event: "chat", echo: false })));
  await clock.settle();
  const first = server.line.received;
  server.line.close();
  const third = outcome(client.publish("room", 3));
  await clock.advance(500);
  const again = server.line.received;
  assert.deepEqual(again.map(({ data }) => data), [1, 2, 3]);
  assert.deepEqual(again.slice(0, 2), first);
  assert.equal(new Set(again.map(({ key }) => key)).size, 3);
  assert.deepEqual(Object.keys(again[0]!).sort(), ["channel", "data", "echo", "event", "id", "key", "type"]);
  again.forEach(({ id, data }) => server.line.send({ type: "published", id, position: `p${String(data)}`, level: "os", timestamp: 1, duplicate: data === 1 }));
  await clock.settle();
  assert.deepEqual(published[0]!.value, { position: "p1", level: "os", timestamp: 1, duplicate: true });
  assert.deepEqual([published[1]!.isSettled, third.isSettled], [true, true]);
  client.close();
});

test("bytes are published as base64 on a line that speaks JSON", async () => {
  const { client, server } = await online();
  void client.publish("room", new Uint8Array([0, 255, 16])).catch(() => {});
  const { data, encoding } = await server.line.take();
  assert.deepEqual([data, encoding], ["AP8Q", "base64"]);
  client.close();
});
