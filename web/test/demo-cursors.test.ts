import assert from "node:assert/strict";
import { test } from "node:test";
import { Cursors, IDLE_MS, SEND_EVERY_MS } from "../src/demo/cursors.js";

const at = (x: number, y: number, tab = "b") => ({ tab, name: "Bob", x, y });

test("own moves go out twenty times a second at most, the newest place each time", () => {
  const cursors = new Cursors("a");
  cursors.handleOwnMove({ x: 0.1, y: 0.1 });
  assert.deepEqual(cursors.pollSend(0), { x: 0.1, y: 0.1 });
  cursors.handleOwnMove({ x: 0.2, y: 0.2 });
  cursors.handleOwnMove({ x: 0.3, y: 0.3 });
  assert.equal(cursors.pollSend(SEND_EVERY_MS - 1), undefined);
  assert.equal(cursors.pollTimeout(), SEND_EVERY_MS);
  assert.deepEqual(cursors.pollSend(SEND_EVERY_MS), { x: 0.3, y: 0.3 });
  assert.equal(cursors.pollTimeout(), undefined);
});

test("arrow keys step from the middle and stop at the edge; other keys do nothing", () => {
  const cursors = new Cursors("a");
  assert.equal(cursors.handleOwnStep("Tab", 0.1), false);
  assert.equal(cursors.own === undefined, true);
  assert.equal(cursors.handleOwnStep("ArrowLeft", 0.1), true);
  assert.deepEqual(cursors.own, { x: 0.4, y: 0.5 });
  for (let press = 0; press < 9; press += 1) {
    cursors.handleOwnStep("ArrowUp", 0.1);
  }
  assert.deepEqual(cursors.own, { x: 0.4, y: 0 });
});

test("others are shown until they leave or are quiet for long", () => {
  const cursors = new Cursors("a");
  assert.equal(cursors.handleMessage("move", at(0.5, 2), 0), true);
  assert.equal(cursors.handleMessage("move", at(0.1, 0.1, "c"), 5_000), true);
  assert.deepEqual(cursors.others.map(({ x, y }) => [x, y]), [[0.5, 1], [0.1, 0.1]]);
  assert.equal(cursors.handleTimeout(IDLE_MS - 1), false);
  assert.equal(cursors.handleTimeout(IDLE_MS), true);
  assert.equal(cursors.handleMessage("leave", at(0, 0, "c"), 6_000), true);
  assert.deepEqual(cursors.others, []);
});

test("one's own message and what is no place change nothing", () => {
  const cursors = new Cursors("a");
  assert.equal(cursors.handleMessage("move", at(0.5, 0.5, "a"), 0), false);
  for (const data of [null, {}, { tab: "b", name: "B" }, { tab: "b", name: "B", x: "1", y: 0 }]) {
    assert.equal(cursors.handleMessage("move", data, 0), false);
  }
});

test("a crowd is bounded", () => {
  const cursors = new Cursors("a");
  for (let one = 0; one < 150; one += 1) {
    cursors.handleMessage("move", at(0.5, 0.5, `tab-${one}`), 0);
  }
  assert.equal(cursors.others.length, 100);
});
