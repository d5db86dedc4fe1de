import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServerMessage } from "../src/chat/message.js";

const NOW = 1_700_000_000_000;

function parse(message: unknown) {
  return parseServerMessage(JSON.stringify(message), NOW);
}

test("fields are read at the top level, under data, and from the top where both differ", () => {
  const expected = { type: "typing", user: "Ada", isTyping: true };
  assert.deepEqual(parse({ type: "typing", user: "Ada", isTyping: true }), expected);
  assert.deepEqual(parse({ type: "typing", data: { user: "Ada", isTyping: true } }), expected);
  assert.deepEqual(parse({ type: "typing", user: "Ada", data: { user: "Bob", isTyping: true } }), expected);
});

test("a chat message knows its name, its text, its time and the sender's id", () => {
  const message = { username: "Ada", clientId: "c1", text: "hi", timestamp: 1_600_000_000_000 };
  const fields = { type: "chat", username: "Ada", text: "hi", timestamp: 1_600_000_000_000 };
  assert.deepEqual(parse({ ...fields, from: "c1", sender: "Ada" }), { type: "chat", message });
  assert.deepEqual(parse({ ...fields, from: "Ada", sender: "c1" }), { type: "chat", message });
  assert.deepEqual(parse({ ...fields, from: "Ada", sender: "Ada" }), {
    type: "chat",
    message: { ...message, clientId: undefined },
  });
});

test("a time may be in milliseconds, in seconds, in ISO 8601, or missing", () => {
  const timestamps = [1_600_000_000_000, 1_600_000_000, "2020-09-13T12:26:40Z", undefined, "soon"];
  const times = timestamps.map((timestamp) => {
    const parsed = parse({ type: "history", messages: [{ username: "Ada", text: "hi", timestamp }] });
    return parsed?.type === "history" ? parsed.messages[0]?.timestamp : undefined;
  });
  assert.deepEqual(times, [1_600_000_000_000, 1_600_000_000_000, 1_600_000_000_000, NOW, NOW]);
});

test("people are names or objects with names", () => {
  assert.deepEqual(parse({ type: "userList", count: 3, users: ["Ada", { username: "Bob", status: "away" }, 7, {}] }), {
    type: "userList",
    count: 3,
    users: [
      { username: "Ada", status: undefined },
      { username: "Bob", status: "away" },
    ],
  });
});

test("an error shows its sentence before its code", () => {
  assert.deepEqual(parse({ type: "error", code: "unknown_type", message: "Unknown message type" }), {
    type: "error",
    text: "Unknown message type",
  });
});

test("what this page does not know or cannot read is passed over", () => {
  for (const json of ["", "{", "null", "[]", '"chat"', "7", "{}", '{"type":7}', '{"type":"pong"}', '{"type":"later"}']) {
    assert.equal(parseServerMessage(json, NOW), undefined, json);
  }
  assert.deepEqual(parse({ type: "history", messages: "none", data: 5 }), { type: "history", messages: [] });
});
