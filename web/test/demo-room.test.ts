import assert from "node:assert/strict";
import { test } from "node:test";
import { channelOf, Room, titleOf, typingText } from "../src/demo/room.js";

const ann = { tab: "a", name: "Ann", hue: 1 };
const said = (id: string, text: string, tab = "b", name = "Bob") => ({ id, tab, name, text });

function texts(room: Room): string[] {
  return room.entries.map((entry) => (entry.kind === "chat" ? `${entry.state}: ${entry.text}` : entry.text));
}

test("what is sent is pending until the server has it, and stays behind what is settled", () => {
  const room = new Room("chat:lobby", "a");
  assert.deepEqual(room.handleSubmit("  one ", ann, "1", 10), said("1", "one", "a", "Ann"));
  room.handleSubmit("two", ann, "2", 11);
  room.handlePublication(said("9", "hello"), 12, false);
  assert.deepEqual(texts(room), ["delivered: hello", "pending: one", "pending: two"]);
  assert.equal(room.pendingCount, 2);
  room.handlePublication(said("1", "one", "a", "Ann"), 13, false);
  room.handleDelivered("2", 14);
  assert.deepEqual(texts(room), ["delivered: hello", "delivered: one", "delivered: two"]);
});

test("a message is shown once, whether its publication or its answer comes first", () => {
  const room = new Room("chat:lobby", "a");
  room.handleSubmit("one", ann, "1", 10);
  room.handleDelivered("1", 12);
  room.handlePublication(said("1", "one", "a", "Ann"), 12, false);
  room.handleSubmit("two", ann, "2", 20);
  room.handlePublication(said("2", "two", "a", "Ann"), 21, false);
  room.handleDelivered("2", 21);
  room.handlePublication(said("2", "two", "a", "Ann"), 21, true);
  assert.deepEqual(texts(room), ["delivered: one", "delivered: two"]);
});

test("what could not be sent says so and does not vanish", () => {
  const room = new Room("chat:lobby", "a");
  room.handleSubmit("one", ann, "1", 10);
  room.handleFailed("1");
  assert.deepEqual(texts(room), ["failed: one"]);
  assert.equal(room.pendingCount, 0);
});

test("blank text is nothing to send, long text is cut", () => {
  const room = new Room("chat:lobby", "a");
  assert.equal(room.handleSubmit("  \n ", ann, "1", 10), undefined);
  assert.equal(room.handleSubmit("x".repeat(5_000), ann, "2", 10)?.text.length, 1_000);
});

test("payloads of others that are no messages are left out", () => {
  const room = new Room("chat:lobby", "a");
  for (const data of [null, 7, "hi", {}, { id: "1", tab: "b", name: "B" }, { id: 1, tab: "b", name: "B", text: "x" }]) {
    room.handlePublication(data, 1, false);
  }
  assert.deepEqual(room.entries, []);
});

test("messages of others count as unread until they are read; one's own do not", () => {
  const room = new Room("chat:lobby", "a");
  room.handlePublication(said("1", "x"), 1, false);
  room.handlePublication(said("2", "y", "a", "Ann"), 2, false);
  assert.equal(room.unread, 1);
  room.handleRead();
  assert.equal(room.unread, 0);
});

test("typing ends by word, by a message, and by itself after six seconds", () => {
  const room = new Room("chat:lobby", "a");
  room.handleTyping("c1", true, 0);
  room.handleTyping("c2", true, 0);
  room.handleTyping("c3", true, 1_000);
  assert.deepEqual(room.typing(100), ["c1", "c2", "c3"]);
  room.handleTyping("c1", false, 200);
  room.handlePublication(said("1", "x"), 300, false, "c2");
  assert.deepEqual(room.typing(6_500), ["c3"]);
  assert.deepEqual(room.typing(7_000), []);
});

test("a conversation keeps its newest 300 entries", () => {
  const room = new Room("chat:lobby", "a");
  for (let at = 0; at < 400; at += 1) {
    room.handlePublication(said(String(at), `message ${at}`), at, false);
  }
  assert.equal(room.entries.length, 300);
  assert.equal(texts(room)[0], "delivered: message 100");
});

test("names of rooms become channels", () => {
  assert.equal(channelOf(" #Rust "), "chat:rust");
  assert.equal(channelOf("two words"), "chat:two-words");
  assert.equal(channelOf("a:b\u0000c"), "chat:a-b-c");
  assert.equal(channelOf("  "), undefined);
  assert.equal(channelOf("#"), undefined);
  assert.equal(channelOf("ü".repeat(60)), `chat:${"ü".repeat(40)}`);
  assert.equal(titleOf("chat:rust"), "rust");
});

test("who types is one sentence", () => {
  assert.equal(typingText([]), "");
  assert.equal(typingText(["Ann"]), "Ann is typing");
  assert.equal(typingText(["Ann", "Bob"]), "Ann and Bob are typing");
  assert.equal(typingText(["a", "b", "c"]), "3 people are typing");
});
