import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffDelay } from "../src/backoff.js";

const ALMOST_ONE = 1 - Number.EPSILON;

test("the ceiling doubles from 1 s and ends at 30 s", () => {
  const ceilings = [0, 1, 2, 3, 4, 5, 6, 1_000_000].map((attempt) => Math.round(backoffDelay(attempt, ALMOST_ONE)));
  assert.deepEqual(ceilings, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test("jitter is full: it spreads over the whole ceiling, also at the cap", () => {
  assert.equal(backoffDelay(3, 0.5), 4_000);
  assert.equal(backoffDelay(50, 0.5), 15_000);
});

test("no retry comes sooner than 100 ms", () => {
  assert.equal(backoffDelay(0, 0), 100);
  assert.equal(backoffDelay(20, 0), 100);
});
