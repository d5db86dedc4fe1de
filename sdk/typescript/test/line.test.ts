import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, FatalAuthError, type Status } from "../src/index.js";
import { createTestServer } from "../src/testing/index.js";
import { online, outcome, scene } from "./support.js";

test("connect resolves when the line is online, and connecting again changes nothing", async () => {
  const { client, server } = scene();
  const first = client.connect();
  const second = client.connect();
  await Promise.all([first, second]);
  await client.connect();
  assert.equal(server.lines.length, 1);
  assert.deepEqual(client.status, { state: "online", attempt: 0, clientId: "c-1", transport: "websocket" });
  client.close();
});

test("the status is the same object until something in it changes", async () => {
  const { client, clock } = await online();
  const before = client.status;
  const seen: Status[] = [];
  const stop = client.subscribeStatus((status) => seen.push(status));
  await clock.advance(1000);
  assert.equal(client.status, before);
  client.disconnect();
  assert.deepEqual(seen.map(({ state }) => state), ["stopped"]);
  assert.equal(seen[0], client.status);
  stop();
  client.close();
});

test("wrong addresses throw at once, and say what would be right", () => {
  const make = (url: string) => () => createClient({ url, environment: { base: undefined } });
  assert.throws(make("ftp://example.com/ws"), { name: "SyntaxError", message: /ws, wss, http or https/ });
  assert.throws(make("wss://example.com/ws#top"), { name: "SyntaxError", message: /fragment/ });
  assert.throws(make("wss://example.com/ws#"), { name: "SyntaxError", message: /fragment/ });
  assert.throws(make("/ws"), { name: "SyntaxError", message: /not a URL/ });
  assert.throws(make("ws://"), SyntaxError);
});

test("addresses of pages become those of lines, and without a path lead to /ws", async () => {
  for (const [url, base, address] of [
    ["https://example.com", undefined, "wss://example.com/ws"],
    ["http://example.com/a?b=c", undefined, "ws://example.com/a?b=c"],
    ["/", "https://example.com/page", "wss://example.com/ws"],
    ["live", "http://example.com/page/", "ws://example.com/page/live"],
    [new URL("ws://example.com:8000/ws"), undefined, "ws://example.com:8000/ws"],
  ] as const) {
    const { client, server } = scene({ url, environment: { base } });
    void client.connect().catch(() => {});
    assert.equal(server.line.target.url, address);
    client.close();
  }
});

test("an address that cannot be given just now is a failed attempt, not the end", async () => {
  let tries = 0;
  const url = (): Promise<string> => (++tries < 3 ? Promise.reject(new Error("no address yet")) : Promise.resolve("wss://example.com"));
  const { client, server, clock } = scene({ url });
  const connected = client.connect();
  await clock.settle();
  assert.deepEqual([client.status.state, client.status.reason], ["waiting", "no address yet"]);
  await clock.advance(5000);
  await connected;
  assert.deepEqual([tries, server.lines.length], [3, 1]);
  client.close();
});

test("a server that is not Openline is told from the others by its first message, and not tried again", async () => {
  for (const frame of ['{"type":"hello"}', "hello", "[]", new Uint8Array([1])]) {
    const { client, server, clock } = scene({}, { welcomes: false });
    const connected = outcome(client.connect());
    server.line.open();
    server.line.sendFrame(frame);
    await clock.advance(100_000);
    assert.equal(connected.code, "stopped");
    assert.match(client.status.reason!, /no Openline server.*welcome/);
    assert.equal(server.lines.length, 1);
    assert.equal(clock.timers, 0);
  }
});

test("a server that says nothing is tried again", async () => {
  const { client, server, clock } = scene({}, { welcomes: false });
  void client.connect().catch(() => {});
  server.line.open();
  await clock.advance(10_000);
  assert.equal(client.status.reason, "no answer within 10000 ms");
  assert.deepEqual(server.line.closedWith, { code: 4900 });
  await clock.advance(250);
  assert.equal(server.lines.length, 2);
  client.close();
});

test("what an earlier line still says is ignored: there is one line at a time", async () => {
  const { client, server, clock } = await online();
  const [old] = server.lines;
  const seen: unknown[] = [];
  client.on("message", (message) => void seen.push(message.type));
  old!.close();
  await clock.advance(500);
  const before = client.status;
  old!.send({ type: "news" });
  old!.close(4005);
  assert.equal(client.status, before);
  assert.deepEqual(seen, ["welcome"]);
  assert.equal(server.lines.length, 2);
  client.close();
});

test("a cut and an error of one socket lead to one new line, not to several", async () => {
  const { client, server, clock } = await online();
  server.line.close(1006);
  server.line.close(1006);
  await clock.advance(60_000);
  assert.equal(server.lines.length, 2);
  client.close();
});

test("the first delay after a cut is random too, over what the server said", async () => {
  const { client, server } = await online({}, { welcome: { retrySpread: 4200 } });
  server.line.close();
  assert.equal(client.status.delay, 2100);
  client.close();
});

test("a close message says when to come back", async () => {
  const { client, server, clock } = await online();
  server.line.send({ type: "close", code: 1013, reason: "overloaded", retryAfter: 60_000 });
  server.line.close(1013, "overloaded");
  assert.equal(client.status.delay, 60_500);
  assert.equal(client.status.retryAt, clock.now() + 60_500);
  client.close();
});

test("a line that goes silent is found out, and its socket is not waited for", async () => {
  const { client, server, clock } = await online({}, { pongs: false, welcome: { pingInterval: 20_000 } });
  await clock.advance(20_000);
  assert.deepEqual(server.line.received.at(-1), { type: "ping" });
  assert.equal(client.status.state, "probing");
  await clock.advance(10_000);
  assert.deepEqual(server.line.closedWith, { code: 4900 });
  await clock.advance(500);
  assert.equal(client.status.state, "online");
  assert.equal(server.lines.length, 2);
  client.close();
});

test("a page that is shown again asks a line that may be dead, and gives it up soon", async () => {
  const { client, server, clock, page } = await online({}, { pongs: false });
  page.tell("wake");
  assert.equal(client.status.state, "probing");
  server.line.send({ type: "pong" });
  assert.equal(client.status.state, "online");
  page.tell("wake");
  await clock.advance(4_000);
  assert.equal(client.status.reason, "nothing heard for 4000 ms");
  client.close();
});

test("that the network has gone has an open line asked, and leaves the next attempt for its return", async () => {
  const { client, server, clock, page } = await online();
  page.tell("doubt");
  assert.equal(client.status.state, "probing");
  await clock.advance(0);
  assert.equal(client.status.state, "online");
  server.line.close(1011);
  assert.equal(client.status.state, "waiting");
  page.tell("doubt");
  assert.equal(client.status.state, "waiting");
  page.tell("wake");
  assert.equal(client.status.state, "connecting");
  client.close();
});

test("what is shown again does not connect a client that the application has stopped", async () => {
  const { client, server, clock, page } = await online();
  client.disconnect();
  page.tell("wake");
  page.tell("thaw");
  await clock.advance(100_000);
  assert.equal(server.lines.length, 1);
  assert.equal(client.status.state, "stopped");
  client.close();
});

test("a page that is put away closes its line, and has a new one as soon as it is back", async () => {
  const { client, server, clock, page } = await online();
  page.tell("freeze");
  assert.deepEqual(server.line.closedWith, { code: 1001 });
  assert.equal(client.status.retryAt, undefined);
  await clock.advance(1_000_000);
  assert.equal(server.lines.length, 1);
  page.tell("thaw");
  await clock.settle();
  assert.equal(client.status.state, "online");
  client.close();
});

test("nobody listens to the page before connect, twice, or after the end", async () => {
  const { client, page, clock } = scene();
  assert.equal(page.listeners, 0);
  await client.connect();
  assert.equal(page.listeners, 1);
  client.disconnect();
  assert.equal(page.listeners, 0);
  await client.connect();
  assert.equal(page.listeners, 1);
  client.close();
  assert.equal(page.listeners, 0);
  assert.equal(clock.timers, 0);
});

test("a thousand clients that come and go leave nothing behind", async () => {
  const { clock, page, server } = scene();
  for (let i = 0; i < 1000; i++) {
    const client = createClient({ url: "ws://test", transports: [server.transport], environment: { ...clock, page } });
    await client.connect();
    client.close();
  }
  assert.deepEqual([page.listeners, clock.timers], [0, 0]);
});

test("a token is asked for on every way to a line, and told why", async () => {
  const asked: string[] = [];
  const answer = ({ type, token }: any) => (type === "auth" ? { type: "auth_success", clientId: "c", user: token } : undefined);
  const { client, server, clock, page } = scene({ auth: async ({ why }) => `${why} ${asked.push(why)}` }, { answer });
  await client.connect();
  assert.equal(client.status.user, "connect 1");
  server.line.close(4000, "expired");
  await clock.settle();
  assert.equal(client.status.user, "expired 2");
  page.tell("freeze");
  page.tell("thaw");
  await clock.settle();
  assert.equal(client.status.user, "connect 3");
  server.line.send({ type: "auth_success", clientId: "c", expiresAt: clock.now() + 100_000 });
  await clock.advance(90_000);
  assert.deepEqual(asked.slice(3), ["refresh"]);
  assert.deepEqual(server.line.received.at(-1), { type: "auth", token: "refresh 4" });
  client.close();
});

test("a server that calls every token expired is not asked in a loop", async () => {
  const { client, server, clock } = scene({ auth: () => "old" }, { answer: ({ type }) => (type === "auth" ? { type: "auth_failed", code: "token_expired", reason: "old" } : undefined) });
  void client.connect().catch(() => {});
  await clock.advance(10_000);
  assert.ok(server.lines.length >= 3 && server.lines.length < 10, `${server.lines.length} lines within 10 s`);
  client.close();
});

test("a token that cannot be had is asked for again; FatalAuthError ends it", async () => {
  let tries = 0;
  const { client, server, clock, errors } = scene({
    auth: () => {
      throw ++tries < 3 ? new Error("the login server does not answer") : new FatalAuthError("logged out");
    },
  });
  const connected = outcome(client.connect());
  await clock.advance(100_000);
  assert.deepEqual([tries, connected.code, client.status.reason], [3, "stopped", "logged out"]);
  assert.deepEqual(errors.map(({ code }) => code), ["auth_failed", "auth_failed", "auth_failed"]);
  assert.equal(server.lines.length, 0);
});

test("a token that nobody waits for any more is told so, and opens nothing", async () => {
  let signal: AbortSignal | undefined;
  let give!: (token: string) => void;
  const { client, server, clock } = scene({ auth: (cx) => ((signal = cx.signal), new Promise((resolve) => (give = resolve))) });
  void client.connect().catch(() => {});
  await clock.settle();
  client.disconnect();
  assert.equal(signal!.aborted, true);
  give("late");
  await clock.settle();
  assert.equal(server.lines.length, 0);
  client.close();
});

test("waiting for connect can be given up; the client goes on", async () => {
  const { client, server } = scene({}, { welcomes: false });
  const abort = new AbortController();
  const connected = client.connect({ signal: abort.signal });
  abort.abort();
  await assert.rejects(connected, { code: "aborted" });
  assert.equal(client.status.state, "connecting");
  assert.equal(server.line.closedWith, undefined);
  client.close();
});

test("after so many failures the client stops and says so once", async () => {
  const { client, server, clock } = scene({ backoff: { attemptsMax: 2 } }, { welcomes: false });
  const told: unknown[] = [];
  client.on("maxRetriesReached", (event) => void told.push(event));
  const connected = outcome(client.connect());
  for (let i = 0; i < 3; i++) {
    server.line.close();
    await clock.advance(30_000);
  }
  assert.deepEqual(told, [{ attempts: 2 }]);
  assert.equal(connected.code, "stopped");
  assert.equal(server.lines.length, 3);
  // Nothing is stuck: the application can start it again.
  void client.connect().catch(() => {});
  assert.equal(server.lines.length, 4);
  client.close();
});

test("events say what happened, after it has", async () => {
  const { client, server, clock } = scene();
  const told: unknown[] = [];
  for (const type of ["connected", "disconnected", "reconnecting"] as const) {
    client.on(type, (event: object) => void told.push([type, event, client.status.state]));
  }
  await client.connect();
  server.line.close(1012, "restart");
  await clock.advance(500);
  client.disconnect();
  assert.deepEqual(told, [
    ["connected", { clientId: "c-1", reconnected: false }, "online"],
    ["disconnected", { code: 1012, reason: "restart", willRetry: true }, "waiting"],
    ["reconnecting", { attempt: 1, delay: 500 }, "waiting"],
    ["connected", { clientId: "c-2", reconnected: true }, "online"],
    ["disconnected", { code: 1000, reason: "stopped by the application", willRetry: false }, "stopped"],
  ]);
  client.close();
});

test("a handler that calls the client while it is told something leaves nothing stuck", async () => {
  const { client, server, clock } = await online();
  const states: string[] = [];
  client.on("status", ({ state }) => {
    states.push(state);
    if (state === "waiting") {
      client.disconnect();
      void client.connect();
    }
  });
  server.line.close();
  await clock.advance(1_000);
  assert.deepEqual(states, ["waiting", "stopped", "connecting", "online"]);
  client.close();
});

test("a handler that throws is reported and stops neither others nor the line", async () => {
  const { client, server, clock, errors, reported } = await online();
  const seen: unknown[] = [];
  client.on("news", () => {
    throw new Error("mistake");
  });
  client.on("news", async () => Promise.reject(new Error("late mistake")));
  client.on("news", (data) => void seen.push(data));
  client.subscribeStatus(() => {
    throw new Error("mistake of a listener");
  });
  server.line.send({ type: "news", data: 1 });
  await clock.settle();
  server.line.send({ type: "news", data: 2 });
  await clock.settle();
  assert.deepEqual(seen, [1, 2]);
  assert.deepEqual(errors.map(({ code, cause }) => [code, (cause as Error).message]), [
    ["handler", "mistake"],
    ["handler", "late mistake"],
    ["handler", "mistake"],
    ["handler", "late mistake"],
  ]);
  client.off("error");
  server.line.send({ type: "news", data: 3 });
  await clock.settle();
  assert.equal(reported.length, 2);
  assert.equal(client.status.state, "online");
  client.close();
});

test("a frame that is not a message ends its line: the next one recovers what was in it", async () => {
  const { client, server, clock, errors } = await online();
  server.line.sendFrame("{");
  assert.equal(errors[0]!.code, "bad_message");
  assert.equal(client.status.state, "waiting");
  await clock.advance(500);
  assert.equal(client.status.state, "online");
  client.close();
});

test("what the server pushes by the name of one of the client's own events is told by message alone, once", async () => {
  const { client, server } = await online();
  const told: unknown[] = [];
  client.on("message", (message) => void told.push(message));
  client.on("connected", (event) => void told.push(event));
  client.on("status", (event) => void told.push(event));
  const pushed = [{ type: "connected", data: 1 }, { type: "status", data: 2 }, { type: "message", channel: "user:ann", data: 3 }];
  pushed.forEach((message) => server.line.send(message));
  assert.deepEqual(told, pushed);
  client.close();
});

test("a request of the server is answered with what the handler returns", async () => {
  const { client, server } = await online();
  client.on("ask", async (data) => data + 1);
  client.on("fail", () => {
    throw new Error("not today");
  });
  server.line.send({ type: "ask", id: "s-1", data: 41 });
  assert.deepEqual(await server.line.take(), { type: "ask", id: "s-1", data: 42 });
  server.line.send({ type: "fail", id: "s-2" });
  assert.deepEqual(await server.line.take(), { type: "error", id: "s-2", code: "rejected", error: "not today", message: "not today" });
  server.line.send({ type: "nobody", id: "s-3" });
  assert.equal((await server.line.take())["code"], "unknown_type");
  client.close();
});

test("without any transport that works here the client stops and says what is missing", async () => {
  const server = createTestServer();
  const { client } = scene({ transports: [{ ...server.transport, supported: () => false }] });
  await assert.rejects(client.connect(), { code: "stopped", message: /environment\.WebSocket/ });
});

test("timers that are set for longer than timers can be do not fire at once", async () => {
  const { client, clock, server } = await online({ heartbeat: { interval: 2 ** 40 } });
  await clock.advance(2 ** 31);
  assert.equal(client.status.state, "online");
  assert.equal(server.line.received.length, 0);
  client.close();
});
