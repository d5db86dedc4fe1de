import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { messagePack } from "../../src/codec/message-pack.js";
import { longPoll } from "../../src/transport/long-poll.js";
import { sse } from "../../src/transport/sse.js";
import { RawLine } from "./raw-line.js";
import { type Server, serve } from "./server.js";

let server: Server;
before(async () => {
  server = await serve();
});
after(() => server[Symbol.asyncDispose]());

for (const factory of [sse(), longPoll()]) {
  const { name } = factory;

  test(`${name}: a line begins without channels, subscribes, publishes and hears it`, async () => {
    const line = new RawLine(server.url, factory);
    assert.equal((await line.next("welcome")).protocol, 1);
    line.send({ type: "subscribe", id: 1, channels: [`${name}-a`] });
    assert.deepEqual((await line.next("subscribed")).channels, [`${name}-a`]);
    for (let n = 0; n < 30; n++) {
      line.send({ type: "publish", id: `p${n}`, channel: `${name}-a`, data: n });
    }
    for (let n = 0; n < 30; n++) {
      assert.equal((await line.next("message")).data, n);
    }
    for (let n = 0; n < 30; n++) {
      assert.equal((await line.next("published")).id, `p${n}`);
    }
    line.send({ type: "ping", id: "last" });
    assert.equal((await line.next("pong")).id, "last");
    assert.equal(line.transport.bufferedAmount, 0);
    line.transport.close();
  });

  test(`${name}: what was missed comes with the subscription`, async () => {
    const channel = `${name}-b`;
    const first = new RawLine(server.url, factory);
    first.send({ type: "subscribe", id: 1, channels: [channel] });
    const { position } = (await first.next("subscribed")).data[channel];
    first.transport.close();
    const second = new RawLine(server.url, factory);
    second.send({ type: "publish", id: 2, channel, data: "missed" });
    second.send({ type: "subscribe", id: 3, channels: [{ channel, position }] });
    const again = (await second.next("subscribed")).data[channel];
    assert.equal(again.recovered, true);
    assert.equal(again.messages[0].data, "missed");
    second.transport.close();
  });

  test(`${name}: a codec for bytes works on a line of text`, async () => {
    const line = new RawLine(server.url, factory, { codec: messagePack() });
    line.send({ type: "subscribe", id: 1, channels: [`${name}-c`] });
    await line.next("subscribed");
    line.send({ type: "publish", id: 2, channel: `${name}-c`, data: Uint8Array.of(104, 105) });
    const { data, encoding } = await line.next("message");
    assert.deepEqual([data, encoding], ["aGk=", "base64"]);
    line.transport.close();
  });

  test(`${name}: what is refused is answered, and the line goes on`, async () => {
    const line = new RawLine(server.url, factory);
    await line.next("welcome");
    line.send({ type: "history", id: 5, channel: "bad name" });
    const error = await line.next("error");
    assert.deepEqual([error.id, error.code], [5, "bad_channel"]);
    line.send({ type: "publish", id: 6, channel: "x", data: "y".repeat(1_100_000) });
    const large = await line.next("error");
    assert.deepEqual([large.id, large.code], [6, "too_large"]);
    line.send({ type: "ping", id: 7 });
    await line.next("pong");
    line.transport.close();
  });

  test(`${name}: the end of the server ends the line once`, async () => {
    const line = new RawLine(server.url, factory);
    await line.next("welcome");
    await server.kill();
    assert.equal((await line.ended).code, 1006);
    await server.start();
  });
}

test("a token that is not accepted ends a line with the code that it has on a WebSocket", async () => {
  const guarded = await serve(`
[auth]
keys = [{ algorithm = "HS256", secret = "0123456789abcdef0123456789abcdef" }]
`);
  try {
    for (const factory of [sse(), longPoll()]) {
      assert.equal((await new RawLine(guarded.url, factory, { token: "no.such.token" }).ended).code, 4002);
      assert.equal((await new RawLine(guarded.url, factory).ended).code, 4007);
    }
  } finally {
    await guarded[Symbol.asyncDispose]();
  }
});
