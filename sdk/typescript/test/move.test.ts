import assert from "node:assert/strict";
import { test } from "node:test";
import { FatalAuthError, type Status } from "../src/index.js";
import type { ServerLine, TestServerOptions } from "../src/testing/index.js";
import { online, outcome, scene, type Scene } from "./support.js";

const DRAIN = { type: "drain", closesIn: 5_000, retryAfter: 1_200 };
const say = (n: number): object => ({ type: "message", channel: "room", data: n, position: `p${n}`, timestamp: n });

/** A server with one channel; what was published after a position is in `kept`. */
function keeps(kept: number[], more: TestServerOptions["answer"] = () => undefined): TestServerOptions {
  return {
    answer(message, line) {
      const { type, id, channels } = message as any;
      if (type !== "subscribe") {
        return more(message, line);
      }
      const after = Number(channels[0].position?.slice(1) ?? kept.length);
      const messages = kept.filter((n) => n > after).map(say);
      return { type: "subscribed", id, channels: ["room"], data: { room: { position: `p${kept.at(-1) ?? 0}`, recovered: true, messages } } };
    },
  };
}

/** What the application is told, in order. */
function watch({ client }: Scene): string[] {
  const told: string[] = [];
  client.subscribeStatus(({ state, clientId }: Status) => void told.push(`${state} ${clientId}`));
  client.on("connected", ({ clientId, reconnected }) => void told.push(`connected ${clientId} ${reconnected}`));
  client.on("disconnected", ({ code }) => void told.push(`disconnected ${code}`));
  client.on("reconnecting", ({ delay }) => void told.push(`reconnecting ${delay}`));
  return told;
}

const types = (line: ServerLine | undefined): unknown[] => line!.received.map(({ type }) => type);

test("a line that is soon to end is replaced by another, and the application sees one line after the other", async () => {
  const kept: number[] = [];
  const stage = await online({}, keeps(kept));
  const { client, server, clock } = stage;
  const seen: unknown[] = [];
  const room = client.channel("room");
  room.on("publication", ({ data }) => void seen.push(data));
  room.on("gap", ({ reason }) => void seen.push(reason));
  await room.subscribe();
  const publish = (n: number, ...lines: ServerLine[]): void => {
    kept.push(n);
    lines.forEach((line) => line.send(say(n)));
  };
  const [first] = server.lines as [ServerLine];
  publish(1, first);
  const told = watch(stage);
  first.send(DRAIN);
  publish(2, first);
  assert.deepEqual([server.lines.length, client.status.state], [2, "online"]);
  const second = server.line;
  await clock.settle();
  publish(3, first, second);
  await clock.settle();
  publish(4, first, second);
  assert.deepEqual(seen, [1, 2, 3, 4]);
  assert.deepEqual(second.received[0], { type: "subscribe", id: 2, channels: [{ channel: "room", position: "p2" }] });
  assert.deepEqual(told, ["connected c-2 true", "online c-2"]);
  assert.equal(room.position, "p4");
  await clock.advance(0);
  assert.deepEqual([first.closedWith, second.closedWith], [{ code: 1000 }, undefined]);
  await clock.advance(20_000);
  assert.equal(server.lines.length, 2);
  client.close();
});

test("what was published and not answered goes out again first, with its key, and only that line's answer counts", async () => {
  const stage = await online();
  const { client, server, clock } = stage;
  const [first] = server.lines as [ServerLine];
  const one = outcome(client.publish("room", 1));
  const two = outcome(client.publish("room", 2));
  await clock.settle();
  first.send(DRAIN);
  await clock.settle();
  const three = outcome(client.publish("room", 3));
  const [, second] = server.lines;
  assert.deepEqual(second!.received.map(({ data }) => data), [1, 2, 3]);
  assert.deepEqual(second!.received.slice(0, 2), first.received);
  const [{ id }] = first.received as [any];
  first.send({ type: "error", id, code: "shutting_down", error: "", message: "" });
  const four = outcome(client.publish("room", 4));
  await clock.advance(0);
  assert.deepEqual([first.closedWith, one.isSettled, second!.received.length], [{ code: 1000 }, false, 4]);
  for (const { id } of second!.received) {
    second!.send({ type: "published", id, level: "os", timestamp: 1 });
  }
  await clock.settle();
  for (const { isSettled, code } of [one, two, three, four]) {
    assert.deepEqual([isSettled, code], [true, undefined]);
  }
  client.close();
});

test("what must not be sent twice is answered by the line that it went out on", async () => {
  const { client, server, clock } = await online();
  const [first] = server.lines as [ServerLine];
  const asked = outcome(client.request("count"));
  const other = outcome(client.request("sum"));
  const volatile = outcome(client.publish("room", 1, { volatile: true }));
  await clock.settle();
  first.send(DRAIN);
  await clock.settle();
  const [, second] = server.lines;
  assert.deepEqual([types(first), types(second)], [["count", "sum", "publish"], []]);
  const ids = first.received.map(({ id }) => id);
  first.send({ type: "count", id: ids[0], data: 7 });
  first.send({ type: "published", id: ids[2], level: "memory", timestamp: 1 });
  first.send({ type: "notice", data: "of the line before" });
  await clock.settle();
  assert.deepEqual([asked.value, volatile.code, other.isSettled, first.closedWith], [7, undefined, false, undefined]);
  await clock.advance(5_000);
  assert.deepEqual([other.code, first.closedWith], ["connection_lost", { code: 1000 }]);
  client.close();
});

test("the line before is waited for as long as it is there", async () => {
  const { client, server, clock } = await online();
  const [first] = server.lines as [ServerLine];
  const asked = outcome(client.request("count"));
  first.send(DRAIN);
  await clock.settle();
  first.close(1012, "the server stops");
  await clock.settle();
  assert.deepEqual([asked.code, client.status.state, client.status.clientId], ["connection_lost", "online", "c-2"]);
  await clock.advance(10_000);
  assert.equal(server.lines.length, 2);
  client.close();
});

test("for the other line a token is asked for; without one the client stays, and comes back when the server said", async () => {
  let tokens = 0;
  const auth = ({ why }: { why: string }): string => {
    if (++tokens === 2) {
      throw new FatalAuthError("logged out");
    }
    return `${why} ${tokens}`;
  };
  const answer: TestServerOptions["answer"] = ({ type }) => (type === "auth" ? { type: "auth_success", clientId: "c" } : undefined);
  const stage = await online({ auth }, { answer });
  const { client, server, clock, errors } = stage;
  const told = watch(stage);
  server.line.send(DRAIN);
  await clock.settle();
  assert.deepEqual([server.lines.length, errors.map(({ code }) => code), told], [1, ["auth_failed"], []]);
  server.line.close(1012, "the server stops");
  await clock.advance(1_699);
  assert.deepEqual([server.lines.length, told], [1, ["disconnected 1012", "reconnecting 1700", "waiting undefined"]]);
  await clock.advance(1);
  assert.deepEqual(server.line.received, [{ type: "auth", token: "connect 3" }]);
  await clock.advance(20_000);
  server.line.send(DRAIN);
  await clock.settle();
  assert.deepEqual([server.lines.length, server.line.received, client.status.state], [3, [{ type: "auth", token: "connect 4" }], "online"]);
  client.close();
});

test("another line that is refused, or is no Openline server, changes nothing", async () => {
  for (const refuse of [
    (line: ServerLine) => line.close(1013, "draining"),
    (line: ServerLine) => line.close(),
    (line: ServerLine) => line.send({ type: "hello" }),
    (line: ServerLine) => line.sendFrame("not a message"),
    (line: ServerLine) => line.send({ type: "close", code: 1013, reason: "draining", retryAfter: 60_000 }),
  ]) {
    const all = scene({}, { welcomes: false, answer: ({ type, id, data }) => ({ type, id, data }) });
    const { client, server, clock } = all;
    const connected = client.connect();
    server.line.send({ type: "welcome", clientId: "c-1" });
    await connected;
    const told = watch(all);
    server.line.send(DRAIN);
    refuse(server.line);
    await clock.settle();
    assert.equal(server.lines.length, 2);
    assert.equal(await client.request("echo", 1), 1);
    assert.deepEqual(told, []);
    client.close();
    assert.deepEqual(server.lines[0]!.closedWith, { code: 1000 });
  }
});

test("a line that ends in the middle of a move is told, and the other one becomes the line", async () => {
  const all = scene({}, { welcomes: false });
  const { client, server, clock } = all;
  const connected = client.connect();
  server.line.send({ type: "welcome", clientId: "c-1" });
  await connected;
  const told = watch(all);
  const [first] = server.lines as [ServerLine];
  first.send(DRAIN);
  const published = outcome(client.publish("room", 1));
  const asked = outcome(client.request("count"));
  first.close(4001, "the user connected again");
  await clock.settle();
  assert.deepEqual([asked.code, published.isSettled, client.status.state], ["connection_lost", false, "connecting"]);
  server.line.send({ type: "welcome", clientId: "c-2" });
  await clock.settle();
  assert.deepEqual(types(server.line), ["publish"]);
  assert.deepEqual(told, ["disconnected 4001", "connecting undefined", "connected c-2 true", "online c-2"]);
  assert.equal(server.lines.length, 2);
  client.close();
});

test("a stop ends the line, the one beside it, and the one before it", async () => {
  const all = scene({}, { welcomes: false });
  const { client, server, clock } = all;
  const connected = client.connect();
  server.line.send({ type: "welcome", clientId: "c-1" });
  await connected;
  const asked = outcome(client.request("count"));
  server.line.send(DRAIN);
  server.line.send({ type: "welcome", clientId: "c-2" });
  await clock.advance(12_000);
  const again = outcome(client.request("count"));
  server.line.send(DRAIN);
  server.line.send({ type: "welcome", clientId: "c-3" });
  await clock.advance(100);
  assert.deepEqual(server.lines.map(({ closedWith }) => closedWith?.code), [1000, undefined, undefined]);
  client.disconnect();
  await clock.settle();
  assert.deepEqual(server.lines.map(({ closedWith }) => closedWith?.code), [1000, 1000, 1000]);
  assert.deepEqual([asked.code, again.code, client.queue.size, clock.timers], ["connection_lost", "connection_lost", 0, 0]);

  await clock.advance(10_000);
  void client.connect();
  server.line.send({ type: "welcome", clientId: "c-4" });
  server.line.send(DRAIN);
  await clock.settle();
  client.close();
  assert.deepEqual(server.lines.slice(3).map(({ closedWith }) => closedWith?.code), [1000, 1000]);
});

const refusal = { type: "error", code: "shutting_down", error: "the server stops", message: "the server stops", retryAfter: 8_000 };

test("a publish that a stopping server did not take goes out again on the next line, before all that is newer", async () => {
  const { client, server, clock } = await online();
  const [first] = server.lines as [ServerLine];
  const published = outcome(client.publish("room", 1));
  const others = [client.request("count"), client.publish("room", 0, { volatile: true })];
  await clock.settle();
  first.received.forEach(({ id }) => first.send({ ...refusal, id }));
  for (const other of others) {
    await assert.rejects(other, { code: "shutting_down", retryable: true, retryAfter: 8_000 });
  }
  outcome(client.publish("room", 2));
  await clock.advance(7_999);
  assert.deepEqual([types(first), published.isSettled, client.queue.size], [["publish", "count", "publish"], false, 2]);
  first.close(1012);
  await clock.advance(1_000);
  assert.deepEqual(server.line.received.map(({ data }) => data), [1, 2]);
  assert.deepEqual(server.line.received[0], first.received[0]);
  const [{ id }] = server.line.received as [any];
  server.line.send({ type: "published", id, level: "os", timestamp: 1 });
  await clock.settle();
  assert.equal(published.isSettled, true);
  client.close();
});

test("if a server that was about to stop goes on after all, so does the client, on the same line", async () => {
  const { client, server, clock } = await online();
  outcome(client.publish("room", 1));
  await clock.settle();
  const [{ id }] = server.line.received as [any];
  server.line.send({ ...refusal, id, retryAfter: undefined });
  outcome(client.publish("room", 2));
  await clock.advance(999);
  assert.equal(server.line.received.length, 1);
  await clock.advance(1);
  assert.deepEqual(server.line.received.map(({ data }) => data), [1, 1, 2]);
  client.close();
});

test("what a stopping server did not take goes to the line beside it at once", async () => {
  const { client, server, clock } = await online();
  outcome(client.publish("room", 1));
  await clock.settle();
  const [first] = server.lines as [ServerLine];
  first.send({ ...refusal, id: first.received[0]!["id"] });
  first.send(DRAIN);
  await clock.settle();
  assert.deepEqual(server.line.received, first.received);
  client.close();
});
