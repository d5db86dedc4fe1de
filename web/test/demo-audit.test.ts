import assert from "node:assert/strict";
import { test } from "node:test";
import { Audit } from "../src/demo/audit.js";

function cut(): Audit {
  const audit = new Audit();
  audit.handleCut(new Map([["chat", "c0"], ["ticker", "t0"]]), 1_000);
  return audit;
}

test("without a cut there is nothing to say", () => {
  const audit = new Audit();
  assert.equal(audit.handlePublication("chat", "c1", true), false);
  audit.handleOnline(10);
  assert.deepEqual(audit.verdict, { phase: "none" });
});

test("all that the history has came: nothing is lost", () => {
  const audit = cut();
  audit.handleMended();
  assert.equal(audit.verdict.phase, "returning");
  audit.handleOnline(3_400);
  assert.deepEqual([...audit.toCheck], [["chat", "c0"], ["ticker", "t0"]]);
  assert.equal(audit.handlePublication("chat", "c1", true), true);
  assert.equal(audit.handlePublication("ticker", "t1", true), true);
  assert.equal(audit.handlePublication("ticker", "t2", false), false);
  audit.handleHistory("chat", ["c1"]);
  assert.equal(audit.verdict.phase, "checking");
  audit.handleHistory("ticker", ["t1", "t2"]);
  assert.deepEqual(audit.verdict, {
    phase: "done",
    recovered: 2,
    lost: 0,
    isCertain: true,
    channels: [
      { channel: "chat", recovered: 1, missing: 0, gap: undefined },
      { channel: "ticker", recovered: 1, missing: 0, gap: undefined },
    ],
    sent: { count: 0, delivered: 0, failed: 0 },
    away: 2_400,
  });
});

test("what the history has and never came is lost; what comes late is not", () => {
  const audit = cut();
  audit.handleOnline(2_000);
  audit.handleHistory("chat", ["c1", "c2"]);
  audit.handleHistory("ticker", []);
  assert.equal(audit.verdict.phase === "done" && audit.verdict.lost, 2);
  audit.handlePublication("chat", "c1", false);
  assert.equal(audit.verdict.phase === "done" && audit.verdict.lost, 1);
});

test("a gap, or a history that cannot be read, makes the verdict uncertain", () => {
  for (const told of ["gap", "history"]) {
    const audit = cut();
    audit.handleOnline(2_000);
    if (told === "gap") {
      audit.handleGap("ticker", "trimmed");
    }
    audit.handleHistory("chat", []);
    audit.handleHistory("ticker", told === "history" ? undefined : []);
    assert.equal(audit.verdict.phase === "done" && audit.verdict.isCertain, false);
  }
});

test("what is sent meanwhile is counted until it is delivered", () => {
  const audit = new Audit();
  audit.handleSent("before");
  audit.handleCut(new Map([["chat", "c0"]]), 0);
  audit.handleSent("1");
  audit.handleMended();
  audit.handleSent("2");
  audit.handleOnline(100);
  audit.handleSent("after");
  audit.handleSettled("before", true);
  audit.handleSettled("1", true);
  audit.handleSettled("2", false);
  audit.handleHistory("chat", []);
  assert.deepEqual(audit.verdict.phase === "done" && audit.verdict.sent, { count: 2, delivered: 1, failed: 1 });
});

test("a second cut before the check is part of the first, one after it begins anew", () => {
  const audit = cut();
  audit.handleMended();
  audit.handleCut(new Map([["chat", "c5"]]), 1_500);
  audit.handleOnline(2_000);
  assert.equal(audit.toCheck.get("chat"), "c0");
  audit.handleHistory("chat", []);
  audit.handleHistory("ticker", []);
  audit.handleCut(new Map([["chat", "c9"]]), 9_000);
  audit.handleOnline(9_500);
  assert.deepEqual([...audit.toCheck], [["chat", "c9"]]);
});
