import assert from "node:assert/strict";
import { test } from "node:test";

import { source, type Uploadable } from "../src/transfer/source.js";

const FILE = Uint8Array.from({ length: 10_000 }, (_, n) => (n * 31) % 251);

async function* pieces(length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < FILE.length; at += length) {
    yield FILE.subarray(at, at + length);
  }
}

const SOURCES: [string, () => Uploadable][] = [
  ["bytes", () => FILE],
  ["a buffer", () => FILE.slice().buffer],
  ["a blob", () => new Blob([FILE])],
  ["a stream", () => new Blob([FILE]).stream()],
  ["an iterable of small pieces", () => pieces(7)],
  ["an iterable of one piece", () => pieces(20_000)],
];

test("every kind of source gives its bytes in order, and none at the end", async () => {
  for (const [what, make] of SOURCES) {
    const from = source(make());
    const read: number[] = [];
    for (;;) {
      const bytes = await from.read(read.length, 777);
      if (!bytes.length) {
        break;
      }
      assert.ok(bytes.length === 777 || read.length + bytes.length === FILE.length, what);
      read.push(...bytes);
      from.release(read.length);
    }
    assert.deepEqual(read, [...FILE], what);
  }
});

test("what was read can be read again until it is released", async () => {
  for (const [what, make] of SOURCES) {
    const from = source(make());
    await from.read(0, 1000);
    await from.read(1000, 1000);
    from.release(500);
    assert.deepEqual(await from.read(500, 100), FILE.slice(500, 600), what);
    assert.deepEqual(await from.read(1990, 20), FILE.slice(1990, 2010), what);
  }
});

test("what the server has already is passed over", async () => {
  for (const [what, make] of SOURCES) {
    for (const offset of [9_000, FILE.length]) {
      const from = source(make());
      from.release(offset);
      assert.deepEqual(await from.read(offset, 100), FILE.slice(offset, offset + 100), what);
    }
  }
});

test("a stream cannot go back to what was released, and says so", async () => {
  const from = source(pieces(100));
  await from.read(0, 1000);
  from.release(1000);
  await assert.rejects(from.read(500, 100), { code: "not_seekable" });
});

test("a stream is ended when nothing more is needed, and what is not bytes is refused", async () => {
  let isEnded = false;
  const from = source(new ReadableStream({ pull: (stream) => stream.enqueue(FILE), cancel: () => void (isEnded = true) }));
  await from.read(0, 10);
  from.cancel();
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(isEnded);
  const text = source(new ReadableStream({ pull: (stream) => stream.enqueue("text" as never) }));
  await assert.rejects(text.read(0, 10), { code: "bad_message" });
});
