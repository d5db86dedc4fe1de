import assert from "node:assert/strict";
import { test } from "node:test";

import { EVENT_CHARACTERS_MAX, EventStream } from "../src/transport/event-stream.js";

const SAMPLES: [string, string[]][] = [
  ["data: a\n\n", ["a"]],
  ["data:a\r\n\r\n", ["a"]],
  ["data: a\r\r", ["a"]],
  ["data:  a\n\n", [" a"]],
  ["data: a\ndata: b\ndata\n\n", ["a\nb\n"]],
  [": comment\n\n:\n\ndata: a\nid: 1\nretry: 10\nevent: x\nunknown\n\n", ["a"]],
  ["id: 1\n\nretry: 2\n\n", []],
  ["data:\n\n", [""]],
  ["data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\n", ["a", "b", "c"]],
  ["datax: a\n\ndata: ü:€\n\n", ["ü:€"]],
];

test("events are read as the HTML standard has it, however the text is cut", () => {
  for (const [text, events] of SAMPLES) {
    assert.deepEqual(new EventStream().push(text), events, JSON.stringify(text));
    for (let at = 0; at <= text.length; at++) {
      const stream = new EventStream();
      const read = [text.slice(0, at), "", text.slice(at)].flatMap((piece) => stream.push(piece));
      assert.deepEqual(read, events, `${JSON.stringify(text)} cut at ${at}`);
    }
    const stream = new EventStream();
    assert.deepEqual([...text].flatMap((letter) => stream.push(letter)), events, JSON.stringify(text));
  }
});

test("an event that does not end is refused", () => {
  const stream = new EventStream();
  const piece = `data: ${"x".repeat(1_000_000)}\n`;
  assert.throws(() => {
    for (let length = 0; length <= EVENT_CHARACTERS_MAX; length += piece.length) {
      stream.push(piece);
    }
  }, RangeError);
  const events = new EventStream();
  for (let n = 0; n < 40; n++) {
    assert.equal(events.push(`${piece}\n`).length, 1);
  }
});
