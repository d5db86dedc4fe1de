import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerMessage } from "../src/chat/message.js";
import { EMPTY_ROOM, handleLost, handleServerMessage, handleTypingTimeout, type Room } from "../src/chat/room.js";

const VIEWER = { name: "Ada", now: 1_000 };

function after(messages: readonly ServerMessage[], room: Room = EMPTY_ROOM): Room {
  return messages.reduce((grown, message) => handleServerMessage(grown, message, VIEWER), room);
}

function chat(username: string, text: string, clientId?: string): ServerMessage {
  return { type: "chat", message: { username, text, clientId, timestamp: 1_000 } };
}

function texts(room: Room): string[] {
  return room.lines.map((line) => line.text);
}

test("messages, system lines and errors follow each other in order of arrival", () => {
  const room = after([chat("Bob", "one"), { type: "system", text: "two" }, { type: "error", text: "three" }]);
  assert.deepEqual(texts(room), ["one", "two", "three"]);
  assert.deepEqual(room.lines.map(({ kind }) => kind), ["chat", "system", "error"]);
});

test("history replaces the lines, so that a reconnect shows nothing twice", () => {
  const room = after([
    chat("Bob", "old"),
    { type: "history", messages: [{ username: "Bob", text: "old", clientId: undefined, timestamp: 1 }] },
    chat("Bob", "new"),
  ]);
  assert.deepEqual(texts(room), ["old", "new"]);
});

test("keys rise for ever, also over a history", () => {
  const room = after([chat("Bob", "a"), { type: "history", messages: [] }, chat("Bob", "b")]);
  assert.deepEqual(room.lines.map(({ key }) => key), [1]);
});

test("only the last 500 lines are kept", () => {
  const room = after(Array.from({ length: 510 }, (_, at) => chat("Bob", String(at))));
  assert.equal(room.lines.length, 500);
  assert.equal(texts(room)[0], "10");
});

test("a line is mine by the sender's id, or by name where no id is told", () => {
  const welcomed = after([{ type: "welcome", clientId: "c1" }]);
  const room = after([chat("Ada", "a", "c1"), chat("Ada", "b", "c2"), chat("Ada", "c"), chat("Bob", "d")], welcomed);
  assert.deepEqual(room.lines.map((line) => line.kind === "chat" && line.mine), [true, false, true, false]);
});

test("typing ends when it is said, when a message comes, and after a silence", () => {
  const typing = after([{ type: "typing", user: "Bob", isTyping: true }]);
  assert.deepEqual([...typing.typists.keys()], ["Bob"]);
  assert.equal(after([{ type: "typing", user: "Bob", isTyping: false }], typing).typists.size, 0);
  assert.equal(after([chat("Bob", "hi")], typing).typists.size, 0);
  assert.equal(handleTypingTimeout(typing, 6_999), typing);
  assert.equal(handleTypingTimeout(typing, 7_000).typists.size, 0);
});

test("I am not shown that I am typing", () => {
  assert.equal(after([{ type: "typing", user: "Ada", isTyping: true }]).typists.size, 0);
});

test("presence gives people their status, and a bare user list does not take it away", () => {
  const bob = { username: "Bob", status: undefined };
  const room = after([
    { type: "userList", count: 1, users: [bob] },
    { type: "presence", list: [{ username: "Bob", status: "away" }] },
    { type: "userList", count: 1, users: [bob] },
  ]);
  assert.deepEqual(room.users, [{ username: "Bob", status: "away" }]);
});

test("the count is the server's, also when its list is shorter", () => {
  assert.equal(after([{ type: "userList", count: 5_000, users: [] }]).userCount, 5_000);
});

test("a lost line leaves the lines and nobody", () => {
  const room = handleLost(after([{ type: "userList", count: 1, users: [{ username: "Bob", status: "online" }] }, chat("Bob", "hi")]));
  assert.deepEqual(texts(room), ["hi"]);
  assert.equal(room.userCount, 0);
  assert.deepEqual(room.users, []);
});
