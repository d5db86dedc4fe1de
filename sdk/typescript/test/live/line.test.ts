import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, type Publication } from "../../src/index.js";
import { environment, serve } from "./server.js";

test("a client connects, publishes, and gets what it missed while the line was cut", { timeout: 60_000 }, async () => {
  const server = await serve();
  const reader = createClient({ url: server.url, environment, backoff: { base: 50 } });
  const writer = createClient({ url: server.url, environment, backoff: { base: 50 } });
  try {
    await Promise.all([reader.connect(), writer.connect()]);
    assert.equal(reader.status.state, "online");
    const room = reader.channel("room:1");
    const seen: Publication[] = [];
    room.on("publication", (publication) => void seen.push(publication));
    room.on("gap", (gap) => assert.fail(`there is a gap: ${gap.reason}`));
    await room.subscribe();
    assert.equal((await writer.publish("room:1", 1)).level, "os");
    await until(() => seen.length === 1);
    await server.kill();
    const late = writer.publish("room:1", 2);
    await server.start();
    await late;
    await writer.publish("room:1", 3);
    await until(() => seen.length === 3);
    assert.deepEqual(seen.map(({ data }) => data), [1, 2, 3]);
    assert.equal(room.position, seen[2]!.position);
    await assert.rejects(reader.request("nothing"), { code: "unknown_type" });
    const { messages } = await room.history({ limit: 2 });
    assert.deepEqual(messages.map(({ data }) => data), [2, 3]);
    assert.equal((await room.presence.list()).length, 1);
  } finally {
    reader.close();
    writer.close();
    await server[Symbol.asyncDispose]();
  }
});

test("what is published while the server is killed again and again arrives once, in order", { timeout: 120_000 }, async () => {
  const server = await serve();
  const reader = createClient({ url: server.url, environment, backoff: { base: 50 } });
  const writer = createClient({ url: server.url, environment, backoff: { base: 50 } });
  try {
    await Promise.all([reader.connect(), writer.connect()]);
    const room = reader.channel("room:cuts");
    const seen: unknown[] = [];
    room.on("publication", async ({ data }) => void seen.push(data));
    room.on("gap", ({ reason }) => assert.fail(`there is a gap: ${reason}`));
    await room.subscribe();
    const published: Promise<unknown>[] = [];
    for (let cut = 0; cut < 5; cut++) {
      for (let i = 0; i < 15; i++) {
        published.push(writer.publish("room:cuts", published.length));
        if (i % 5 === 0) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      }
      await server.kill();
      await server.start();
    }
    await Promise.all(published);
    await until(() => seen.length >= published.length);
    assert.deepEqual(seen, published.map((_, i) => i));
  } finally {
    reader.close();
    writer.close();
    await server[Symbol.asyncDispose]();
  }
});

test("typing and presence reach the others", { timeout: 60_000 }, async () => {
  const server = await serve();
  const ann = createClient({ url: server.url, environment });
  const bob = createClient({ url: server.url, environment });
  try {
    await Promise.all([ann.connect(), bob.connect()]);
    const [here, there] = [ann.channel("room:2"), bob.channel("room:2")];
    const typing: unknown[] = [];
    here.on("typing", ({ clientId, isTyping }) => void typing.push([clientId, isTyping]));
    here.presence.subscribe(() => {});
    await Promise.all([here.subscribe(), there.subscribe()]);
    there.typing();
    await there.presence.set({ status: "away" });
    await until(() => here.presence.members.get(bob.status.clientId!)?.status === "away" && typing.length === 1);
    assert.deepEqual(typing, [[bob.status.clientId, true]]);
    assert.equal(here.presence.count, 2);
    there.unsubscribe();
    await until(() => here.presence.members.size === 1);
    const read: unknown[] = [];
    const reading = (async () => {
      for await (const { data } of here) {
        if (read.push(data) === 2) {
          break;
        }
      }
    })();
    await bob.publish("room:2", { n: 1 });
    await bob.publish("room:2", new Uint8Array([0, 255]));
    await reading;
    assert.deepEqual(read, [{ n: 1 }, new Uint8Array([0, 255])]);
  } finally {
    ann.close();
    bob.close();
    await server[Symbol.asyncDispose]();
  }
});

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    assert.ok(tries < 500, "it did not happen within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
