import assert from "node:assert/strict";
import { test } from "node:test";
import { formatHex, parseHex } from "../src/hex.js";

function parsed(text: string): number[] | string {
  const result = parseHex(text);
  return result.ok ? [...result.bytes] : result.error;
}

test("hex is read in any case, with any common separator, with and without 0x", () => {
  for (const text of ["deadbeef", "DE AD BE EF", "de:ad:be:ef", "0xDE, 0xad,0xbe 0xef", "dead-beef", " de\nad\tbeef "]) {
    assert.deepEqual(parsed(text), [0xde, 0xad, 0xbe, 0xef], text);
  }
});

test("nothing is an empty message, not an error", () => {
  assert.deepEqual(parsed("  "), []);
  assert.deepEqual(parsed("0x"), []);
});

test("an error names what is wrong", () => {
  assert.equal(parsed("de ag"), "“g” is not a hex digit");
  assert.equal(parsed("de a"), "“a” has an odd number of digits");
  assert.equal(parsed("a b"), "“a” has an odd number of digits");
});

test("all 256 bytes survive formatting and parsing", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, value) => value);
  assert.deepEqual(parsed(formatHex(bytes, 256)), [...bytes]);
});

test("a long message is cut and the rest counted", () => {
  const text = formatHex(new Uint8Array(100));
  assert.ok(text.endsWith("00 … 36 more"));
  assert.equal(text.split(" ").filter((pair) => pair === "00").length, 64);
  assert.equal(formatHex(new Uint8Array(64)).includes("…"), false);
});
