// The drop-in over `ws` and a real server that is killed and started again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ReconnectingWebSocket } from "../../src/websocket/index.js";
import { environment, serve } from "./server.js";

const next = <E extends Event>(target: EventTarget, type: string): Promise<E> =>
  new Promise((resolve) => target.addEventListener(type, (event) => resolve(event as E), { once: true }));

test("it comes back to a server that was killed, and sends what was queued meanwhile", { timeout: 60_000 }, async () => {
  await using server = await serve();
  const socket = new ReconnectingWebSocket(server.url.replace("/ws", "/echo"), [], { environment, maxReconnectDelay: 2_000 });
  const seen: string[] = [];
  for (const type of ["open", "reconnecting", "error", "close"]) socket.addEventListener(type, () => seen.push(type));
  socket.addEventListener("message", ({ data }) => seen.push(String(data)));
  await next(socket, "open");
  const lost = next(socket, "reconnecting");
  await server.kill();
  await lost;
  socket.send("one");
  socket.send("two");
  const echoed = new Promise<void>((resolve) => socket.addEventListener("message", ({ data }) => data === "two" && resolve()));
  await server.start();
  await echoed;
  assert.deepEqual(
    seen.filter((what) => what !== "reconnecting"),
    ["open", "open", "one", "two"],
  );
  const ended = next<CloseEvent>(socket, "close");
  socket.close(3000, "done");
  const { code, reason, wasClean } = await ended;
  assert.deepEqual([code, reason, wasClean], [3000, "done", true]);
});

for (const protocol of ["openline.v1.json", "openline.v1.msgpack"]) {
  test(`an Openline line in ${protocol} answers the heartbeat, and stays`, { timeout: 30_000 }, async () => {
    await using server = await serve();
    const socket = new ReconnectingWebSocket(server.url, protocol, { environment, heartbeatInterval: 200, heartbeatTimeout: 2_000 });
    socket.binaryType = "arraybuffer";
    const messages: string[] = [];
    let losses = 0;
    socket.addEventListener("message", ({ data }) => messages.push(Buffer.from(data).toString("latin1")));
    socket.addEventListener("reconnecting", () => (losses += 1));
    await next(socket, "open");
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.deepEqual([losses, socket.readyState], [0, 1]);
    const [welcome, ...answers] = messages;
    assert.match(String(welcome), /welcome/);
    // In JSON the answers are not shown; in MessagePack they are.
    if (protocol.endsWith("json")) assert.deepEqual(answers, []);
    else assert.ok(answers.length >= 3 && answers.every((answer) => answer.includes("pong")), `${answers}`);
    socket.close();
    await next(socket, "close");
  });
}
