import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatSession, type Effect } from "../src/chat/session.js";

const WELCOME = '{"type":"welcome","clientId":"c1"}';

function session(random = 0.5): ChatSession {
  return new ChatSession(() => random);
}

function joined(random?: number): ChatSession {
  const made = session(random);
  made.handleJoin("Ada", "general");
  made.handleOpen();
  effects(made);
  return made;
}

/** Effects with what is sent as objects, drained. */
function effects(from: ChatSession): unknown[] {
  const all: Effect[] = [];
  for (let effect = from.pollEffect(); effect !== undefined; effect = from.pollEffect()) {
    all.push(effect);
  }
  return all.map((effect) => (effect.type === "send" ? JSON.parse(effect.text) : effect));
}

test("joining connects, and once open says who is there", () => {
  const chat = session();
  chat.handleJoin("Ada", "42");
  assert.equal(chat.phase, "connecting");
  assert.deepEqual(effects(chat), [{ type: "connect", room: "42" }]);
  chat.handleOpen();
  assert.equal(chat.phase, "open");
  assert.deepEqual(effects(chat), [
    { type: "join", username: "Ada", room: "42" },
    { type: "setPresence", status: "online" },
  ]);
});

test("a new name stays on the line, another room takes a new one", () => {
  const chat = joined();
  chat.handleJoin("Eve", "general");
  assert.deepEqual(effects(chat), [{ type: "join", username: "Eve", room: "general" }]);
  chat.handleMessage('{"type":"system","text":"old room"}', 0);
  chat.handleJoin("Eve", "42");
  assert.deepEqual(effects(chat), [{ type: "connect", room: "42" }]);
  assert.deepEqual(chat.room.lines, []);
});

test("a lost line comes back by itself after a random share of the backoff", () => {
  const chat = joined();
  chat.handleClose(1006, "", 10_000);
  assert.equal(chat.phase, "waiting");
  assert.equal(chat.notice, "The line was lost (1006).");
  assert.equal(chat.pollTimeout(), 10_500);
  chat.handleTimeout(10_499);
  assert.deepEqual(effects(chat), []);
  chat.handleTimeout(10_500);
  assert.equal(chat.phase, "connecting");
  assert.deepEqual(effects(chat), [{ type: "connect", room: "general" }]);
});

test("each failed attempt doubles the wait, and leaving ends it", () => {
  const chat = joined();
  let now = 0;
  const waits = [1, 2, 3].map(() => {
    chat.handleClose(1006, "", now);
    const wait = (chat.retryAt ?? 0) - now;
    now += wait;
    chat.handleTimeout(now);
    return wait;
  });
  assert.deepEqual(waits, [500, 1_000, 2_000]);
  chat.handleLeave();
  assert.equal(chat.phase, "closed");
  assert.equal(chat.pollTimeout(), undefined);
  assert.deepEqual(effects(chat).at(-1), { type: "disconnect" });
});

test("the backoff starts small again only after ten good seconds", () => {
  for (const [seconds, wait] of [[9, 1_000], [10, 500]] as const) {
    const chat = joined();
    chat.handleClose(1006, "", 0);
    chat.handleTimeout(500);
    chat.handleOpen();
    chat.handleMessage(WELCOME, 1_000);
    const now = 1_000 + seconds * 1_000;
    chat.handleTimeout(now);
    chat.handleClose(1006, "", now);
    assert.equal((chat.retryAt ?? 0) - now, wait);
  }
});

test("a code that says stop is obeyed, with its reason shown", () => {
  const chat = joined();
  chat.handleClose(4005, "kicked", 0);
  assert.equal(chat.phase, "closed");
  assert.equal(chat.notice, "The server closed the line (4005, kicked).");
  assert.equal(chat.pollTimeout(), undefined);
});

test("a code that says later is given thirty seconds more", () => {
  const chat = joined();
  chat.handleClose(1013, "busy", 0);
  assert.equal(chat.retryAt, 30_500);
});

test("a network that came back ends the wait", () => {
  const chat = joined();
  chat.handleOnline();
  assert.deepEqual(effects(chat), []);
  chat.handleClose(1006, "", 0);
  chat.handleOnline();
  assert.deepEqual(effects(chat), [{ type: "connect", room: "general" }]);
  assert.equal(chat.pollTimeout(), undefined);
});

test("typing is said at once, repeated sparingly and withdrawn after a pause", () => {
  const chat = joined();
  [0, 100, 2_499, 2_500].forEach((now) => chat.handleComposing("h", now));
  assert.deepEqual(effects(chat), [
    { type: "typing", isTyping: true },
    { type: "typing", isTyping: true },
  ]);
  assert.equal(chat.pollTimeout(), 5_500);
  chat.handleTimeout(5_500);
  assert.deepEqual(effects(chat), [{ type: "typing", isTyping: false }]);
  assert.equal(chat.pollTimeout(), undefined);
});

test("sending ends typing, and blank text is not sent", () => {
  const chat = joined();
  chat.handleComposing("hi", 0);
  chat.handleSubmit("hi");
  chat.handleSubmit("  \n ");
  assert.deepEqual(effects(chat).slice(1), [
    { type: "chat", text: "hi" },
    { type: "typing", isTyping: false },
  ]);
});

test("a hidden tab is away, also when it was hidden before the line opened", () => {
  const chat = session();
  chat.handleVisibility(true);
  chat.handleJoin("Ada", "general");
  chat.handleOpen();
  assert.deepEqual(effects(chat).at(-1), { type: "setPresence", status: "away" });
  chat.handleVisibility(false);
  assert.deepEqual(effects(chat), [{ type: "setPresence", status: "online" }]);
});

test("nothing is sent while there is no line", () => {
  const chat = session();
  chat.handleSubmit("hi");
  chat.handleComposing("hi", 0);
  chat.handleVisibility(true);
  assert.deepEqual(effects(chat), []);
});
