import assert from "node:assert/strict";
import { test } from "node:test";
import { Ring } from "../src/ring.js";

test("a ring keeps the newest values in order and hands back what had to go", () => {
  const ring = new Ring<number>(3);
  assert.deepEqual([1, 2, 3, 4, 5].map((value) => ring.push(value)), [undefined, undefined, undefined, 1, 2]);
  assert.deepEqual(ring.toArray(), [3, 4, 5]);
  assert.equal(ring.size, 3);
});

test("a cleared ring starts afresh", () => {
  const ring = new Ring<number>(2);
  [1, 2, 3].forEach((value) => ring.push(value));
  ring.clear();
  assert.equal(ring.size, 0);
  [4, 5].forEach((value) => ring.push(value));
  assert.deepEqual(ring.toArray(), [4, 5]);
});

test("a capacity below one or not whole is refused", () => {
  for (const capacity of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => new Ring(capacity), RangeError);
  }
});
