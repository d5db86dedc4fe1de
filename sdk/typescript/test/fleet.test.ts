// Five thousand clients lose their server in the same moment. How they come back is the machine's doing alone, so
// machines under a virtual clock show it. The figures are in docs/reconnecting-websocket.md.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Input } from "../src/machine/input.js";
import { createMachine } from "../src/machine/machine.js";
import { generator } from "./generator.js";

const CLIENTS = 5_000;
const OUTAGES = [2_000, 10_000, 30_000, 60_000];
const MINUTE = 60_000;
const BIN = 100;
/** What the server names for as many lines: a millisecond for each. */
const HINT = CLIENTS;

interface Fleet {
  /** Attempts in each 100 ms of the first minute after the loss. */
  readonly bins: readonly number[];
  readonly attempts: number;
  /** The fullest one's share of the attempts. */
  readonly worst: number;
  /** When it begins. */
  readonly worstAt: number;
  /** How many are back at the end of the minute, or of the outage and another minute if that is later. */
  readonly back: number;
}

/** How an attempt fails while the server is away: refused after a moment, or never answered. */
type Failure = "refused" | "unanswered";

function simulate(outage: number, hint: number | undefined, failure: Failure, seed: number): Fleet {
  const end = Math.max(MINUTE, outage + MINUTE);
  const bins = new Array<number>(MINUTE / BIN).fill(0);
  let back = 0;
  for (let client = 0; client < CLIENTS; client += 1) {
    const random = generator(seed + client);
    const machine = createMachine({ heartbeatInterval: 10 * MINUTE }, random);
    const inputs: [number, Input][] = [[-20_000, "start"]];
    let online = false;
    for (;;) {
      inputs.sort(([a], [b]) => a - b);
      const at = Math.min(inputs[0]?.[0] ?? Infinity, machine.deadline ?? Infinity);
      if (at >= end) break;
      const input = (machine.deadline ?? Infinity) < (inputs[0]?.[0] ?? Infinity) ? "time" : (inputs.shift() as [number, Input])[1];
      for (const effect of machine.handleInput(at, input)) {
        if ("askToken" in effect) inputs.push([at, { token: effect.askToken, given: false }]);
        if ("status" in effect) online = effect.status === "online" || effect.status === "probing";
        if (!("open" in effect)) continue;
        if (at >= 0 && at < MINUTE) bins[Math.floor(at / BIN)] = (bins[Math.floor(at / BIN)] as number) + 1;
        const g = effect.open;
        if (at < 0 || at >= outage) {
          inputs.push([at + 10, { opened: g }], [at + 11, { welcome: g, authenticated: true, ...(hint === undefined ? {} : { retrySpread: hint }) }]);
          if (at < 0) inputs.push([0, { closed: g, code: 1006, reason: "" }]);
        } else if (failure === "refused") {
          inputs.push([at + 1 + Math.floor(random() * 20), { closed: g, code: 1006, reason: "" }]);
        }
      }
    }
    if (online) back += 1;
  }
  const attempts = bins.reduce((sum, count) => sum + count, 0);
  const most = Math.max(...bins);
  return { bins, attempts, worst: most / attempts, worstAt: bins.indexOf(most) * BIN, back };
}

/** One line of text: a character for each second, as high as its fullest 100 ms. */
function histogram({ bins }: Fleet, highest: number): string {
  const steps = " .:-=+*#%@";
  return Array.from({ length: 60 }, (_, second) => {
    const most = Math.max(...bins.slice(second * 10, second * 10 + 10));
    return steps[Math.min(9, Math.ceil((most / highest) * 9))];
  }).join("");
}

const SEED = 20_261;

for (const failure of ["refused", "unanswered"] as const) {
  for (const outage of OUTAGES) {
    test(`${CLIENTS} clients come back spread out after ${outage / 1_000} s, attempts being ${failure}`, (t) => {
      const hinted = simulate(outage, HINT, failure, SEED);
      const bare = simulate(outage, undefined, failure, SEED);
      for (const [name, fleet] of [["with the hint", hinted], ["without", bare]] as const) {
        const { attempts, worst, worstAt, back } = fleet;
        const share = `${(worst * 100).toFixed(2)} %`;
        t.diagnostic(`${name.padEnd(14)}${String(attempts).padStart(6)} attempts, the most in 100 ms ${share} at ${worstAt / 1_000} s, ${back} back`);
        t.diagnostic(`|${histogram(fleet, Math.max(...bare.bins))}|`);
      }
      assert.ok(hinted.worst <= 0.03, `${hinted.worst * 100} % of the attempts come within 100 ms at ${hinted.worstAt} ms (seed ${SEED})`);
      assert.equal(hinted.back, CLIENTS);
      assert.equal(bare.back, CLIENTS);
    });
  }
}
