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

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    assert.ok(tries < 500, "it did not happen within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
