import assert from "node:assert/strict";
import { test } from "node:test";
import { ReconnectingWebSocket, type Address, type ReconnectingWebSocketOptions } from "../src/websocket/index.js";
import { Bench } from "./websocket/fakes.js";

const URL = "ws://server/";
const KINDS = ["open", "message", "error", "close", "reconnecting", "maxretriesreached"];

/** A drop-in on a bench, and the list of what it said. */
function setUp(options: ReconnectingWebSocketOptions = {}, address: Address = URL) {
  const bench = new Bench();
  const socket = new ReconnectingWebSocket(address, undefined, { ...options, environment: bench.environment });
  const said: unknown[][] = [];
  for (const kind of KINDS) {
    socket.addEventListener(kind, (event) => {
      const { attempt, delay, code, wasClean, data, attempts } = event as unknown as Record<string, unknown>;
      said.push([kind, ...[attempt, delay, code, wasClean, data, attempts].filter((value) => value !== undefined)]);
    });
  }
  return { bench, clock: bench.clock, socket, said };
}

/** Its type takes the place of a `WebSocket`. */
export const asStandard = (socket: ReconnectingWebSocket): WebSocket => socket;

test("open fires for each line, reconnecting for each loss, close once at the end", async () => {
  const { bench, clock, socket, said } = setUp();
  bench.socket.accept();
  bench.socket.end(1011);
  assert.equal(socket.readyState, 0);
  await clock.pass(499);
  assert.equal(bench.sockets.length, 1);
  await clock.pass(1);
  bench.socket.accept();
  bench.socket.end(1000);
  assert.deepEqual(said, [["open"], ["reconnecting", 1, 500, 1011], ["open"], ["close", 1000, true]]);
  assert.equal(socket.readyState, 3);
  await clock.pass(600_000);
  assert.equal(bench.sockets.length, 2);
});

test("delays grow to their bound, and chance comes after it", async () => {
  const { bench, clock, said } = setUp({ reconnectDelay: 1_000, maxReconnectDelay: 4_000 });
  const chances = [0.999, 0.5, 0.25, 0.999, 0.1, 0.5];
  for (const chance of chances) {
    bench.chance = chance;
    bench.socket.end(1006);
    await clock.pass(4_000);
  }
  assert.deepEqual(
    said.map(([, , delay]) => delay),
    [499, 500, 500, 3996, 400, 2000],
  );
});

for (const code of [1000, 1002, 1003, 1007, 1008, 1009, 1010, 4001, 4002, 4005]) {
  test(`the server's ${code} ends it`, async () => {
    const { bench, clock, said } = setUp();
    bench.socket.accept();
    bench.socket.end(code);
    assert.deepEqual(said, [["open"], ["close", code, true]]);
    assert.equal(clock.pending, 0);
  });
}

for (const code of [1001, 1005, 1006, 1011, 1012, 3000, 4006, 4007, 4999]) {
  test(`after the server's ${code} it comes back`, async () => {
    const { bench, clock, said } = setUp();
    bench.socket.accept();
    bench.socket.end(code);
    assert.deepEqual(said[1], ["reconnecting", 1, 500, code]);
    await clock.pass(500);
    assert.equal(bench.sockets.length, 2);
  });
}

for (const code of [1013, 4003, 4004]) {
  test(`after the server's ${code} it waits for 30 s or more`, async () => {
    const { bench, clock, said } = setUp();
    bench.socket.accept();
    bench.socket.end(code);
    assert.deepEqual(said[1], ["reconnecting", 1, 30_500, code]);
    bench.page("wake");
    await clock.pass(30_499);
    assert.equal(bench.sockets.length, 1);
  });
}

test("after 4000 a function is asked for a new address at once, and after a second 4000 with a delay", async () => {
  const asked: unknown[] = [];
  const { bench, clock, said } = setUp({}, (request) => (asked.push(request), `${URL}?${asked.length}`));
  await clock.pass(0);
  bench.socket.accept();
  bench.socket.end(4000);
  await clock.pass(0);
  assert.deepEqual(bench.sockets.map(({ url }) => url), [`${URL}?1`, `${URL}?2`]);
  bench.socket.end(4000);
  await clock.pass(0);
  assert.equal(bench.sockets.length, 2);
  assert.deepEqual(asked, [{ attempt: 0, why: "connect" }, { attempt: 0, why: "expired" }]);
  assert.deepEqual(said[1], ["reconnecting", 0, 0, 4000]);
});

test("a server that is not known to answer a ping is sent none, however quiet it is", async () => {
  const { bench, clock, said } = setUp();
  bench.socket.accept("chat");
  bench.socket.receive("hello");
  await clock.pass(3_600_000);
  assert.deepEqual([bench.socket.sent, bench.socket.closed, said.length], [[], undefined, 2]);
});

const KNOWN: readonly (readonly [string, ReconnectingWebSocketOptions, string, string?])[] = [
  ["whose subprotocol is Openline's", {}, "openline.v1.json"],
  ["that says welcome", {}, "", '{"type":"welcome","clientId":"c1"}'],
  ["of any kind where heartbeat is true", { heartbeat: true }, ""],
  ["of any kind where an interval is given", { heartbeatInterval: 30_000 }, ""],
  ["of any kind where a timeout is given", { heartbeatTimeout: 10_000 }, ""],
];
for (const [which, options, protocol, first] of KNOWN) {
  test(`a server ${which} is asked after 30 s of quiet, and given up 10 s later`, async () => {
    const { bench, clock, socket, said } = setUp(options);
    bench.socket.accept(protocol);
    if (first !== undefined) bench.socket.receive(first);
    const line = bench.socket;
    await clock.pass(29_999);
    assert.deepEqual(line.sent, []);
    await clock.pass(1);
    assert.deepEqual(line.sent, ['{"type":"ping"}']);
    await clock.pass(9_999);
    assert.equal(socket.readyState, 1);
    await clock.pass(1);
    assert.deepEqual([socket.readyState, line.closed, said.at(-1)?.slice(0, 4)], [0, [4900], ["reconnecting", 1, 500, 1006]]);
    await clock.pass(500);
    assert.equal(bench.sockets.length, 2);
  });
}

test("heartbeat: false asks nobody", async () => {
  const { bench, clock } = setUp({ heartbeat: false, heartbeatInterval: 10 });
  bench.socket.accept("openline.v1.json");
  await clock.pass(600_000);
  assert.deepEqual([bench.socket.sent, bench.sockets.length], [[], 1]);
});

for (const options of [{}, { heartbeatInterval: 30_000 }]) {
  test(`MessagePack lines are asked in MessagePack, with ${JSON.stringify(options)}`, async () => {
    const { bench, clock } = setUp(options);
    bench.socket.accept("openline.v1.msgpack");
    await clock.pass(30_000);
    assert.deepEqual(Buffer.from(bench.socket.sent[0] as Uint8Array).toString("latin1"), "\x81\xa4type\xa4ping");
  });
}

test("any message is a sign of life, and puts the next question off", async () => {
  const { bench, clock } = setUp({ heartbeat: true });
  bench.socket.accept();
  for (let times = 0; times < 10; times += 1) {
    await clock.pass(29_000);
    bench.socket.receive(new ArrayBuffer(1));
  }
  assert.deepEqual(bench.socket.sent, []);
  await clock.pass(30_000);
  bench.socket.receive("anything");
  await clock.pass(29_000);
  assert.equal(bench.socket.sent.length, 1);
  assert.equal(bench.sockets.length, 1);
});

test("the answer to the heartbeat is not shown, and that to the application's own ping is", async () => {
  const { bench, clock, said } = setUp({ heartbeat: true });
  bench.socket.accept();
  bench.socket.receive('{"type":"pong"}');
  await clock.pass(30_000);
  bench.socket.receive('{"type":"pong","timestamp":1}');
  bench.socket.receive('{"type":"pong","timestamp":2}');
  await clock.pass(30_000);
  bench.socket.receive('{"type":"ping"}');
  assert.deepEqual(said.slice(1), [["message", '{"type":"pong"}'], ["message", '{"type":"pong","timestamp":2}']]);
});

test("a heartbeat of one's own is sent and recognized", async () => {
  let asked = 0;
  const { bench, clock, said } = setUp({ heartbeat: { message: () => `ping ${(asked += 1)}`, isReply: (data) => data === "pong" } });
  bench.socket.accept();
  await clock.pass(30_000);
  bench.socket.receive("pong");
  await clock.pass(30_000);
  assert.deepEqual([bench.socket.sent, said], [["ping 1", "ping 2"], [["open"]]]);
});

test("a heartbeat that throws is reported and costs no line", async () => {
  const failure = new Error("no message today");
  const { bench, clock } = setUp({
    heartbeat: {
      message: () => {
        throw failure;
      },
    },
  });
  bench.socket.accept();
  await clock.pass(45_000);
  assert.deepEqual([bench.reported, bench.sockets.length], [[failure], 1]);
});

test("what is sent without a line goes out in its order, behind what open's handlers send", async () => {
  const { bench, clock, socket } = setUp();
  socket.onopen = () => socket.send("login");
  socket.send("one");
  const bytes = new Uint8Array([1, 2, 3]);
  socket.send(bytes.subarray(1));
  bytes.fill(9);
  assert.equal(socket.bufferedAmount, 5);
  bench.socket.accept();
  assert.deepEqual(bench.socket.sent, ["login", "one", new Uint8Array([2, 3])]);
  assert.equal(socket.bufferedAmount, 0);
  bench.socket.end(1006);
  socket.send("two");
  await clock.pass(500);
  socket.send("three");
  bench.socket.accept();
  assert.deepEqual(bench.socket.sent, ["login", "two", "three"]);
});

test("a full queue refuses what is newest, and keeps what it has", () => {
  const { bench, socket } = setUp({ queue: { messagesMax: 2 } });
  socket.send("a");
  socket.send("b");
  assert.throws(() => socket.send("c"), { name: "QuotaExceededError" });
  assert.equal(socket.bufferedAmount, 2);
  bench.socket.accept();
  assert.deepEqual(bench.socket.sent, ["a", "b"]);
});

test("the queue is bounded in bytes too, and by default", () => {
  const { socket } = setUp();
  socket.send(new ArrayBuffer(1_048_576));
  assert.throws(() => socket.send("ö"), { name: "QuotaExceededError", message: /1 messages of 1048576 bytes/ });
  const { socket: other } = setUp();
  for (let sent = 0; sent < 1_000; sent += 1) other.send("");
  assert.throws(() => other.send(""), { name: "QuotaExceededError" });
});

test("what is sent after the server's Close came waits for the next line", async () => {
  const { bench, clock, socket } = setUp();
  bench.socket.accept();
  bench.socket.readyState = 2;
  assert.deepEqual([socket.readyState, socket.isConnected], [2, false]);
  socket.send("late");
  bench.socket.end(1012);
  await clock.pass(500);
  bench.socket.accept();
  assert.deepEqual(bench.socket.sent, ["late"]);
});

test("queue: false gives the standard's throw back, also between two lines", () => {
  const { bench, socket } = setUp({ queue: false });
  assert.throws(() => socket.send("early"), { name: "InvalidStateError" });
  bench.socket.accept();
  bench.socket.end(1006);
  assert.throws(() => socket.send("between"), { name: "InvalidStateError" });
});

test("a socket that was left says nothing any more", async () => {
  const { bench, clock, socket, said } = setUp({ heartbeat: true });
  const first = bench.socket;
  const heard = [first.onopen, first.onmessage, first.onclose] as const;
  await clock.pass(10_000);
  assert.deepEqual([first.closed, said], [[4900], [["reconnecting", 1, 250, 1006]]]);
  await clock.pass(250);
  bench.socket.accept();
  // A browser that had put these into its queue of tasks before they were taken away.
  heard[0]?.(new Event("open"));
  heard[1]?.(new MessageEvent("message", { data: "stale" }));
  heard[2]?.(Object.assign(new Event("close"), { code: 1000, reason: "", wasClean: true }));
  first.accept();
  first.receive("stale");
  first.end(1000);
  assert.deepEqual([said.slice(1), socket.readyState], [[["open"]], 1]);
});

test("an address that is refused, wrong or never given is a failed attempt", async () => {
  const answers: (() => string | Promise<string>)[] = [
    () => Promise.reject(new Error("no token")),
    () => "http://server/#fragment",
    () => new Promise<string>(() => {}),
    () => "https://server/path",
  ];
  const { bench, clock, socket, said } = setUp({}, ({ attempt }) => (answers[attempt] as () => string)());
  assert.deepEqual([socket.url, socket.readyState], ["", 0]);
  await clock.pass(0);
  assert.deepEqual(said, [["reconnecting", 1, 250, 1006]]);
  await clock.pass(250);
  assert.deepEqual(said[1], ["reconnecting", 2, 500, 1006]);
  await clock.pass(500 + 10_000);
  assert.deepEqual(said[2], ["reconnecting", 3, 1_000, 1006]);
  await clock.pass(1_000);
  assert.deepEqual([bench.sockets.length, bench.socket.url, socket.url], [1, "wss://server/path", "wss://server/path"]);
});

test("an address that comes too late changes nothing", async () => {
  const late: ((url: string) => void)[] = [];
  const { bench, clock, socket } = setUp({}, () => new Promise<string>((resolve) => late.push(resolve)));
  await clock.pass(10_250);
  assert.equal(late.length, 2);
  late[0]?.("ws://late/");
  await clock.pass(0);
  assert.deepEqual([bench.sockets.length, socket.url], [0, ""]);
  late[1]?.("ws://in-time/");
  await clock.pass(0);
  assert.deepEqual([bench.sockets.length, socket.url], [1, "ws://in-time/"]);
});

test("after maxReconnectAttempts it says so, and ends as failed", async () => {
  const { bench, clock, socket, said } = setUp({ maxReconnectAttempts: 2 });
  for (let times = 0; times < 3; times += 1) {
    bench.socket.end(1006);
    await clock.pass(1_000);
  }
  assert.deepEqual(said.slice(2), [["maxretriesreached", 2], ["error"], ["close", 1006, false]]);
  assert.deepEqual([socket.readyState, clock.pending, bench.sockets.length], [3, 0, 3]);
});

test("close while it waits ends it as an attempt, and leaves no timer", async () => {
  const { bench, clock, socket, said } = setUp();
  bench.socket.accept();
  bench.socket.end(1006);
  socket.send("never");
  socket.close(3000);
  assert.deepEqual([socket.readyState, said.length], [2, 2]);
  await clock.pass(0);
  assert.deepEqual(said.slice(2), [["error"], ["close", 1006, false]]);
  assert.deepEqual([clock.pending, bench.isListeningToPage, socket.bufferedAmount], [0, false, 5]);
});

test("close leaves an attempt's socket, and waits for an open one's own close", async () => {
  const attempt = setUp();
  attempt.socket.close();
  assert.deepEqual(attempt.bench.socket.closed, [1000]);
  const open = setUp();
  open.bench.socket.accept();
  open.socket.close(3001, "done");
  open.bench.socket.receive("too late");
  await open.clock.pass(60_000);
  assert.deepEqual([open.socket.readyState, open.bench.socket.closed, open.said], [2, [3001, "done"], [["open"]]]);
  open.bench.socket.end(3001, "done");
  assert.deepEqual(open.said[1], ["close", 3001, true]);
});

test("reconnect takes a new line at once, and begins a new life after the end", async () => {
  const { bench, clock, socket, said } = setUp();
  bench.socket.accept();
  const first = bench.socket;
  socket.reconnect();
  assert.deepEqual([first.closed, bench.sockets.length, socket.readyState], [[1000], 2, 0]);
  bench.socket.end(1006);
  socket.reconnect();
  assert.equal(bench.sockets.length, 3);
  bench.socket.accept();
  bench.socket.end(1000);
  socket.send("lost");
  socket.reconnect();
  assert.deepEqual([socket.readyState, socket.bufferedAmount, bench.isListeningToPage], [0, 0, true]);
  bench.socket.accept();
  await clock.pass(0);
  assert.deepEqual(
    said.map(([kind]) => kind),
    ["open", "reconnecting", "reconnecting", "open", "close", "open"],
  );
});

test("reconnect: false ends with the first line, whatever ended it", async () => {
  for (const code of [1006, 1011, 4000, 4003]) {
    const { bench, clock, said } = setUp({ reconnect: false });
    bench.socket.accept();
    bench.socket.end(code);
    await clock.pass(600_000);
    assert.deepEqual(said, [["open"], ...(code === 1006 ? [["error"]] : []), ["close", code, code !== 1006]]);
    assert.equal(bench.sockets.length, 1);
  }
  const quiet = setUp({ reconnect: false, heartbeat: true });
  quiet.bench.socket.accept();
  await quiet.clock.pass(40_000);
  assert.deepEqual(quiet.said, [["open"], ["error"], ["close", 1006, false]]);
  assert.equal(quiet.bench.isListeningToPage, false);
});

test("sendJSON sends JSON and refuses what is none", () => {
  const { bench, socket } = setUp();
  bench.socket.accept();
  socket.sendJSON({ a: [1, null] });
  assert.throws(() => socket.sendJSON(undefined), TypeError);
  assert.deepEqual(bench.socket.sent, ['{"a":[1,null]}']);
});

test("when the page is shown again a wait ends, and a line is asked whether it is alive", async () => {
  const { bench, clock } = setUp({ heartbeat: true });
  bench.chance = 0.999;
  bench.socket.end(1006);
  bench.page("wake");
  assert.equal(bench.sockets.length, 2);
  bench.socket.accept();
  bench.page("wake");
  assert.deepEqual(bench.socket.sent, ['{"type":"ping"}']);
  await clock.pass(4_000);
  assert.deepEqual(bench.socket.closed, [4900]);
});

test("a page that is put away has no line, and has one again when it is back", async () => {
  const { bench, clock, said } = setUp();
  bench.socket.accept();
  bench.page("freeze");
  assert.deepEqual(said.at(-1), ["reconnecting", 0, null, 1001]);
  assert.deepEqual(bench.socket.closed, [1000]);
  await clock.pass(600_000);
  assert.equal(bench.sockets.length, 1);
  bench.page("thaw");
  assert.equal(bench.sockets.length, 2);
});

test("handlers may close, reconnect and send, wherever they are called from", async () => {
  const closing = setUp();
  closing.socket.send("queued");
  closing.socket.onopen = () => closing.socket.close(1000);
  closing.bench.socket.accept();
  assert.deepEqual([closing.bench.socket.sent, closing.bench.socket.closed, closing.socket.readyState], [[], [1000], 2]);
  closing.bench.socket.end(1000);
  assert.deepEqual(closing.said, [["open"], ["close", 1000, true]]);

  const impatient = setUp();
  impatient.socket.onreconnecting = () => impatient.socket.reconnect();
  impatient.bench.socket.accept();
  impatient.bench.socket.end(1006);
  assert.equal(impatient.bench.sockets.length, 2);

  const leaving = setUp();
  leaving.socket.onreconnecting = () => leaving.socket.close();
  leaving.bench.socket.end(1006);
  await leaving.clock.pass(60_000);
  assert.deepEqual([leaving.bench.sockets.length, leaving.said.map(([kind]) => kind)], [1, ["reconnecting", "error", "close"]]);
});

test("a class of sockets that throws, throws at once, and later is a failed attempt", async () => {
  const bench = new Bench();
  bench.refusal = new DOMException("insecure", "SecurityError");
  assert.throws(() => new ReconnectingWebSocket(URL, [], { environment: bench.environment }), { name: "SecurityError" });
  assert.deepEqual([bench.clock.pending, bench.isListeningToPage], [0, false]);
  const later = setUp();
  later.bench.socket.end(1006);
  later.bench.refusal = bench.refusal;
  await later.clock.pass(500);
  assert.equal(later.said.length, 2);
});

test("a class of sockets, an address and sensible numbers are needed", () => {
  assert.throws(() => new ReconnectingWebSocket(URL, [], { environment: { WebSocket: undefined } }), { name: "NotSupportedError" });
  assert.throws(() => Reflect.construct(ReconnectingWebSocket, []), TypeError);
  assert.throws(() => setUp({ heartbeatInterval: -1 }), { name: "RangeError", message: "heartbeatInterval is -1, and has to be 0 or more" });
  assert.throws(() => setUp({ reconnectDelay: 0 }), { message: "reconnectDelay is 0, and has to be 1 or more" });
  assert.throws(() => setUp({ maxReconnectAttempts: NaN }), RangeError);
});

test("an Openline server's word on when to come back is kept", async () => {
  const { bench, clock, said } = setUp();
  bench.socket.accept();
  bench.socket.receive('{"type":"welcome","clientId":"c","retrySpread":20000}');
  bench.socket.end(1006);
  assert.deepEqual(said.at(-1), ["reconnecting", 1, 10_000, 1006]);
  await clock.pass(10_000);
  bench.socket.accept("openline.v1.json");
  await clock.pass(30_000);
  bench.socket.receive('{"type":"pong","timestamp":1,"retrySpread":4000}');
  bench.socket.receive('{"type":"close","code":1013,"reason":"overloaded","retryAfter":2500}');
  bench.socket.end(1013);
  assert.deepEqual(said.at(-1), ["reconnecting", 1, 4_500, 1013]);
});

test("the same words of another server are the application's", () => {
  const { bench, said } = setUp();
  bench.socket.accept();
  bench.socket.receive('{"type":"hello","retrySpread":20000}');
  bench.socket.receive('{"type":"close","retryAfter":60000}');
  bench.socket.end(1006);
  assert.deepEqual(said.at(-1), ["reconnecting", 1, 500, 1006]);
});

test("the protocols may stand among the options", () => {
  const bench = new Bench();
  const options = { protocols: ["a", "A"], environment: bench.environment };
  assert.throws(() => new ReconnectingWebSocket(URL, undefined, options), { name: "SyntaxError" });
  assert.equal(new ReconnectingWebSocket(URL, "one", options).readyState, 0);
});
