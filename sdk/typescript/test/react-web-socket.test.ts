import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import type { UseWebSocketOptions, WebSocketView } from "../src/react/index.js";
import { installPage } from "./react-fakes.js";

installPage();
const { StrictMode, act, createElement } = await import("react");
const { createRoot } = await import("react-dom/client");
const { renderToString } = await import("react-dom/server");
const { useWebSocket } = await import("../src/react/index.js");

/** A socket that the test opens, feeds and closes. */
class FakeSocket {
  static all: FakeSocket[] = [];
  readyState = 0;
  sent: unknown[] = [];
  closed: number | undefined;
  onopen: ((event: unknown) => void) | null = null;
  onmessage: ((event: unknown) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  onclose: ((event: unknown) => void) | null = null;

  constructor(url: string) {
    new URL(url);
    FakeSocket.all.push(this);
  }

  send(message: unknown): void {
    this.sent.push(message);
  }

  close(code: number): void {
    this.closed = code;
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.({});
  }

  end(code: number): void {
    this.readyState = 3;
    if (code === 1006) {
      this.onerror?.({});
    }
    this.onclose?.({ code });
  }
}

const sockets = () => FakeSocket.all;
const newest = () => FakeSocket.all.at(-1)!;
let view: WebSocketView<unknown>;
let host: HTMLElement;
let unmount: () => Promise<void>;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  Object.assign(globalThis, { WebSocket: FakeSocket });
  FakeSocket.all = [];
  host = document.createElement("div");
});
afterEach(() => mock.timers.reset());

async function mount(options: UseWebSocketOptions = {}, url: string | null = "ws://server.test/"): Promise<void> {
  const root = createRoot(host);
  unmount = () => act(async () => root.unmount());
  const component = () => {
    view = useWebSocket(url, options);
    return `${view.status} ${JSON.stringify(view.lastMessage)}`;
  };
  await act(async () => root.render(createElement(StrictMode, null, createElement(component))));
}

const later = (ms: number) => act(async () => mock.timers.tick(ms));

test("one socket is opened in StrictMode, and closed with 1000 when the component goes", async () => {
  await mount();
  assert.equal(sockets().length, 1);
  assert.equal(host.textContent, "connecting null");
  await act(async () => newest().open());
  assert.equal(host.textContent, "connected null");
  await unmount();
  assert.equal(newest().closed, 1000);
  await later(60_000);
  assert.equal(sockets().length, 1);
});

test("messages are parsed as JSON, else raw, and every one of a burst is told", async () => {
  const told: unknown[] = [];
  await mount({ onMessage: (message) => told.push(message) });
  await act(async () => {
    newest().open();
    for (const data of ['{"n":1}', "not json", "2"]) {
      newest().onmessage?.({ data });
    }
  });
  assert.deepEqual(told, [{ n: 1 }, "not json", 2]);
  assert.equal(host.textContent, "connected 2");
});

test("a lost connection is opened again every three seconds, five times", async () => {
  const codes: number[] = [];
  await mount({ onClose: ({ code }) => codes.push(code) });
  for (let retry = 1; retry <= 5; retry += 1) {
    await act(async () => newest().end(1006));
    assert.equal(host.textContent, "error null");
    await later(2_999);
    assert.equal(sockets().length, retry);
    await later(1);
    assert.equal(sockets().length, retry + 1);
    assert.equal(host.textContent, "connecting null");
  }
  await act(async () => newest().end(1006));
  await later(60_000);
  assert.equal(sockets().length, 6);
  assert.equal(host.textContent, "error null");
  assert.deepEqual(codes, [1006, 1006, 1006, 1006, 1006, 1006]);
});

test("an opened connection counts its retries anew", async () => {
  await mount({ maxRetries: 1 });
  for (let n = 0; n < 4; n += 1) {
    await act(async () => newest().open());
    await act(async () => newest().end(1012));
    assert.equal(host.textContent, "disconnected null");
    await later(3_000);
  }
  assert.equal(sockets().length, 5);
});

test("1000 is not retried", async () => {
  await mount();
  await act(async () => newest().open());
  await act(async () => newest().end(1000));
  await later(60_000);
  assert.equal(sockets().length, 1);
  assert.equal(host.textContent, "disconnected null");
});

test("without reconnect nothing is retried", async () => {
  await mount({ reconnect: false });
  await act(async () => newest().end(1006));
  await later(60_000);
  assert.equal(sockets().length, 1);
});

test("send writes text as it is and all else as JSON, and says no while nothing is open", async () => {
  await mount();
  assert.equal(view.send("early"), false);
  const { send } = view;
  await act(async () => newest().open());
  assert.equal(view.send, send);
  assert.equal(send("text"), true);
  assert.equal(send({ type: "chat" }), true);
  const bytes = new Uint8Array(2);
  send(bytes);
  assert.deepEqual(newest().sent, ["text", '{"type":"chat"}', bytes]);
});

test("a wrong address is reported and not retried", async () => {
  const reported: unknown[] = [];
  Object.assign(globalThis, { reportError: (error: unknown) => reported.push(error) });
  await mount({}, "not an address");
  await later(60_000);
  assert.equal(host.textContent, "error null");
  assert.equal(reported.length, 1);
});

test("null opens nothing, and neither does the server", async () => {
  await mount({}, null);
  assert.equal(host.textContent, "disconnected null");
  assert.equal(renderToString(createElement(() => useWebSocket("ws://server.test/").status)), "connecting");
  assert.equal(sockets().length, 0);
});
