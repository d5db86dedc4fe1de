import assert from "node:assert/strict";
import { test } from "node:test";
import { LineCutter, type Frame } from "../src/demo/line-cutter.js";

/** Node 20 has no CloseEvent of its own. */
class CloseEventLike extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;

  constructor(type: string, { code = 0, reason = "", wasClean = false }: CloseEventInit = {}) {
    super(type);
    this.code = code;
    this.reason = reason;
    this.wasClean = wasClean;
  }
}

const made: NativeLike[] = [];

class NativeLike extends EventTarget {
  readyState = 0;
  bufferedAmount = 0;
  protocol = "";
  extensions = "";
  binaryType = "blob";
  readonly url: string;
  readonly sent: unknown[] = [];
  isClosed = false;

  constructor(url: string) {
    super();
    this.url = url;
    made.push(this);
  }

  open(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  message(data: string): void {
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(): void {
    this.isClosed = true;
    this.readyState = 3;
  }
}

function setUp(fetchLike?: typeof fetch) {
  globalThis.CloseEvent ??= CloseEventLike as unknown as typeof CloseEvent;
  made.length = 0;
  const frames: Frame[] = [];
  const cutter = new LineCutter({
    WebSocket: NativeLike as unknown as typeof WebSocket,
    fetch: fetchLike ?? (() => Promise.reject(new Error("not asked for"))),
    onFrame: (frame) => frames.push(frame),
  });
  return { cutter, frames };
}

function open(cutter: LineCutter) {
  const told: string[] = [];
  const socket = new cutter.WebSocket("ws://here/ws");
  socket.onopen = () => told.push("open");
  socket.onmessage = ({ data }) => told.push(`message ${data}`);
  socket.onerror = () => told.push("error");
  socket.onclose = ({ code, wasClean }) => told.push(`close ${code} ${wasClean}`);
  return { socket, told, native: made.at(-1) };
}

test("while it is whole, a socket is the browser's own", () => {
  const { cutter, frames } = setUp();
  const { socket, told, native } = open(cutter);
  assert.equal(socket.readyState, socket.CONNECTING);
  native?.open();
  socket.send("hi");
  native?.message("ho");
  assert.deepEqual(native?.sent, ["hi"]);
  assert.deepEqual(told, ["open", "message ho"]);
  assert.deepEqual(frames.map(({ direction, data }) => [direction, data]), [["out", "hi"], ["in", "ho"]]);
});

test("a cut ends what is open with 1006, and nothing more is heard", () => {
  const { cutter } = setUp();
  const { socket, told, native } = open(cutter);
  native?.open();
  cutter.cut();
  native?.message("late");
  native?.dispatchEvent(new Event("close"));
  socket.send("too late");
  assert.deepEqual(told, ["open", "error", "close 1006 false"]);
  assert.equal(socket.readyState, socket.CLOSED);
  assert.equal(native?.isClosed, true);
  assert.deepEqual(native?.sent, []);
});

test("while it is cut no socket is made, and an attempt fails after a moment", async () => {
  const { cutter } = setUp();
  cutter.cut();
  const { socket, told } = open(cutter);
  assert.equal(made.length, 0);
  assert.deepEqual(told, []);
  await new Promise((resolve) => socket.addEventListener("close", resolve));
  assert.deepEqual(told, ["error", "close 1006 false"]);
  cutter.mend();
  open(cutter);
  assert.equal(made.length, 1);
});

test("requests fail while it is cut, those under way too", async () => {
  const { cutter } = setUp((_, init) => new Promise((_resolve, reject) => {
    init?.signal?.addEventListener("abort", () => reject(new Error("aborted")));
  }));
  const under = cutter.fetch("http://here/");
  cutter.cut();
  await assert.rejects(under, TypeError);
  await assert.rejects(cutter.fetch("http://here/"), TypeError);
});
