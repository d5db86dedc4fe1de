import assert from "node:assert/strict";
import { test } from "node:test";
import { formatClock, formatDuration, formatSize, preview } from "../src/format.js";

test("sizes are short and keep the zeros that count", () => {
  const sizes = [0, 812, 1024, 1536, 10_240, 102_400, 1_024_000, 16_777_216, 3 * 2 ** 40];
  assert.deepEqual(sizes.map(formatSize), [
    "0 B", "812 B", "1 KiB", "1.5 KiB", "10 KiB", "100 KiB", "1000 KiB", "16 MiB", "3072 GiB",
  ]);
});

test("durations have the decimals that say something", () => {
  assert.deepEqual([0.421, 12.34, 140.4].map(formatDuration), ["0.42 ms", "12.3 ms", "140 ms"]);
});

test("the clock is local and to the millisecond", () => {
  assert.equal(formatClock(new Date(2024, 0, 2, 3, 4, 5, 6)), "03:04:05.006");
});

test("a preview never cuts a character in half", () => {
  assert.equal(preview("short"), "short");
  assert.equal(preview("abcdef", 4), "abcd … 2 more");
  assert.equal(preview("abc👋de", 4), "abc … 4 more");
});
