import assert from "node:assert/strict";
import { test } from "node:test";
import { EchoLog } from "../src/demo/echo-log.js";
import { wordsOf } from "../src/demo/line-view.js";
import { Me } from "../src/demo/me.js";
import { cleanName, hueOf, inventedName, parsePerson } from "../src/demo/person.js";
import { closeText, nextTryText, queueText } from "../src/demo/status-text.js";
import { TransferRate } from "../src/demo/transfer-rate.js";
import { progressText, speedText, stateText } from "../src/demo/upload-text.js";
import { parseTheme, toggled } from "../src/shell/theme.js";

test("a status is told in few words", () => {
  assert.equal(nextTryText({ state: "waiting", attempt: 1, retryAt: 2_400 }, 1_000), "in 1.4 s");
  assert.equal(nextTryText({ state: "waiting", attempt: 1, retryAt: 900 }, 1_000), "now");
  assert.equal(nextTryText({ state: "connecting", attempt: 1 }, 0), "now");
  assert.equal(nextTryText({ state: "online", attempt: 0 }, 0), "–");
  assert.equal(closeText({ state: "waiting", attempt: 1, code: 1006, reason: "" }), "1006, no goodbye");
  assert.equal(closeText({ state: "waiting", attempt: 1, code: 1012, reason: "restart" }), "1012 restart");
  assert.equal(closeText({ state: "idle", attempt: 0 }), "–");
  assert.equal(queueText(0, 0), "empty");
  assert.equal(queueText(1, 230), "1 message, 230 B");
});

test("the verdict claims no more than is known", () => {
  const facts = { cutFor: 2_000, queueSize: 2 };
  const done = { phase: "done", recovered: 5, channels: [], sent: { count: 0, delivered: 0, failed: 0 }, away: 2_100 } as const;
  assert.equal(wordsOf({ phase: "cut", since: 0 }, facts).title, "Cut for 2 s");
  assert.match(wordsOf({ phase: "cut", since: 0 }, facts).text, /2 messages of yours wait/);
  const sure = wordsOf({ ...done, lost: 0, isCertain: true }, facts);
  assert.deepEqual([sure.title, sure.isSure], ["5 recovered, 0 lost", true]);
  assert.equal(wordsOf({ ...done, lost: 1, isCertain: true }, facts).isSure, false);
  const unsure = wordsOf({ ...done, lost: 0, isCertain: false }, facts);
  assert.equal(unsure.isSure, false);
  assert.match(unsure.text, /Not all of it could be checked/);
});

test("an echo row has its size in bytes and its round trip", () => {
  const log = new EchoLog();
  log.handleSent("grüß", 10, 0);
  log.handleReceived("grüß", 14.5, 0);
  log.handleReceived("unasked", 20, 0);
  assert.deepEqual(
    log.rows.map(({ direction, size, roundTrip }) => [direction, size, roundTrip]),
    [["out", 6, undefined], ["in", 6, 4.5], ["in", 7, undefined]],
  );
  assert.equal(log.median, 4.5);
});

test("speed is that of the last seconds, and a pause is not held against it", () => {
  const rate = new TransferRate();
  assert.equal(rate.bytesPerSecond, undefined);
  rate.handleProgress(0, 0);
  rate.handleProgress(1_000, 500);
  assert.equal(rate.bytesPerSecond, 2_000);
  assert.equal(rate.secondsLeft(5_000), 2);
  rate.handlePause();
  rate.handleProgress(1_000, 60_000);
  assert.equal(rate.bytesPerSecond, undefined);
  rate.handleProgress(2_000, 61_000);
  assert.equal(rate.bytesPerSecond, 1_000);
});

test("an upload says how far it is, how fast, and how long it will take", () => {
  assert.equal(progressText(5 * 1024 * 1024, 20 * 1024 * 1024), "5 MiB of 20 MiB, 25 %");
  assert.equal(progressText(0, 0), "0 B of 0 B, 100 %");
  const rate = { bytesPerSecond: 2_097_152, secondsLeft: () => 2.2 };
  assert.equal(speedText(rate, 1), "2 MiB/s, 3 s left");
  assert.equal(speedText({ bytesPerSecond: undefined, secondsLeft: () => undefined }, 1), "");
  assert.equal(stateText("waiting"), "waiting for the line");
});

test("a person has a name, and the same colour in every tab", () => {
  assert.equal(cleanName("  Ann\n  Lee "), "Ann Lee");
  assert.equal([...cleanName("🙂".repeat(50))].length, 24);
  assert.equal(hueOf("abc"), hueOf("abc"));
  assert.equal(inventedName(() => 0), "Quiet Heron");
  assert.deepEqual(parsePerson({ tab: "t", name: " " }), { tab: "t", name: "Somebody", hue: hueOf("t") });
  assert.equal(parsePerson({ tab: "", name: "x" }), undefined);
  assert.equal(parsePerson({ tab: "x".repeat(41), name: "x" }), undefined);
});

test("a reload keeps the person; a tab that was copied is another one", () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  } as unknown as Storage;
  const first = new Me(storage, false, Math.random);
  let told = 0;
  first.onRename(() => (told += 1));
  assert.equal(first.rename("Ann"), "Ann");
  assert.equal(first.rename("  "), "Ann");
  assert.equal(told, 1);
  assert.deepEqual(new Me(storage, true, Math.random).person, first.person);
  assert.notEqual(new Me(storage, false, Math.random).person.tab, first.person.tab);
});

test("the toggle goes back to following the system where it can", () => {
  assert.deepEqual(toggled(undefined, "light"), { next: "dark", chosen: "dark" });
  assert.deepEqual(toggled("dark", "light"), { next: "light", chosen: undefined });
  assert.deepEqual(toggled(undefined, "dark"), { next: "light", chosen: "light" });
  assert.equal(parseTheme("purple"), undefined);
});
