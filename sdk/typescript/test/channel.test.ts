import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client, Publication } from "../src/index.js";
import type { ServerLine, TestServerOptions } from "../src/testing/index.js";
import { online, outcome, scene } from "./support.js";

/** What the server says of a channel, by what it was asked. */
type Joined = (asked: { channel: string; position?: string; history?: number; token?: string }) => object;

function joins(joined: Joined = () => ({ position: "p0" })): TestServerOptions {
  return {
    answer({ type, id, channels }: any) {
      if (type !== "subscribe") {
        return undefined;
      }
      const data = Object.fromEntries(channels.map((asked: any) => [asked.channel, joined(asked)]));
      const good = Object.keys(data).filter((name) => !data[name].code);
      return good.length > 0 ? { type: "subscribed", id, channels: good, data } : { type: "error", id, ...Object.values(data)[0]! };
    },
  };
}

const say = (n: number, more: object = {}): object => ({ type: "message", channel: "room", data: n, position: `p${n}`, timestamp: n, ...more });

function collect(client: Client): { seen: unknown[]; told: unknown[] } {
  const seen: unknown[] = [];
  const told: unknown[] = [];
  const room = client.channel("room");
  room.on("publication", ({ data, replayed }) => void seen.push(replayed ? `${data} again` : data));
  room.on("gap", ({ reason, position }) => {
    told.push(`gap ${reason} ${position}`);
    seen.push("gap");
  });
  room.on("recovered", ({ count }) => void told.push(`recovered ${count}`));
  return { seen, told };
}

test("publications come in order, by channel and by event, with all that is known of them", async () => {
  const { client, server } = await online({}, joins());
  const room = client.channel("room");
  const all: Publication[] = [];
  const chats: unknown[] = [];
  room.on("publication", (publication) => void all.push(publication));
  room.on("event:chat", ({ data }) => void chats.push(data));
  await room.subscribe();
  assert.equal(room.position, "p0");
  server.line.send(say(1, { from: { clientId: "c-9" } }));
  server.line.send(say(2, { type: "chat" }));
  server.line.send({ ...say(3), data: "AP8Q", encoding: "base64" });
  server.line.send({ ...say(4), channel: "another" });
  assert.deepEqual(all[0], { type: "message", channel: "room", data: 1, position: "p1", timestamp: 1, from: { clientId: "c-9" }, replayed: false });
  assert.deepEqual(all.map(({ data }) => data), [1, 2, new Uint8Array([0, 255, 16])]);
  assert.deepEqual(chats, [2]);
  assert.equal(room.position, "p3");
  client.close();
});

test("after a cut a channel goes on from the last publication, and none comes twice", async () => {
  const { client, server, clock } = await online({}, joins(({ position }) => (position ? { position: "p3", recovered: true, messages: [say(2), say(3)] } : { position: "p0" })));
  const { seen, told } = collect(client);
  await client.channel("room").subscribe();
  server.line.send(say(1));
  server.line.close();
  assert.equal(client.channel("room").state, "subscribing");
  await clock.advance(500);
  assert.deepEqual(server.line.received, [{ type: "subscribe", id: 2, channels: [{ channel: "room", position: "p1" }] }]);
  server.line.send(say(4));
  assert.deepEqual(seen, [1, "2 again", "3 again", 4]);
  assert.deepEqual(told, ["recovered 2"]);
  client.close();
});

test("a channel can be recovered before anything came: the position is that of subscribed", async () => {
  const { client, server, clock } = await online({}, joins());
  await client.channel("room").subscribe();
  server.line.close();
  await clock.advance(500);
  assert.deepEqual((server.line.received[0]!["channels"] as any)[0], { channel: "room", position: "p0" });
  client.close();
});

test("what is missing is told before anything newer, and its handler is waited for", async () => {
  const { client, server, clock } = await online({}, joins(({ position }) => (position ? { position: "p9", recovered: false, reason: "expired", messages: [] } : { position: "p0" })));
  const { seen, told } = collect(client);
  const room = client.channel("room");
  let loaded!: () => void;
  room.on("gap", () => new Promise<void>((resolve) => (loaded = resolve)));
  await room.subscribe();
  server.line.close();
  await clock.advance(500);
  server.line.send(say(10));
  await clock.settle();
  assert.deepEqual(seen, ["gap"]);
  loaded();
  await clock.settle();
  assert.deepEqual([seen, told, room.position], [["gap", 10], ["gap expired p9"], "p10"]);
  client.close();
});

test("a gap on a live line is told in its place", async () => {
  const { client, server } = await online({}, joins());
  const { seen, told } = collect(client);
  await client.channel("room").subscribe();
  server.line.send(say(1));
  server.line.send({ type: "unrecovered", channel: "room", reason: "limit", position: "p5" });
  server.line.send(say(6));
  assert.deepEqual([seen, told], [[1, "gap", 6], ["gap limit p5"]]);
  client.close();
});

test("a channel without history cannot say what was missed, so a cut is a gap", async () => {
  const { client, server, clock } = await online({}, joins(() => ({})));
  const { seen, told } = collect(client);
  await client.channel("room").subscribe();
  server.line.close();
  await clock.advance(500);
  assert.deepEqual([seen, told], [["gap"], ["gap offline undefined"]]);
  client.close();
});

test("a position that was stored is gone on from; one of another store is a gap", async () => {
  const { client, server, clock } = await online({}, joins(({ position }) => (position === "of another store" ? { code: "bad_position", error: "no", message: "no" } : { position: "p0" })));
  const told: unknown[] = [];
  const room = client.channel("room", { since: "of another store" });
  room.on("gap", (gap) => void told.push(gap));
  await room.subscribe();
  await clock.settle();
  assert.deepEqual(server.line.received.map(({ channels }) => channels), [[{ channel: "room", position: "of another store" }], [{ channel: "room" }]]);
  assert.deepEqual(told, [{ reason: "epoch", position: undefined }]);
  client.close();
});

test("handlers are waited for, and the position moves when they are done", async () => {
  const { client, server, clock } = await online({}, joins());
  const room = client.channel("room");
  const begun: unknown[] = [];
  const ends: (() => void)[] = [];
  room.on("publication", ({ data }) => {
    begun.push(data);
    return new Promise<void>((resolve) => ends.push(resolve));
  });
  await room.subscribe();
  server.line.send(say(1));
  server.line.send(say(2));
  await clock.settle();
  assert.deepEqual([begun, room.position], [[1], "p0"]);
  ends[0]!();
  await clock.settle();
  assert.deepEqual([begun, room.position], [[1, 2], "p1"]);
  client.close();
});

test("publications whose handlers were still waiting when the line was lost come once", async () => {
  const { client, server, clock } = await online({}, joins(({ position }) => (position ? { position, recovered: true, messages: [] } : { position: "p0" })));
  const room = client.channel("room");
  const begun: unknown[] = [];
  const ends: (() => void)[] = [];
  room.on("publication", ({ data }) => {
    begun.push(data);
    return new Promise<void>((resolve) => ends.push(resolve));
  });
  await room.subscribe();
  [1, 2, 3].forEach((n) => server.line.send(say(n)));
  server.line.close();
  await clock.advance(500);
  assert.deepEqual((server.line.received[0]!["channels"] as any)[0].position, "p3");
  for (let i = 0; i < 3; i++) {
    ends[i]!();
    await clock.settle();
  }
  assert.deepEqual([begun, room.position], [[1, 2, 3], "p3"]);
  client.close();
});

test("a reader that is too slow is not fed more than it can hold: the rest is read again later, without a gap", async () => {
  const { client, server, clock } = await online({}, joins(({ position }) => (position ? { position: "p1500", recovered: true, messages: range(Number(position.slice(1)) + 1, 1500).map((n) => say(n)) } : { position: "p0" })));
  const { told } = collect(client);
  const room = client.channel("room");
  let free!: () => void;
  const blocked = new Promise<void>((resolve) => (free = resolve));
  const seen: unknown[] = [];
  room.on("publication", ({ data }) => {
    seen.push(data);
    return data === 1 ? blocked : undefined;
  });
  await room.subscribe();
  range(1, 1500).forEach((n) => server.line.send(say(n)));
  await clock.settle();
  assert.deepEqual(seen, [1]);
  free();
  await clock.settle();
  assert.deepEqual(server.line.received.slice(1).map(({ type, channels }) => [type, channels]), [
    ["unsubscribe", ["room"]],
    ["subscribe", [{ channel: "room", position: "p1001" }]],
  ]);
  assert.deepEqual(seen, range(1, 1500));
  assert.deepEqual(told, ["recovered 499"]);
  client.close();
});

test("a channel that is subscribed to twice is joined once, and left with the last", async () => {
  const { client, server, clock } = await online({}, joins());
  const room = client.channel("room");
  assert.equal(client.channel("room"), room);
  await Promise.all([room.subscribe(), room.subscribe()]);
  room.unsubscribe();
  assert.equal(room.state, "subscribed");
  room.unsubscribe();
  room.unsubscribe();
  await clock.settle();
  assert.equal(room.state, "unsubscribed");
  assert.deepEqual(server.line.received.map(({ type }) => type), ["subscribe", "unsubscribe"]);
  server.line.send(say(1));
  client.close();
});

test("left and joined again within one breath, a channel is subscribed, and old answers do not confuse it", async () => {
  const { client, server, clock } = await online();
  const room = client.channel("room");
  const first = outcome(room.subscribe());
  room.unsubscribe();
  const second = outcome(room.subscribe());
  const ids = server.line.received.filter(({ type }) => type === "subscribe").map(({ id }) => id);
  await clock.settle();
  server.line.send({ type: "subscribed", id: ids[0], channels: ["room"], data: { room: { position: "old" } } });
  await clock.settle();
  assert.deepEqual([first.code, second.isSettled], ["aborted", false]);
  server.line.send({ type: "subscribed", id: ids[1], channels: ["room"], data: { room: { position: "new" } } });
  await clock.settle();
  assert.deepEqual([second.isSettled, room.position, room.state], [true, "new", "subscribed"]);
  client.close();
});

test("a channel that is refused says why, and does not pull others down with it", async () => {
  const { client, errors } = await online({}, joins(({ channel }) => (channel === "vip" ? { code: "forbidden", error: "no", message: "no" } : { position: "p" })));
  client.disconnect();
  const names = ["a", "vip", "b"];
  const joined = names.map((name) => outcome(client.channel(name).subscribe()));
  const told: unknown[] = [];
  client.channel("vip").on("error", ({ code }) => void told.push(code));
  await client.connect();
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(joined.map(({ code }) => code), [undefined, "forbidden", undefined]);
  assert.deepEqual(names.map((name) => client.channel(name).state), ["subscribed", "unsubscribed", "subscribed"]);
  assert.deepEqual([told, errors], [["forbidden"], []]);
  client.close();
});

test("where all of a message is refused because of one channel, the others are asked for again", async () => {
  const answer = ({ type, id, channels }: any): object | undefined => {
    const names = channels?.map(({ channel }: any) => channel) ?? [];
    return type !== "subscribe" ? undefined
      : names.includes("b d") ? { type: "error", id, code: "bad_channel", error: "a space", message: "a space" }
      : { type: "subscribed", id, channels: names, data: Object.fromEntries(names.map((name: string) => [name, {}])) };
  };
  const { client, clock } = scene({}, { answer });
  const joined = ["a", "b d", "c"].map((name) => outcome(client.channel(name).subscribe()));
  await client.connect();
  await clock.settle();
  assert.deepEqual(joined.map(({ code, isSettled }) => [code, isSettled]), [[undefined, true], ["bad_channel", true], [undefined, true]]);
  client.close();
});

test("a channel that is refused only for now is asked for again", async () => {
  let tries = 0;
  const { client, clock } = await online({}, joins(() => (++tries < 3 ? { code: "overloaded", error: "busy", message: "busy", retryAfter: 1000 } : { position: "p" })));
  const joined = outcome(client.channel("room").subscribe());
  await clock.advance(10_000);
  assert.deepEqual([tries, joined.isSettled, joined.code], [3, true, undefined]);
  client.close();
});

test("many channels are asked for in messages of at most 128", async () => {
  const { client, server, clock } = scene({}, joins());
  range(1, 300).forEach((n) => void client.channel(`room:${n}`).subscribe());
  await client.connect();
  await clock.settle();
  assert.deepEqual(server.line.received.map(({ channels }) => (channels as unknown[]).length), [128, 128, 44]);
  client.close();
});

test("subscriptions go out before what waits", async () => {
  const { client, server } = scene({}, joins());
  void client.publish("room", 1).catch(() => {});
  void client.channel("room").subscribe();
  await client.connect();
  assert.deepEqual(server.line.received.map(({ type }) => type), ["subscribe", "publish"]);
  client.close();
});

test("a subscription that the server made by itself is replaced by one from where the client was", async () => {
  let made = true;
  const { client, server, clock } = await online({}, {
    answer({ type, id }: any) {
      if (type === "unsubscribe") {
        made = false;
        return { type: "unsubscribed", channels: ["user:ann"] };
      }
      return made ? { type: "error", id, code: "already_subscribed", error: "", message: "" } : { type: "subscribed", id, channels: ["user:ann"], data: { "user:ann": { position: "p" } } };
    },
  });
  await client.channel("user:ann", { since: "p0" }).subscribe();
  await clock.settle();
  assert.deepEqual(server.line.received.map(({ type }) => type), ["subscribe", "unsubscribe", "subscribe"]);
  client.close();
});

test("a subscription that the server ends is over, and says why", async () => {
  const { client, server, clock } = await online({}, joins());
  const room = client.channel("room");
  const told: unknown[] = [];
  room.on("unsubscribed", (event) => void told.push(event));
  await room.subscribe();
  server.line.send({ type: "unsubscribed", channels: ["room"], reason: "the permission to read room was taken away" });
  assert.deepEqual([room.state, told], ["unsubscribed", [{ reason: "the permission to read room was taken away" }]]);
  server.line.close();
  await clock.advance(500);
  assert.deepEqual(server.line.received, []);
  client.close();
});

test("a channel's own token is asked for each time it is joined", async () => {
  const asked: unknown[] = [];
  const { client, server, clock } = scene({ auth: ({ why, channel }) => (why === "channel" ? (asked.push(channel), `for ${channel}`) : null) }, joins());
  const joined = client.channel("vip", { token: true }).subscribe();
  await client.connect();
  await joined;
  server.line.close();
  await clock.advance(500);
  assert.deepEqual(asked, ["vip", "vip"]);
  assert.equal((server.line.received[0]!["channels"] as any)[0].token, "for vip");
  client.close();
});

test("a history is asked for page by page", async () => {
  const { client, server } = await online({}, { answer: ({ type, id }) => (type === "history" ? { type, id, data: { messages: [say(1), say(2)], position: "p2", more: true } } : undefined) });
  const { messages, more, position } = await client.channel("room").history({ limit: 2, reverse: true });
  assert.deepEqual([messages.map(({ data, replayed }) => [data, replayed]), more, position], [[[1, true], [2, true]], true, "p2"]);
  assert.deepEqual(server.line.received[0], { type: "history", id: 1, channel: "room", limit: 2, reverse: true });
  client.close();
});

test("publications can be taken one by one, each when the one before is dealt with", async () => {
  const { client, server, clock } = await online({}, joins());
  const room = client.channel("room");
  const seen: unknown[] = [];
  const reading = (async () => {
    for await (const { data } of room) {
      seen.push([data, room.position]);
      if (data === 3) {
        break;
      }
    }
  })();
  await clock.settle();
  [1, 2, 3, 4].forEach((n) => server.line.send(say(n)));
  await reading;
  assert.deepEqual(seen, [[1, "p0"], [2, "p1"], [3, "p2"]]);
  assert.equal(room.state, "unsubscribed");
  client.close();
});

test("taking publications ends with the channel, and with an error if it cannot be joined", async () => {
  const { client, server, clock } = await online({}, joins(({ channel }) => (channel === "vip" ? { code: "forbidden", error: "no", message: "no" } : { position: "p" })));
  const first = outcome(client.channel("room")[Symbol.asyncIterator]().next());
  const refused = outcome(client.channel("vip")[Symbol.asyncIterator]().next());
  await clock.settle();
  server.line.send({ type: "unsubscribed", channels: ["room"], reason: "an operator" });
  await clock.settle();
  assert.deepEqual(first.value, { done: true, value: undefined });
  assert.equal(refused.code, "forbidden");
  client.close();
});

test("a reader that stops reading holds nothing back when it leaves", async () => {
  const { client, server, clock } = await online({}, joins());
  const room = client.channel("room");
  const seen: unknown[] = [];
  room.on("publication", ({ data }) => void seen.push(data));
  await room.subscribe();
  const reader = room[Symbol.asyncIterator]();
  const one = reader.next();
  await clock.settle();
  [1, 2, 3].forEach((n) => server.line.send(say(n)));
  await one;
  await clock.settle();
  assert.deepEqual(seen, [1]);
  await reader.return!();
  await clock.settle();
  assert.deepEqual(seen, [1, 2, 3]);
  assert.equal(room.state, "subscribed");
  client.close();
});

test("typing is told at most once in 2 s, its end at once, and neither later", async () => {
  const { client, server, clock } = await online({}, joins());
  const room = client.channel("room");
  await room.subscribe();
  room.typing();
  room.typing();
  await clock.advance(2000);
  room.typing();
  room.typing(false);
  server.line.close();
  room.typing();
  await clock.advance(500);
  assert.deepEqual(server.lines[0]!.received.slice(1).map(({ isTyping }) => isTyping), [true, true, false]);
  assert.deepEqual(server.line.received.map(({ type }) => type), ["subscribe"]);
  const told: unknown[] = [];
  room.on("typing", ({ clientId, isTyping }) => void told.push([clientId, isTyping]));
  server.line.send({ type: "typing", channel: "room", clientId: "c-9", isTyping: true });
  assert.deepEqual(told, [["c-9", true]]);
  client.close();
});

test("who is there is listed in whole, kept up to date, and told to those who listen", async () => {
  const ann = { clientId: "a", user: "ann" };
  const bob = { clientId: "b" };
  const pages: Record<string, object> = { first: { members: [ann], count: 2, next: "a" }, a: { members: [bob], count: 2 } };
  const members = joins();
  const { client, server, clock } = await online({}, {
    answer: (message: any, line: ServerLine) =>
      message.type === "presence" ? { type: "presence", id: message.id, data: pages[message.after ?? "first"] } : members.answer!(message, line),
  });
  const { presence, ...room } = client.channel("room");
  assert.equal(presence.getSnapshot(), presence.getSnapshot());
  let changes = 0;
  presence.subscribe(() => changes++);
  await room.subscribe();
  await clock.settle();
  assert.deepEqual([[...presence.members.keys()], presence.count, changes], [["a", "b"], 2, 1]);
  const before = presence.getSnapshot();
  server.line.send({ type: "presence", channel: "room", data: { joined: [{ clientId: "c" }], updated: [{ ...ann, status: "away" }], left: [bob], count: 2, complete: false } });
  assert.deepEqual([[...presence.members.values()].map(({ clientId, status }) => [clientId, status]), before.members.size, changes], [[["a", "away"], ["c", undefined]], 2, 2]);
  server.line.send({ type: "presence", channel: "room", data: { joined: [], updated: [], left: [{ clientId: "c" }], count: 1, complete: true } });
  assert.deepEqual([...presence.members.keys()], ["a"]);
  // A change that does not add up: the list is asked for again.
  server.line.send({ type: "presence", channel: "room", data: { joined: [], updated: [], left: [], count: 2, complete: false } });
  await clock.settle();
  assert.deepEqual([...presence.members.values()], [ann, bob]);
  assert.deepEqual(await presence.list(), [ann, bob]);
  client.close();
});

test("what a client says of itself is said again on the next line", async () => {
  const members = joins();
  const { client, server, clock } = await online({}, { answer: (message: any, line) => (message.type === "setPresence" && message.id ? { type: "setPresence", id: message.id } : members.answer!(message, line)) });
  const room = client.channel("room");
  await room.subscribe();
  await room.presence.set({ status: "away" });
  await room.presence.set({ data: 1 });
  server.line.close();
  await clock.advance(500);
  assert.deepEqual(server.line.received.at(-1), { type: "setPresence", channel: "room", status: "away", data: 1 });
  client.close();
});

test("who goes from room to room does not keep them all, and an object that was let go does not do harm", async () => {
  const { client, clock } = await online({}, joins());
  const old = client.channel("room");
  await old.subscribe();
  old.unsubscribe();
  await clock.settle();
  const room = client.channel("room");
  assert.notEqual(room, old);
  await assert.rejects(old.subscribe(), { code: "invalid", message: /let go/ });
  room.on("gap", () => {});
  await room.subscribe();
  room.unsubscribe();
  assert.equal(client.channel("room"), room);
  client.close();
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
