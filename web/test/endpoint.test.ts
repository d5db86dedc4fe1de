import assert from "node:assert/strict";
import { test } from "node:test";
import { chatPath, parseSubprotocols, roomName, webSocketUrl } from "../src/endpoint.js";

test("an endpoint is on the page's host, with the page's security and without its query", () => {
  assert.equal(webSocketUrl("http://127.0.0.1:8000/", "echo"), "ws://127.0.0.1:8000/echo");
  assert.equal(webSocketUrl("https://example.org/chat.html?room=x#y", "chat/x"), "wss://example.org/chat/x");
});

test("an endpoint stays below the prefix that a proxy put before the page", () => {
  assert.equal(webSocketUrl("https://example.org/live/index.html", "echo"), "wss://example.org/live/echo");
});

test("the general room is the endpoint itself and other names are escaped", () => {
  assert.equal(chatPath(roomName("  ")), "chat");
  assert.equal(chatPath(roomName("..")), "chat");
  assert.equal(chatPath("general"), "chat");
  assert.equal(chatPath("42"), "chat/42");
  assert.equal(chatPath("a/b ?#ü"), "chat/a%2Fb%20%3F%23%C3%BC");
});

test("subprotocols are split at commas and blanks", () => {
  assert.deepEqual(parseSubprotocols(" chat-v2, other,,third "), ["chat-v2", "other", "third"]);
  assert.deepEqual(parseSubprotocols("  "), []);
});
