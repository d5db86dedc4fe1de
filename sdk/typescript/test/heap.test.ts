// What is closed leaves nothing behind: no listener at the page, no timer, no reference.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Connections } from "../src/registry.js";
import { ReconnectingWebSocket } from "../src/websocket/index.js";
import { CYCLES, growth, GROWTH_MAX, LongLived } from "./heap/growth.js";
import type { FakeSocket } from "./websocket/fakes.js";

const ENDS: Readonly<Record<string, (socket: ReconnectingWebSocket, line: FakeSocket) => void>> = {
  "while it is open": (socket, line) => {
    line.accept();
    line.receive("hello");
    socket.send("hello");
    socket.close();
    line.end(1000);
  },
  "while it connects": (socket) => {
    socket.send("queued");
    socket.close();
  },
  "while it waits": (socket, line) => {
    line.accept();
    line.end(1006);
    socket.close();
  },
  "by the server": (_, line) => {
    line.accept();
    line.end(1000);
  },
};

for (const [when, end] of Object.entries(ENDS)) {
  test(`${CYCLES} drop-ins that end ${when} leave the heap as it was`, async (t) => {
    const surroundings = new LongLived();
    const connections = new Connections();
    const bytes = await growth((number) => {
      const socket = connections.open(`line ${number}`, () => new ReconnectingWebSocket("ws://server/", [], { environment: surroundings.environment }));
      socket.onopen = () => {};
      socket.addEventListener("close", () => {});
      end(socket, surroundings.socket as FakeSocket);
      connections.close(`line ${number}`);
    });
    t.diagnostic(`${bytes.toFixed(1)} bytes a cycle`);
    assert.ok(bytes < GROWTH_MAX, `the heap grew by ${bytes.toFixed(1)} bytes a cycle`);
  });
}

test("the measure sees what is kept", async () => {
  const surroundings = new LongLived();
  // Never closed: the page's listener keeps it, as it has to.
  const left: ReconnectingWebSocket[] = [];
  const bytes = await growth(() => {
    left.push(new ReconnectingWebSocket("ws://server/", [], { environment: surroundings.environment, connectTimeout: Infinity }));
  }, 1_000);
  assert.ok(bytes > GROWTH_MAX * 10, `${bytes.toFixed(1)} bytes a cycle`);
  for (const socket of left) socket.close();
});
