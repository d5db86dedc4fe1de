import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, type TransportFactory } from "../src/index.js";

/** A transport that brings several messages in one turn of the event loop, as a stream does. */
function stream(): TransportFactory {
  return {
    name: "sse",
    supported: () => true,
    open(_, events) {
      const say = (...messages: object[]): void => queueMicrotask(() => messages.forEach((message) => events.onmessage(JSON.stringify(message))));
      queueMicrotask(() => events.onopen());
      say({ type: "welcome", protocol: 1, clientId: "c-1", session: "s", authenticated: false, pingInterval: 25_000, retrySpread: 1_000 });
      const publication = (data: number): object => ({ type: "message", channel: "a", data, position: `p${data}` });
      return {
        name: "sse",
        bufferedAmount: 0,
        close() {},
        send(frame) {
          const { type, id } = JSON.parse(frame as string);
          if (type === "subscribe") {
            const data = { a: { position: "p1", recovered: true, messages: [publication(1)] } };
            say({ type: "subscribed", id, channels: ["a"], data }, publication(2), publication(3));
          }
        },
      };
    },
  };
}

test("publications right behind the answer to `subscribe`, in the same turn, are not lost", async () => {
  const client = createClient({ url: "ws://x/ws", transports: [stream()] });
  try {
    await client.connect();
    const channel = client.channel("a", { since: "p0" });
    const seen: unknown[] = [];
    channel.on("publication", ({ data }) => void seen.push(data));
    await channel.subscribe();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(seen, [1, 2, 3]);
  } finally {
    client.close();
  }
});
