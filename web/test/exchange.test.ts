import assert from "node:assert/strict";
import { test } from "node:test";
import { Exchange } from "../src/bench/exchange.js";

test("echoes in order each find their own round trip", () => {
  const exchange = new Exchange();
  exchange.handleSent("text", 5, 0);
  exchange.handleSent("text", 5, 10);
  assert.equal(exchange.handleReceived("text", 5, 30), 30);
  assert.equal(exchange.handleReceived("text", 5, 31), 21);
});

test("a message nobody sent has no round trip and takes none away", () => {
  const exchange = new Exchange();
  exchange.handleSent("binary", 4, 0);
  assert.equal(exchange.handleReceived("text", 4, 1), undefined);
  assert.equal(exchange.handleReceived("binary", 5, 2), undefined);
  assert.equal(exchange.handleReceived("binary", 4, 3), 3);
  assert.deepEqual(exchange.received, { messages: 3, bytes: 13 });
});

test("what an arrival overtook is given up", () => {
  const exchange = new Exchange();
  exchange.handleSent("text", 1, 0);
  exchange.handleSent("text", 2, 0);
  assert.equal(exchange.handleReceived("text", 2, 5), 5);
  assert.equal(exchange.handleReceived("text", 1, 6), undefined);
});

test("round trips are summed up as last, best and median", () => {
  const exchange = new Exchange();
  assert.equal(exchange.roundTrips, undefined);
  for (const time of [5, 1, 9, 3]) {
    exchange.handleSent("text", 1, 0);
    exchange.handleReceived("text", 1, time);
  }
  assert.deepEqual(exchange.roundTrips, { last: 3, best: 1, median: 3 });
});

test("a new line does not inherit what was in flight on the old one", () => {
  const exchange = new Exchange();
  exchange.handleSent("text", 1, 0);
  exchange.handleClosed();
  assert.equal(exchange.handleReceived("text", 1, 5), undefined);
  assert.deepEqual(exchange.sent, { messages: 1, bytes: 1 });
});

test("clearing forgets the counts but still waits for echoes", () => {
  const exchange = new Exchange();
  exchange.handleSent("text", 1, 0);
  exchange.clear();
  assert.equal(exchange.sent.messages, 0);
  assert.equal(exchange.handleReceived("text", 1, 5), 5);
});

test("messages that never come back are not remembered without end", () => {
  const exchange = new Exchange(2);
  [1, 2, 3].forEach((size) => exchange.handleSent("text", size, 0));
  assert.equal(exchange.handleReceived("text", 1, 1), undefined);
  assert.equal(exchange.handleReceived("text", 2, 1), 1);
});
