import assert from "node:assert/strict";
import { test } from "node:test";

import { createClient, fallback, longPoll, messagePack, sse, websocket } from "../../src/index.js";
import { environment, serve } from "./server.js";
import { UpgradeProxy } from "./upgrade-proxy.js";

test("a client loses nothing while its line is cut, falls back and moves up again", { timeout: 60_000 }, async () => {
  const server = await serve();
  const proxy = new UpgradeProxy(Number(new URL(server.url).port));
  const url = await proxy.listen();
  proxy.upgrades = "refuse";
  const kinds = new Set<string>();
  for (const transports of [[sse()], [longPoll()], [fallback([websocket(), sse(), longPoll()], { race: 300, probe: 700 })]]) {
    const reader = createClient({ url, environment, transports, codec: messagePack(), backoff: { base: 20 } });
    const writer = createClient({ url: server.url, environment });
    reader.subscribeStatus(({ transport }) => transport && kinds.add(transport));
    await Promise.all([reader.connect(), writer.connect()]);
    const name = `room:${transports[0]!.name}`;
    const room = reader.channel(name);
    const seen: unknown[] = [];
    room.on("publication", ({ data }) => void seen.push(data));
    room.on("gap", ({ reason }) => assert.fail(`there is a gap: ${reason}`));
    await room.subscribe();
    for (let n = 0; n < 150; n++) {
      if (n === 60) {
        proxy.cut();
      } else if (n === 100) {
        proxy.upgrades = "pass";
      } else if (n === 120 && transports[0]!.name === "websocket") {
        await until(() => reader.status.transport === "websocket");
      }
      await writer.publish(name, n);
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    await until(() => seen.length >= 150);
    assert.deepEqual(seen, Array.from({ length: 150 }, (_, n) => n));
    // Answers find their way on such a line too.
    await reader.publish(name, "own");
    assert.equal((await room.history({ limit: 1 })).messages[0]!.data, "own");
    reader.close();
    writer.close();
    proxy.upgrades = "refuse";
  }
  assert.deepEqual([...kinds].sort(), ["long-poll", "sse", "websocket"]);
  await proxy.close();
  await server[Symbol.asyncDispose]();
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
