import assert from "node:assert/strict";
import { test } from "node:test";

import { json } from "../src/codec/json.js";
import { environment } from "../src/environment.js";
import { fallback } from "../src/transport/fallback.js";
import type { Transport, TransportEvents, TransportFactory, TransportName } from "../src/transport/transport.js";
import { VirtualClock } from "./virtual-clock.js";

const WELCOME = '{"type":"welcome"}';

/** What the network does to a transport: a welcome or an end after so many milliseconds, or nothing. */
type Network = { welcome: number } | { end: number; code?: number } | { silent: true };

class World {
  readonly clock = new VirtualClock();
  readonly log: string[] = [];
  readonly network: Record<TransportName, Network> = { websocket: { welcome: 10 }, sse: { welcome: 10 }, "long-poll": { welcome: 10 } };
  readonly open = new Set<TransportName>();
  buffered = 0;
  private readonly factory = fallback([this.fake("websocket"), this.fake("sse"), this.fake("long-poll")]);

  /** Opens a line and notes what it tells. */
  line(): Transport {
    const { now, setTimeout, clearTimeout } = this.clock;
    const note = (what: string): unknown => this.log.push(what);
    const line = this.factory.open(
      { url: "ws://x/ws", codec: json(), environment: environment({ now, setTimeout, clearTimeout }), resume: new Map() },
      { onopen: () => note(`open ${line.name}`), onmessage: (frame) => note(String(frame)), onclose: ({ code }) => note(`close ${code}`) },
    );
    return line;
  }

  /** What was told, and which transports were opened, since the last call. */
  told(): string[] {
    return this.log.splice(0);
  }

  private fake(name: TransportName): TransportFactory {
    const world = this;
    return {
      name,
      supported: () => true,
      open: (_, events: TransportEvents) => {
        const { clock } = world;
        const network = world.network[name];
        world.log.push(`try ${name}`);
        world.open.add(name);
        const end = (code: number): void => {
          world.open.delete(name);
          events.onclose({ code, reason: "", wasClean: false });
        };
        const timer =
          "welcome" in network
            ? clock.setTimeout(() => (events.onopen(), events.onmessage(WELCOME)), network.welcome)
            : "end" in network
              ? clock.setTimeout(() => end(network.code ?? 1006), network.end)
              : undefined;
        return {
          name,
          send: (frame) => world.log.push(`sent ${String(frame)}`),
          close: () => (clock.clearTimeout(timer), world.open.delete(name)),
          get bufferedAmount() {
            return world.buffered;
          },
        };
      },
    };
  }
}

test("the best transport carries the line if it works, and nothing else is tried", async () => {
  const world = new World();
  const line = world.line();
  await world.clock.pass(3_600_000);
  line.send("x");
  assert.deepEqual(world.told(), ["try websocket", "open websocket", WELCOME, "sent x"]);
});

test("one that is silent is raced by the next after three seconds, and left when that works", async () => {
  const world = new World();
  world.network.websocket = { silent: true };
  world.line();
  await world.clock.pass(2_999);
  assert.deepEqual(world.told(), ["try websocket"]);
  await world.clock.pass(20);
  assert.deepEqual(world.told(), ["try sse", "open sse", WELCOME]);
  assert.deepEqual([...world.open], ["sse"]);
});

test("a slow one wins if the next is slower", async () => {
  const world = new World();
  world.network.websocket = { welcome: 3_500 };
  world.network.sse = { welcome: 1_000 };
  const line = world.line();
  await world.clock.pass(5_000);
  assert.equal(line.name, "websocket");
  assert.deepEqual([...world.open], ["websocket"]);
  assert.deepEqual(world.told(), ["try websocket", "try sse", "open websocket", WELCOME]);
});

test("one that fails is followed at once, down to the last", async () => {
  const world = new World();
  world.network.websocket = { end: 5 };
  world.network.sse = { end: 5 };
  world.line();
  await world.clock.pass(30);
  assert.deepEqual(world.told(), ["try websocket", "try sse", "try long-poll", "open long-poll", WELCOME]);
});

test("where all fail the line ends once, each was tried once, and the next begins with the best", async () => {
  const world = new World();
  // The first fails last.
  world.network.websocket = { end: 8_000 };
  world.network.sse = { end: 10 };
  world.network["long-poll"] = { end: 10 };
  world.line();
  await world.clock.pass(60_000);
  assert.deepEqual(world.told(), ["try websocket", "try sse", "try long-poll", "close 1006"]);
  assert.equal(world.clock.pending, 0);
  world.line();
  assert.deepEqual(world.told(), ["try websocket"]);
});

test("what the server itself says is believed: nothing else is tried", async () => {
  const world = new World();
  world.network.websocket = { end: 5 };
  world.network.sse = { end: 5, code: 4002 };
  world.line();
  await world.clock.pass(60_000);
  assert.deepEqual(world.told(), ["try websocket", "try sse", "close 4002"]);
});

test("what worked is remembered for ten minutes, then the best comes first again", async () => {
  const world = new World();
  world.network.websocket = { end: 5 };
  const first = world.line();
  await world.clock.pass(100);
  first.close();
  world.told();
  await world.clock.pass(599_000);
  world.line().close();
  assert.deepEqual(world.told(), ["try sse"]);
  await world.clock.pass(1_000);
  world.line().close();
  assert.deepEqual(world.told(), ["try websocket"]);
});

test("a better transport is tried at growing intervals, and the line moves when it works", async () => {
  const world = new World();
  world.network.websocket = { end: 5 };
  const begun = world.clock.now();
  world.line();
  await world.clock.pass(100);
  world.told();
  const tries: number[] = [];
  for (let seconds = 0; seconds < 1_200; seconds++) {
    await world.clock.pass(1_000);
    for (const what of world.told()) {
      assert.equal(what, "try websocket");
      tries.push(Math.round((world.clock.now() - begun) / 10_000) * 10);
    }
  }
  assert.deepEqual(tries, [30, 90, 210, 450, 930]);
  world.network.websocket = { welcome: 5 };
  await world.clock.pass(600_000);
  assert.deepEqual(world.told(), ["try websocket", "close 1012"]);
  assert.deepEqual([...world.open], []);
  world.line();
  await world.clock.pass(10);
  assert.deepEqual(world.told(), ["try websocket", "open websocket", WELCOME]);
});

test("a line does not move while something waits for its answer", async () => {
  const world = new World();
  world.network.websocket = { end: 5 };
  world.line();
  await world.clock.pass(100);
  world.network.websocket = { welcome: 5 };
  world.buffered = 1;
  await world.clock.pass(45_000);
  assert.ok(!world.told().includes("close 1012"));
  world.buffered = 0;
  await world.clock.pass(1_000);
  assert.deepEqual(world.told(), ["close 1012"]);
  assert.equal(world.clock.pending, 0);
});

test("closing ends all that is tried and says nothing", async () => {
  const world = new World();
  world.network.websocket = { silent: true };
  world.network.sse = { silent: true };
  const line = world.line();
  await world.clock.pass(4_000);
  world.told();
  line.close();
  await world.clock.pass(600_000);
  assert.deepEqual(world.told(), []);
  assert.deepEqual([...world.open], []);
});
