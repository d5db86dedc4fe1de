import assert from "node:assert/strict";
import { test } from "node:test";
import type { Info } from "../src/dashboard/api.js";
import { type Health, healthOf } from "../src/dashboard/health.js";
import { Metrics } from "../src/dashboard/metrics-text.js";

const FINE = "openline_broker_up 1\nopenline_store_ok 1\nopenline_store_damaged 0\nopenline_draining 0\nopenline_overload_level 0\n";
const info = { history: {} } as Info;

/** How a server is whose metrics differ so from those of one that is well. */
function health(...differences: string[]): Health {
  const text = differences.reduce((all, line) => all.replace(new RegExp(`^${line.split(" ")[0]} .*`, "m"), line), FINE);
  return healthOf({ state: "live" } as Parameters<typeof healthOf>[0], Metrics.parse(text), info);
}

test("a server that lacks nothing is ready", () => {
  assert.deepEqual(health(), { word: "ready", tone: "good", sentence: undefined });
});

test("each level of overload says what is given up, and from 3 on it is bad", () => {
  const seen = [1, 2, 3, 4].map((level) => health(`openline_overload_level ${level}`));
  assert.deepEqual(seen.map(({ word, tone }) => `${word} ${tone}`), ["overloaded warm", "overloaded warm", "overloaded bad", "overloaded bad"]);
  assert.equal(new Set(seen.map(({ sentence }) => sentence)).size, 4);
  assert.equal(seen[3]?.sentence, "Memory is short: publications are refused (level 4).");
});

test("a server that drains says so, unless something worse is to be said", () => {
  assert.equal(health("openline_draining 1").word, "draining");
  assert.equal(health("openline_draining 1", "openline_store_ok 0").word, "not stored");
});
