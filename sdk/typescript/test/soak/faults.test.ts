import assert from "node:assert/strict";
import { test } from "node:test";
import { SEEDED } from "./faulty-line.js";
import { soak } from "./soak.js";

for (const fault of SEEDED) {
  test(`the ledger sees a publication that a client's line makes "${fault}"`, { timeout: 120_000 }, async () => {
    const { ledger } = await soak({ drops: 0, messages: 200, seed: 1, fault });
    assert.deepEqual([...ledger.faults], [[fault, 1]], ledger.told.join("\n"));
  });
}
