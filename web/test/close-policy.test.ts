import assert from "node:assert/strict";
import { test } from "node:test";
import { closePolicy } from "../src/close-policy.js";

const CODES = {
  stop: [1000, 1002, 1003, 1007, 1008, 1009, 1010, 4000, 4001, 4002, 4005],
  retry: [1001, 1005, 1006, 1011, 1012, 4006, 4007],
  wait: [1013, 4003, 4004],
} as const;

test("every close code of the protocol has its policy", () => {
  for (const [policy, codes] of Object.entries(CODES)) {
    assert.deepEqual(codes.map(closePolicy), codes.map(() => policy));
  }
});

test("a code nobody knows is worth a retry", () => {
  assert.equal(closePolicy(4999), "retry");
});
