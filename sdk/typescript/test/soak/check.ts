import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { soak } from "./soak.js";

/** Soaks, with the seed of OPENLINE_SOAK_SEED or one of chance, and holds that all went well. */
export async function check(t: TestContext, { drops, messages }: { drops: number; messages: number }): Promise<void> {
  const seed = Number(process.env["OPENLINE_SOAK_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`OPENLINE_SOAK_SEED=${seed}`);
  const { seconds, cuts, returns, published, ledger } = await soak({ drops, messages, seed });
  const taken = Object.values(ledger.taken).reduce((sum, count) => sum + count, 0);
  t.diagnostic(`${seconds.toFixed(1)} s; cuts: ${JSON.stringify(cuts)}; clients came back ${returns} times`);
  t.diagnostic(`${published} published, ${ledger.duplicates} of them acknowledged as known; ${taken} taken, ${ledger.replayed} of them replayed`);
  assert.deepEqual([...ledger.faults], [], ledger.told.join("\n"));
  assert.equal(published, 2 * messages);
  assert.equal(ledger.acknowledged, published);
  assert.equal(taken, 3 * published);
  assert.equal(Object.values(cuts).reduce((sum, count) => sum + count, 0), drops);
  // Otherwise the cuts would have hit nothing.
  assert.ok(drops === 0 || returns > drops / 4, `clients came back ${returns} times after ${drops} cuts`);
}
