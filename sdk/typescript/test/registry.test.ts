import assert from "node:assert/strict";
import { test } from "node:test";
import { Connections } from "../src/registry.js";
import { ReconnectingWebSocket } from "../src/websocket/index.js";
import { Bench } from "./websocket/fakes.js";

class Line {
  closed = 0;
  close(): void {
    this.closed += 1;
  }
}

test("connections are opened, found, listed and closed by their names", () => {
  const connections = new Connections<Line>();
  const chat = connections.open("chat", () => new Line());
  const prices = connections.open("prices", () => new Line());
  assert.deepEqual([connections.get("chat") === chat, connections.get("none"), connections.names(), connections.size], [true, undefined, ["chat", "prices"], 2]);
  assert.deepEqual([connections.close("chat"), connections.close("chat"), chat.closed], [true, false, 1]);
  assert.deepEqual([connections.names(), prices.closed], [["prices"], 0]);
});

test("a name that is taken is refused before anything is made", () => {
  const connections = new Connections<Line>();
  connections.open("chat", () => new Line());
  assert.throws(() => connections.open("chat", () => assert.fail("made")), /there is a connection "chat"/);
});

test("making one that opens another of its name leaves that one, and closes the first", () => {
  const connections = new Connections<Line>();
  const outer = new Line();
  const make = (): Line => {
    connections.open("chat", () => new Line());
    return outer;
  };
  assert.throws(() => connections.open("chat", make), /opened another/);
  assert.deepEqual([outer.closed, connections.size], [1, 1]);
});

test("there are as many as may be, and no more", () => {
  const connections = new Connections<Line>({ connectionsMax: 2 });
  connections.open("one", () => new Line());
  connections.open("two", () => new Line());
  assert.throws(() => connections.open("three", () => assert.fail("made")), /there are 2 connections/);
  connections.close("one");
  assert.ok(connections.open("three", () => new Line()));
  const many = new Connections<Line>();
  for (let number = 0; number < 100; number += 1) many.open(`${number}`, () => new Line());
  assert.throws(() => many.open("100", () => new Line()), /there are 100 connections/);
});

test("a WebSocket that has ended frees its name, and one that waits does not", () => {
  const bench = new Bench();
  const connections = new Connections({ connectionsMax: 1 });
  const open = (): ReconnectingWebSocket => connections.open("chat", () => new ReconnectingWebSocket("ws://server/", [], { environment: bench.environment }));
  open();
  bench.socket.end(1006);
  assert.throws(open);
  connections.close("chat");
  open();
  bench.socket.accept();
  bench.socket.end(1000);
  assert.deepEqual([connections.get("chat"), connections.names()], [undefined, []]);
  assert.ok(open());
});

test("closeAll closes all, also where one throws", () => {
  const connections = new Connections<Line>();
  const failure = new Error("will not");
  connections.open("bad", () => ({ closed: 0, close: () => { throw failure; } }));
  const good = connections.open("good", () => new Line());
  assert.throws(() => connections.closeAll(), failure);
  assert.deepEqual([good.closed, connections.size], [1, 0]);
  connections.closeAll();
});
