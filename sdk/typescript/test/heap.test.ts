// What is closed leaves nothing behind: no listener at the page, no timer, no reference.

import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Environment, PageEvent } from "../src/environment.js";
import { Connections } from "../src/registry.js";
import { ReconnectingWebSocket } from "../src/websocket/index.js";
import { FakeSocket } from "./websocket/fakes.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const CYCLES = 10_000;
/** Bytes a cycle: far below the smallest object that could be kept of it, and above the noise of the heap. */
const GROWTH_MAX = 24;

/** Surroundings that live as long as a page does: whatever is not let go of stays reachable from here. */
class LongLived {
  readonly page = new EventTarget();
  socket: FakeSocket | undefined;
  readonly environment: Partial<Environment>;

  constructor() {
    setMaxListeners(0, this.page);
    const adopt = (socket: FakeSocket): void => void (this.socket = socket);
    class Socket extends FakeSocket {
      constructor(url: string) {
        super(url);
        adopt(this);
      }
    }
    this.environment = {
      WebSocket: Socket as unknown as typeof WebSocket,
      page: {
        listen: (handler, signal) => {
          this.page.addEventListener("page", (event) => handler((event as CustomEvent<PageEvent>).detail), { signal });
        },
      },
    };
  }
}

/** Bytes that the heap grew by for each cycle. */
async function growth(cycle: (number: number) => void, cycles = CYCLES): Promise<number> {
  const run = async (count: number): Promise<number> => {
    for (let number = 0; number < count; number += 1) {
      cycle(number);
      // Closing an attempt ends in a later task.
      if (number % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    collect();
    collect();
    return process.memoryUsage().heapUsed;
  };
  await run(cycles / 5);
  let bytes = Infinity;
  // What is kept shows each time; what the engine itself learns meanwhile does not.
  for (let round = 0; round < 4 && bytes >= GROWTH_MAX; round += 1) {
    const before = await run(cycles / 5);
    bytes = Math.min(bytes, ((await run(cycles)) - before) / cycles);
  }
  return bytes;
}

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
