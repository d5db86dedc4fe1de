import assert from "node:assert/strict";
import { test } from "node:test";
import { gridOf, nearer, overlap, parseTick, priceAt, runsOf, scaleOf, Ticks, type Tick } from "../src/demo/ticks.js";

const tick = (at: number, price = 1, isRecovered = false): Tick => ({ at, price, change: 0, isRecovered });

test("ticks that come late take their place in time", () => {
  const ticks = new Ticks();
  for (const at of [1_000, 2_000, 6_000]) {
    ticks.handleTick(tick(at), at, true);
  }
  ticks.handleTick(tick(3_000, 1, true), 6_500, false);
  ticks.handleTick(tick(4_000, 1, true), 6_500, false);
  assert.deepEqual(ticks.all.map(({ at }) => at), [1_000, 2_000, 3_000, 4_000, 6_000]);
  assert.equal(ticks.last?.at, 6_000);
});

test("the server's clock is guessed from the fastest live message alone", () => {
  const ticks = new Ticks();
  assert.equal(ticks.serverTime(500), 500);
  ticks.handleTick(tick(10_000), 900, true);
  ticks.handleTick(tick(11_000), 1_850, true);
  ticks.handleTick(tick(11_500), 9_000, false);
  assert.equal(ticks.serverTime(2_000), 11_150);
});

test("a time without a line ends with the next line, and is told once", () => {
  const ticks = new Ticks();
  ticks.handleLine(true, 0);
  ticks.handleLine(false, 100);
  ticks.handleLine(false, 150);
  assert.deepEqual(ticks.spans, [{ from: 100, to: undefined }]);
  ticks.handleLine(true, 300);
  ticks.handleLine(true, 400);
  assert.deepEqual(ticks.spans, [{ from: 100, to: 300 }]);
});

test("what is kept is bounded", () => {
  const ticks = new Ticks();
  for (let at = 0; at < 1_000; at += 1) {
    ticks.handleTick(tick(at * 1_000), at * 1_000, true);
    ticks.handleLine(at % 2 === 0, at * 1_000);
  }
  assert.equal(ticks.all.length, 240);
  assert.equal(ticks.spans.length, 20);
});

test("a window has one tick before it, so that the line reaches the edge", () => {
  const ticks = new Ticks();
  for (const at of [1_000, 2_000, 3_000]) {
    ticks.handleTick(tick(at), at, true);
  }
  assert.deepEqual(ticks.since(2_500).map(({ at }) => at), [2_000, 3_000]);
  assert.deepEqual(ticks.since(9_000), []);
});

test("a hole in time breaks the line", () => {
  const runs = runsOf([tick(0), tick(1_000), tick(5_000), tick(6_000)]);
  assert.deepEqual(runs.map((run) => run.map(({ at }) => at)), [[0, 1_000], [5_000, 6_000]]);
});

test("a scale has height even for one price, and grid lines within it", () => {
  const flat = scaleOf([tick(0, 100)]);
  assert.ok(flat.low < 100 && flat.high > 100);
  const scale = scaleOf([tick(0, 100), tick(1, 110)]);
  const grid = gridOf(scale);
  assert.ok(grid.length >= 2 && grid.every((price) => price >= scale.low && price <= scale.high));
  assert.equal(overlap({ low: 0, high: 10 }, { low: 1, high: 12 }), true);
  assert.equal(overlap({ low: 0, high: 10 }, { low: 8, high: 28 }), false);
  assert.deepEqual(nearer({ low: 0, high: 10 }, { low: 10, high: 20 }, 0.5), { low: 5, high: 15 });
});

test("prices between two ticks are on the line between them", () => {
  const two = [tick(0, 10), tick(1_000, 20)];
  assert.equal(priceAt(two, 250), 12.5);
  assert.equal(priceAt(two, 5_000), 20);
  assert.equal(priceAt([], 0), undefined);
});

test("what is no price is no tick", () => {
  assert.deepEqual(parseTick({ price: 1.5, change: -0.5 }), { price: 1.5, change: -0.5 });
  assert.deepEqual(parseTick({ price: 1 }), { price: 1, change: 0 });
  for (const data of [null, undefined, 3, {}, { price: "1" }, { price: Number.NaN }]) {
    assert.equal(parseTick(data), undefined);
  }
});
