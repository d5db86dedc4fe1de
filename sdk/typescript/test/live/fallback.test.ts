import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { fallback } from "../../src/transport/fallback.js";
import { longPoll } from "../../src/transport/long-poll.js";
import { sse } from "../../src/transport/sse.js";
import { websocket } from "../../src/transport/websocket.js";
import { RawLine } from "./raw-line.js";
import { environment, type Server, serve } from "./server.js";
import { UpgradeProxy } from "./upgrade-proxy.js";

let server: Server;
let proxy: UpgradeProxy;
let url: string;
before(async () => {
  server = await serve();
  proxy = new UpgradeProxy(Number(new URL(server.url).port));
  url = await proxy.listen();
});
after(async () => {
  await proxy.close();
  await server[Symbol.asyncDispose]();
});

for (const how of ["refuse", "swallow"] as const) {
  test(`a proxy that ${how}s upgrades makes the line fall back, and it moves when they pass`, async () => {
    proxy.upgrades = how;
    const factory = fallback([websocket(), sse(), longPoll()], { race: 300, probe: 500 });
    const first = new RawLine(url, factory, { replaced: environment });
    await first.next("welcome");
    assert.equal(first.transport.name, "sse");
    first.send({ type: "subscribe", id: 1, channels: [how] });
    const { position } = (await first.next("subscribed")).data[how];
    proxy.upgrades = "pass";
    assert.equal((await first.ended).code, 1012);

    const second = new RawLine(url, factory, { replaced: environment });
    await second.next("welcome");
    assert.equal(second.transport.name, "websocket");
    second.send({ type: "subscribe", id: 1, channels: [{ channel: how, position }] });
    assert.equal((await second.next("subscribed")).data[how].recovered, true);
    second.transport.close();
  });
}

test("a stream that is cut in the middle ends as lost", async () => {
  const line = new RawLine(url, sse());
  await line.next("welcome");
  proxy.cut();
  assert.equal((await line.ended).code, 1006);
});
