import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { CodecError } from "../src/codec/codec.js";
import { decodeMessagePack, encodeMessagePack, messagePack } from "../src/codec/message-pack.js";

/** Every kind of value, written by hand from the specification of MessagePack. */
const SAMPLES: [unknown, string][] = [
  [null, "c0"],
  [false, "c2"],
  [true, "c3"],
  [0, "00"],
  [127, "7f"],
  [-1, "ff"],
  [-32, "e0"],
  [128, "ce00000080"],
  [-33, "d2ffffffdf"],
  [0xffffffff, "ceffffffff"],
  [-0x80000000, "d280000000"],
  [0x100000000, "cf0000000100000000"],
  [-0x80000001, "d3ffffffff7fffffff"],
  [Number.MAX_SAFE_INTEGER, "cf001fffffffffffff"],
  [2n ** 53n, "cf0020000000000000"],
  [2n ** 64n - 1n, "cfffffffffffffffff"],
  [-(2n ** 63n), "d38000000000000000"],
  [0.5, "cb3fe0000000000000"],
  [1e300, "cb7e37e43c8800759c"],
  ["", "a0"],
  ["ü", "a2c3bc"],
  ["\ufeffa", "a4efbbbf61"],
  ["x".repeat(32), `d920${"78".repeat(32)}`],
  ["x".repeat(256), `da0100${"78".repeat(256)}`],
  [new Uint8Array([0, 255]), "c40200ff"],
  [new Uint8Array(256), `c50100${"00".repeat(256)}`],
  [[], "90"],
  [[1, ["a"]], "920191a161"],
  [Array(16).fill(1), `dc0010${"01".repeat(16)}`],
  [{}, "80"],
  [{ type: "ping" }, "81a474797065a470696e67"],
  [{ a: { b: [null] } }, "81a16181a16291c0"],
];

test("what is written is what the specification says, and is read as the same value", () => {
  for (const [value, hex] of SAMPLES) {
    assert.equal(toHex(encodeMessagePack(value)), hex);
    assert.deepEqual(decodeMessagePack(fromHex(hex)), value);
  }
});

test("shorter forms that others write are read", () => {
  for (const [hex, value] of [
    ["cc80", 128],
    ["cd0100", 256],
    ["d0df", -33],
    ["d1ff00", -256],
    ["ca3f000000", 0.5],
    ["cf0000000000000001", 1],
    ["d3ffffffffffffffff", -1],
    ["c6000000020102", new Uint8Array([1, 2])],
    ["db00000001 61", "a"],
    ["dd00000001 01", [1]],
    ["de0001 a161 01", { a: 1 }],
    ["df00000001 a161 01", { a: 1 }],
  ] as const) {
    assert.deepEqual(decodeMessagePack(fromHex(hex)), value, hex);
  }
});

test("a sample that is cut off anywhere, or goes on, is refused", () => {
  for (const [, hex] of SAMPLES) {
    const bytes = fromHex(hex);
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeMessagePack(bytes.subarray(0, length)), CodecError, `${hex} cut at ${length}`);
    }
    assert.throws(() => decodeMessagePack(fromHex(`${hex}c0`)), /goes on for 1 bytes/);
  }
});

test("what is malformed is refused with a sentence, whatever it claims to hold", () => {
  const refused: [string, RegExp][] = [
    ["c1", /0xc1/],
    ["d40100", /extension types/],
    ["c7010100", /extension types/],
    ["ddffffffff", /at least 4294967295 bytes/],
    ["dfffffffff", /at least 8589934590 bytes/],
    ["dbffffffff", /ends too early/],
    ["c6ffffffff", /ends too early/],
    ["8101c0", /key of a map/],
    ["8180c0", /nested|key of a map/],
    ["a1ff", /not UTF-8/],
    ["cb7ff8000000000000", /NaN/],
    ["ca7f800000", /Infinity/],
    [`${"91".repeat(50)}c0`, /nested/],
    [`${"81a161".repeat(50)}c0`, /nested/],
  ];
  for (const [hex, sentence] of refused) {
    assert.throws(() => decodeMessagePack(fromHex(hex)), (error) => error instanceof CodecError && sentence.test(error.message), hex);
  }
});

test("what has no place in a message cannot be written", () => {
  const itself: unknown[] = [];
  itself.push(itself);
  for (const value of [Number.NaN, -Infinity, 2n ** 64n, -(2n ** 63n) - 1n, itself]) {
    assert.throws(() => encodeMessagePack(value), CodecError);
  }
});

test("what JSON leaves out is left out, and dates become text", () => {
  const date = new Date(0);
  const value = { a: undefined, b: () => 1, c: [undefined], d: date, e: Symbol("x") };
  assert.deepEqual(decodeMessagePack(encodeMessagePack(value)), JSON.parse(JSON.stringify(value)));
});

test("bytes may be given as any view or buffer, and only the part that the view shows", () => {
  const { buffer } = new Uint8Array([1, 2, 3, 4]);
  for (const bytes of [new Uint8Array(buffer, 1, 2), new DataView(buffer, 1, 2), new Uint8Array([2, 3]).buffer]) {
    assert.equal(toHex(encodeMessagePack(bytes)), "c4020203");
  }
});

test("a field named __proto__ is a field", () => {
  const read = decodeMessagePack(fromHex("81a95f5f70726f746f5f5f81a16101")) as object;
  assert.deepEqual(Object.keys(read), ["__proto__"]);
  assert.equal((read as { a?: unknown }).a, undefined);
});

test("random values come back as they went", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const value = randomValue(random(seed), 4);
    assert.deepEqual(decodeMessagePack(encodeMessagePack(value)), value, `seed ${seed}`);
  }
});

test("random bytes are a value or refused, nothing else", () => {
  for (let seed = 1; seed <= 3000; seed++) {
    const next = random(seed);
    const bytes = Uint8Array.from({ length: 1 + next(40) }, () => (next(3) === 0 ? 0x80 + next(0x80) : next(0x100)));
    try {
      decodeMessagePack(bytes);
    } catch (error) {
      assert.ok(error instanceof CodecError, `seed ${seed}: ${String(error)}`);
    }
  }
});

test("the codec takes messages only, and JSON in frames of text", () => {
  const codec = messagePack();
  assert.deepEqual(codec.decode(codec.encode({ type: "ping", id: 1 })), { type: "ping", id: 1 });
  assert.deepEqual(codec.decode('{"type":"pong"}'), { type: "pong" });
  for (const frame of [fromHex("80"), fromHex("c0"), fromHex("01"), "[]"]) {
    assert.throws(() => codec.decode(frame), CodecError);
  }
});

test("what the vectors send as bytes is taken or refused as they say", () => {
  const [, , , ...steps] = vector("invalid-msgpack.json");
  const outcomes = steps.flatMap((step, at) => {
    const { sendBytes } = step as { sendBytes?: string };
    return sendBytes ? [{ bytes: Uint8Array.from(Buffer.from(sendBytes, "base64")), answer: (steps[at + 1] as any).expect.type as string }] : [];
  });
  assert.ok(outcomes.length >= 3);
  for (const { bytes, answer } of outcomes) {
    if (answer === "error") {
      assert.throws(() => messagePack().decode(bytes), CodecError);
    } else {
      assert.deepEqual(messagePack().decode(bytes), { type: "ping" });
    }
  }
});

test("all messages of the vectors come back as they went, bytes as bytes", () => {
  let count = 0;
  for (const name of readdirSync(vectors).filter((name) => name.endsWith(".json"))) {
    for (const { send } of vector(name) as { send?: object }[]) {
      const message = withBytes(send);
      if ((message as { type?: unknown } | undefined)?.type !== undefined) {
        count++;
        assert.deepEqual(decodeMessagePack(messagePack().encode(message as object) as Uint8Array), message, name);
      }
    }
  }
  assert.ok(count > 50, `there were ${count}`);
});

const vectors = join(process.env["OPENLINE_ROOT"] ?? "../..", "spec", "vectors");

function vector(name: string): unknown[] {
  return JSON.parse(readFileSync(join(vectors, name), "utf8")) as unknown[];
}

function withBytes(value: any): unknown {
  if (typeof value !== "object" || value === null) {
    return value;
  }
  if (typeof value.$bytes === "string") {
    return Uint8Array.from(Buffer.from(value.$bytes, "base64"));
  }
  return Array.isArray(value) ? value.map(withBytes) : Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withBytes(field)]));
}

/** Whole numbers below a bound, the same for the same seed. */
function random(seed: number): (bound: number) => number {
  let state = seed * 2654435761;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

function randomValue(next: (bound: number) => number, depth: number): unknown {
  const text = (): string => String.fromCodePoint(...Array.from({ length: next(40) }, () => [97, 0xfc, 0x20ac, 0x1f600][next(4)]!));
  const makers: (() => unknown)[] = [
    () => null,
    () => next(2) === 1,
    () => next(2 ** 32) - 2 ** 31,
    () => next(2 ** 32) * next(2 ** 20) * (next(2) ? 1 : -1) || 0,
    () => next(2 ** 32) / 7,
    () => 2n ** 53n + BigInt(next(2 ** 32)) ** 2n / 2n,
    text,
    () => Uint8Array.from({ length: next(300) }, () => next(256)),
    () => Array.from({ length: next(20) }, () => randomValue(next, depth - 1)),
    () => Object.fromEntries(Array.from({ length: next(20) }, () => [text(), randomValue(next, depth - 1)])),
  ];
  return makers[next(depth > 0 ? makers.length : makers.length - 2)]!();
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}
