import assert from "node:assert/strict";
import { test } from "node:test";
import { randomBytes } from "../src/random-bytes.js";

test("every byte is filled exactly once, in chunks that the browser accepts", () => {
  for (const size of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
    const chunks: number[] = [];
    const bytes = randomBytes(size, (chunk) => {
      chunks.push(chunk.length);
      chunk.forEach((value, at) => (chunk[at] = value + 1));
    });
    assert.equal(bytes.length, size);
    assert.ok(bytes.every((byte) => byte === 1));
    assert.ok(chunks.every((length) => length <= 65_536));
  }
});
