import assert from "node:assert/strict";
import { test } from "node:test";

import { json } from "../src/codec/json.js";
import { environment } from "../src/environment.js";
import { longPoll } from "../src/transport/long-poll.js";
import { sse } from "../src/transport/sse.js";
import type { Transport, TransportFactory } from "../src/transport/transport.js";
import { VirtualClock } from "./virtual-clock.js";

const WELCOME = '{"type":"welcome","session":"s1"}';

/** A server that does what the test says, and a line to it. */
class Exchange {
  readonly clock = new VirtualClock();
  readonly log: string[] = [];
  readonly asked: { url: string; method: string; headers: Record<string, string>; body: unknown }[] = [];
  readonly line: Transport;
  /** Answers a POST. */
  post: (body: any) => Response | Promise<Response> = () => new Response(null, { status: 204 });
  private stream: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(factory: TransportFactory, get?: (url: URL) => Response | Promise<Response>, at: object = {}) {
    const { now, setTimeout, clearTimeout } = this.clock;
    const fake = async (url: URL, { method = "GET", headers, body, signal }: any): Promise<Response> => {
      this.asked.push({ url: `${url.pathname}${url.search}`, method, headers, body });
      signal.addEventListener("abort", () => this.log.push("aborted"), { once: true });
      if (method === "POST") {
        return this.post(JSON.parse(body));
      }
      return get ? get(url) : this.events();
    };
    this.line = factory.open(
      { url: "wss://example.com/a/ws?tenant=1", codec: json(), environment: environment({ now, setTimeout, clearTimeout, fetch: fake as never }), resume: new Map(), ...at },
      {
        onopen: () => this.log.push("open"),
        onmessage: (frame) => this.log.push(String(frame)),
        onclose: ({ code, reason, wasClean }) => this.log.push(`close ${code} ${wasClean} ${reason}`),
      },
    );
  }

  push(text: string): void {
    this.stream!.enqueue(new TextEncoder().encode(text));
  }

  end(): void {
    this.stream!.close();
  }

  /** Lets what waits happen. */
  settle(): Promise<void> {
    return this.clock.pass(0);
  }

  private events(): Response {
    const body = new ReadableStream<Uint8Array>({ start: (stream) => void (this.stream = stream) });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }
}

test("a stream is asked for beside the WebSocket's address, with the token in a header", async () => {
  const exchange = new Exchange(sse(), undefined, { token: "t1" });
  await exchange.settle();
  assert.equal(exchange.asked[0]!.url, "/a/sse?tenant=1&channels=");
  assert.equal(exchange.asked[0]!.headers["authorization"], "Bearer t1");
  assert.deepEqual(exchange.log, ["open"]);
});

test("what is sent waits for the session, and goes one after the other", async () => {
  const exchange = new Exchange(sse());
  let underWay = 0;
  const bodies: number[] = [];
  exchange.post = async ({ id }) => {
    assert.equal(++underWay, 1);
    await new Promise((resolve) => setImmediate(resolve));
    underWay--;
    bodies.push(id);
    return new Response(`{"type":"pong","id":${id}}`);
  };
  const frames = [1, 2, 3].map((id) => JSON.stringify({ type: "ping", id }));
  frames.forEach((frame) => exchange.line.send(frame));
  await exchange.settle();
  assert.equal(exchange.asked.length, 1);
  assert.equal(exchange.line.bufferedAmount, frames.join("").length);
  exchange.push(`data: ${WELCOME}\n\n`);
  await exchange.clock.pass(1);
  await exchange.clock.pass(1);
  while (bodies.length < 3) {
    await exchange.settle();
  }
  await exchange.settle();
  assert.deepEqual(bodies, [1, 2, 3]);
  assert.equal(exchange.asked[1]!.headers["openline-session"], "s1");
  assert.equal(exchange.line.bufferedAmount, 0);
  assert.deepEqual(exchange.log.slice(2), [1, 2, 3].map((id) => `{"type":"pong","id":${id}}`));
});

test("more than may wait ends the line", async () => {
  const exchange = new Exchange(sse());
  for (let n = 0; n < 5_000; n++) {
    exchange.line.send("{}");
  }
  await exchange.settle();
  assert.deepEqual(exchange.log, ["aborted", "close 1006 false more is sent than the line takes"]);
});

test("a refusal by HTTP ends the line with the code that it has on a WebSocket", async () => {
  const refused = (status: number, code?: string, headers = {}): Response => new Response(code && JSON.stringify({ error: { code, message: "why" } }), { status, headers });
  const table: [Response, RegExp][] = [
    [refused(401, "token_expired"), /^close 4000 false why/],
    [refused(401, "auth_failed"), /^close 4002 false why/],
    [refused(403, "auth_failed"), /^close 4002/],
    [refused(401, "unauthorized"), /^close 4007/],
    [refused(403, "origin_not_allowed"), /^close 1008 false why/],
    [refused(400, "bad_request"), /^close 1008/],
    [refused(404, "unknown_session"), /^close 1006/],
    [refused(503, "shutting_down"), /^close 1013/],
    [refused(429), /^close 1013/],
    [refused(403), /^close 1006 .*answered with 403/],
    [refused(404), /^close 1006/],
    [refused(502), /^close 1006/],
  ];
  for (const factory of [sse(), longPoll()]) {
    for (const [response, expected] of table) {
      const exchange = new Exchange(factory, () => response.clone());
      await exchange.settle();
      assert.match(exchange.log.filter((what) => what !== "aborted").join("\n"), expected);
      assert.equal(exchange.clock.pending, 0);
    }
    const later = new Exchange(factory, () => refused(503, "overloaded", { "retry-after": "7" }));
    await later.settle();
    assert.deepEqual(later.log.filter((what) => what !== "aborted"), ['{"type":"close","code":1013,"reason":"why","retryAfter":7000}', "close 1013 false why"]);
  }
});

test("a server that stops says on a stream and in a poll when to come back", async () => {
  const close = '{"type":"close","code":1012,"reason":"server stops","retryAfter":1200}';
  const stream = new Exchange(sse());
  await stream.settle();
  stream.push(`retry: 1500\n\ndata: ${WELCOME}\n\n`);
  // What a browser's EventSource would wait has a chance in it; a client of ours draws its own.
  stream.push(`retry: 1900\ndata: ${close}\n\n`);
  await stream.settle();
  const polls = [`{"messages":[${WELCOME}],"position":"p1","session":"s1"}`, `{"messages":[${close}],"position":"p1"}`];
  const poll = new Exchange(longPoll(), () => new Response(polls.shift()));
  await poll.settle();
  for (const { log, clock } of [stream, poll]) {
    assert.deepEqual(log.filter((what) => what !== "aborted"), ["open", WELCOME, close, "close 1012 true server stops"]);
    assert.equal(clock.pending, 0);
  }
});

test("what cannot be reached, is no stream, or ends, is a line that was lost", async () => {
  const html = new Exchange(sse(), () => new Response("<p>Log in", { headers: { "content-type": "text/html" } }));
  const none = new Exchange(sse(), () => Promise.reject(new TypeError("fetch failed")));
  const ended = new Exchange(sse());
  await ended.settle();
  ended.end();
  await ended.settle();
  assert.match(html.log.at(-1)!, /^close 1006 false .*text\/html/);
  assert.match(none.log.at(-1)!, /^close 1006 false .*fetch failed/);
  assert.deepEqual([ended.log[0], ended.log.at(-1)], ["open", "close 1006 false the stream ended"]);
});

test("a stream that says nothing for 40 s is dead, and a comment is a sign of life", async () => {
  const exchange = new Exchange(sse());
  await exchange.clock.pass(30_000);
  exchange.push(":\n\n");
  await exchange.clock.pass(39_000);
  assert.deepEqual(exchange.log, ["open"]);
  await exchange.clock.pass(1_001);
  assert.match(exchange.log.at(-1)!, /^close 1006 false nothing came for 40 s/);
  assert.equal(exchange.clock.pending, 0);
});

test("`close` is passed on, and ends the line with its code", async () => {
  const exchange = new Exchange(sse());
  await exchange.settle();
  const close = '{"type":"close","code":4005,"reason":"kicked"}';
  exchange.push(`data: ${WELCOME}\n\ndata: ${close}\n\ndata: {"type":"late"}\n\n`);
  await exchange.settle();
  assert.deepEqual(exchange.log, ["open", WELCOME, close, "aborted", "close 4005 true kicked"]);
});

test("a line that was closed says nothing more", async () => {
  const exchange = new Exchange(sse());
  await exchange.settle();
  exchange.push(`data: ${WELCOME}\n\n`);
  await exchange.settle();
  exchange.line.close();
  exchange.line.send("{}");
  await exchange.clock.pass(60_000);
  assert.deepEqual(exchange.log, ["open", WELCOME, "aborted"]);
  assert.equal(exchange.asked.length, 1);
});

test("an error about one message leaves the line alone; the loss of the session ends it", async () => {
  const exchange = new Exchange(sse());
  await exchange.settle();
  exchange.push(`data: ${WELCOME}\n\n`);
  exchange.post = () => new Response('{"error":{"code":"too_large","message":"why"}}', { status: 413 });
  exchange.line.send('{"type":"publish","id":4}');
  await exchange.settle();
  assert.deepEqual(JSON.parse(exchange.log.at(-1)!), { type: "error", id: 4, code: "too_large", error: "why", message: "why" });
  exchange.post = () => new Response('{"type":"error","id":5,"code":"unknown_session","error":"gone","message":"gone"}', { status: 404 });
  exchange.line.send('{"type":"subscribe","id":5}');
  await exchange.settle();
  assert.equal(exchange.log.at(-1), "close 1006 false gone");
});

test("polls bring the position and the session of the answer before, and a new session is a lost line", async () => {
  const answers = [
    { messages: [JSON.parse(WELCOME)], position: "", session: "s1" },
    { messages: [{ type: "a" }, { type: "b" }], position: "p1", session: "s1" },
    { messages: [], position: "p1", session: "s1" },
    { messages: [{ type: "c" }], position: "p2", session: "s2" },
  ];
  const exchange = new Exchange(longPoll(), () => Response.json(answers.shift()));
  for (let n = 0; n < 8; n++) {
    await exchange.settle();
  }
  assert.deepEqual(exchange.log.filter((what) => what !== "aborted"), ["open", WELCOME, '{"type":"a"}', '{"type":"b"}', "close 1006 false the session was lost"]);
  assert.deepEqual(exchange.asked.map(({ url }) => url), ["", "&position=", "&position=p1", "&position=p1"].map((position) => `/a/poll?tenant=1&channels=${position}`));
  assert.equal(exchange.asked[1]!.headers["openline-session"], "s1");
});
