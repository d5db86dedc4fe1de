import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CloseCode, closePolicy as spec } from "../src/codes.js";
import { closePolicy } from "../src/machine/close-policy.js";

const root = process.env["OPENLINE_ROOT"]!;

test("codes.ts is what spec/codes.ts is", () => {
  const lines = (path: string): string[] => readFileSync(join(root, path), "utf8").split("\n");
  assert.deepEqual(lines("sdk/typescript/src/codes.ts"), lines("spec/codes.ts"));
});

test("every close code has the policy of the specification, and so have those that nobody knows", () => {
  for (const code of [...Object.values(CloseCode), 0, 999, 1004, 1005, 1006, 1014, 1015, 3000, 3999, 4008, 4100, 4900, 4999]) {
    assert.equal(closePolicy(code), spec(code), String(code));
  }
});
