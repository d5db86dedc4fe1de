import assert from "node:assert/strict";
import { test } from "node:test";
import type { Publication } from "../../src/index.js";
import { Ledger, type Numbered } from "./ledger.js";

/** What a ledger says after `reader` was told to expect three messages of `writer`, and got these numbers. */
function after(numbers: number[], told: (ledger: Ledger) => void = () => {}): string[] {
  const ledger = new Ledger();
  ledger.reads("reader", ["writer"]);
  for (const number of numbers) {
    ledger.take("reader", publication("writer", number));
  }
  told(ledger);
  ledger.close(new Map([["writer", 3]]));
  return [...ledger.faults].map(([fault, count]) => `${fault} ${count}`);
}

function publication(writer: string, number: number): Publication<Numbered> {
  return { type: "message", channel: "room", data: { writer, number }, position: `p${number}`, replayed: false };
}

test("a ledger has nothing to say about messages that came once and in order", () => {
  assert.deepEqual(after([0, 1, 2]), []);
});

test("a ledger tells what was lost, in the middle and at the end", () => {
  assert.deepEqual(after([0, 2]), ["lost 1"]);
  assert.deepEqual(after([0]), ["lost 2"]);
});

test("a ledger tells late ones from second ones", () => {
  assert.deepEqual(after([0, 2, 1]), ["order 1"]);
  assert.deepEqual(after([0, 2, 1, 1]), ["order 1", "twice 1"]);
  assert.deepEqual(after([0, 1, 2, 0]), ["twice 1"]);
});

test("a ledger holds the position that a writer was told against the readers'", () => {
  const say = (position: string) => (ledger: Ledger) => ledger.acknowledge({ writer: "writer", number: 1 }, { position, level: "os", timestamp: 0 });
  assert.deepEqual(after([0, 1, 2], say("p1")), []);
  assert.deepEqual(after([0, 1, 2], say("p2")), ["position 1"]);
});

test("a ledger knows whom a reader does not read", () => {
  assert.deepEqual(after([0, 1, 2], (ledger) => ledger.take("reader", publication("another", 0))), ["stranger 1"]);
});
