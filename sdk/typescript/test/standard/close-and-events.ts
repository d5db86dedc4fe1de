import { counted } from "./handshake-and-send.js";
import { next, record, same, throws, wait, type Assertion, type Context } from "./harness.js";

const ABNORMAL = { code: 1006, reason: "", wasClean: false };

async function ended(socket: WebSocket): Promise<{ code: number; reason: string; wasClean: boolean }> {
  const { code, reason, wasClean } = await next<CloseEvent>(socket, "close");
  return { code, reason, wasClean };
}

/** A loss that the drop-in means to come back from. */
async function comesBack(cx: Context, path: string, code: number): Promise<WebSocket> {
  const socket = cx.make(path);
  const seen = record(socket);
  const lost = await next<Event & { code: number }>(socket, "reconnecting");
  same([lost.code, seen.types, seen.states], [code, ["open", "reconnecting"], [1, 0]]);
  return socket;
}

/** 34 to 43 */
export const CLOSE: readonly Assertion[] = [
  {
    number: 34,
    name: "the code is absent, 1000 or 3000 to 4999",
    run: async (cx) => {
      const socket = cx.make("/echo");
      for (const code of [0, NaN, null, 999, 1001, 1005, 1006, 1015, 2999, 5000, -1, "x"]) {
        throws("InvalidAccessError", () => socket.close(code as number));
      }
      same(socket.readyState, 0);
      for (const code of [1000, 3000, 4999]) {
        const open = await cx.open("/echo");
        const end = ended(open);
        open.close(code, "so");
        same(await end, { code, reason: "so", wasClean: true });
      }
    },
  },
  {
    number: 35,
    name: "the code is clamped and rounded",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      for (const code of [66_536, 2 ** 32 + 1000, -64_536, Infinity]) throws("InvalidAccessError", () => socket.close(code));
      const end = ended(socket);
      socket.close(3000.7);
      same((await end).code, 3001);
    },
    deviates: {
      chromium: "cuts 3000.7 to 3000",
      undici: "cuts 3000.7 to 3000",
    },
  },
  {
    number: 36,
    name: "undefined is as if it was not given",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      const end = ended(socket);
      socket.close(undefined, undefined);
      same(await end, { code: 1005, reason: "", wasClean: true });
    },
  },
  {
    number: 37,
    name: "a reason of more than 123 bytes throws",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      throws("SyntaxError", () => socket.close(1000, "x".repeat(124)));
      throws("SyntaxError", () => socket.close(1000, "å".repeat(62)));
      const end = ended(socket);
      socket.close(1000, "å".repeat(61) + "x");
      same((await end).reason, "å".repeat(61) + "x");
    },
  },
  {
    number: 38,
    name: "the arguments are looked at before the state",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      socket.close();
      throws("InvalidAccessError", () => socket.close(1001));
      await next(socket, "close");
      throws("InvalidAccessError", () => socket.close(1001));
      throws("SyntaxError", () => socket.close(1000, "x".repeat(124)));
    },
  },
  {
    number: 39,
    name: "close while CLOSING or CLOSED does nothing",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      const end = ended(socket);
      socket.close(3001, "first");
      socket.close(3002, "second");
      same(await end, { code: 3001, reason: "first", wasClean: true });
      socket.close(3003);
      same(socket.readyState, 3);
    },
  },
  {
    number: 40,
    name: "close while CONNECTING is CLOSING at once, and error and close follow in a task",
    run: async (cx) => {
      for (const path of ["/silent", "/echo"]) {
        const socket = cx.make(path);
        const seen = record(socket);
        socket.close(1000, "never mind");
        same([socket.readyState, seen.types], [2, []]);
        await Promise.resolve();
        same(seen.types, []);
        same(await ended(socket), ABNORMAL);
        await wait(20);
        same([seen.types, seen.states], [["error", "close"], [3, 3]]);
      }
    },
    deviates: {
      undici: "fires both before close returns",
    },
  },
  {
    number: 41,
    name: "without arguments the Close frame is empty",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      const end = ended(socket);
      socket.close();
      same(await end, { code: 1005, reason: "", wasClean: true });
    },
  },
  {
    number: 42,
    name: "what was sent before goes out before the Close",
    run: async (cx) => {
      const id = crypto.randomUUID();
      const socket = await cx.open(`/count?id=${id}`);
      for (let sent = 0; sent < 20; sent += 1) socket.send(new Uint8Array(100_000));
      const end = ended(socket);
      socket.close(1000);
      same([(await end).code, await counted(cx, id)], [1000, 2_000_000]);
    },
  },
  {
    number: 43,
    name: "close twice is close once",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      const seen = record(socket);
      socket.close();
      socket.close();
      await next(socket, "close");
      await wait(20);
      same(seen.types, ["close"]);
    },
  },
];

/** 44 to 56 */
export const EVENTS: readonly Assertion[] = [
  {
    number: 44,
    name: "no message after the Close came or close was called",
    run: async (cx) => {
      const server = cx.make("/close-then-data");
      const messages: unknown[] = [];
      server.addEventListener("message", ({ data }) => messages.push(data));
      // Chromium takes what follows the Close for a failure, so that the drop-in may come back.
      await Promise.race([next(server, "close"), next(server, "reconnecting")]);
      same(messages, ["before"]);
      const own = await cx.open("/echo");
      const seen = record(own);
      own.send("its echo comes too late");
      own.close();
      await next(own, "close");
      same(seen.types, ["close"]);
    },
  },
  {
    number: 45,
    name: "a Close from the server makes it CLOSING until the line ends",
    run: async (cx) => {
      const socket = await cx.open("/slow-close");
      const end = ended(socket);
      await wait(200);
      same(socket.readyState, 2);
      same(await end, { code: 1000, reason: "slow", wasClean: true });
    },
  },
  {
    number: 46,
    name: "at the end CLOSED, then error if it failed, then one close",
    run: async (cx) => {
      same((await cx.seen("/breaks")).types, ["open", "error", "close"]);
      same((await cx.seen("/breaks-the-protocol")).types, ["open", "error", "close"]);
      const clean = await cx.seen("/close?code=1000");
      same([clean.types, clean.states], [["open", "close"], [1, 3]]);
    },
    instead: {
      why: "a line that breaks comes back; a code that says stop ends it as the standard says",
      run: async (cx) => {
        await next(await comesBack(cx, "/breaks", 1006), "open");
        await comesBack(cx, "/breaks-the-protocol", 1006);
        const clean = await cx.seen("/close?code=1000");
        same([clean.types, clean.states], [["open", "close"], [1, 3]]);
      },
    },
    deviates: {
      chromium: "no error where the connection breaks, though RFC 6455 section 7.2.1 calls that a failure",
    },
  },
  {
    number: 47,
    name: "wasClean says whether the closing handshake was made",
    run: async (cx) => {
      same((await cx.seen("/close?code=1000")).close?.wasClean, true);
      same((await cx.seen("/breaks")).close?.wasClean, false);
    },
    instead: {
      why: "a line that breaks comes back",
      run: async (cx) => {
        same((await cx.seen("/close?code=1000")).close?.wasClean, true);
        await comesBack(cx, "/breaks", 1006);
      },
    },
  },
  {
    number: 48,
    name: "the code is the server's, 1005 without one, 1006 if it broke",
    run: async (cx) => {
      for (const code of [1000, 1008, 1011, 3000, 4999]) {
        same((await cx.seen(`/close?code=${code}&reason=so`)).close, { code, reason: "so", wasClean: true });
      }
      same((await cx.seen("/close")).close, { code: 1005, reason: "", wasClean: true });
      same((await cx.seen("/breaks")).close, ABNORMAL);
    },
    instead: {
      why: "the codes that say stop end it with `close`; with the others it comes back, and `reconnecting` has the code",
      run: async (cx) => {
        for (const code of [1000, 1008, 4001]) {
          same((await cx.seen(`/close?code=${code}&reason=so`)).close, { code, reason: "so", wasClean: true });
        }
        for (const code of [1011, 3000, 4999]) await comesBack(cx, `/close?code=${code}`, code);
        await comesBack(cx, "/close", 1005);
        await comesBack(cx, "/breaks", 1006);
      },
    },
  },
  {
    number: 49,
    name: "the reason keeps its byte order mark",
    run: async (cx) => same((await cx.seen("/close?code=1000&reason=%EF%BB%BFgrüß")).close?.reason, "\ufeffgrüß"),
    deviates: {
      undici: "drops the mark",
      "undici once": "it is gone below",
      "undici reconnecting": "it is gone below",
    },
  },
  {
    number: 50,
    name: "events neither bubble nor can be cancelled, and error is a plain Event",
    run: async (cx) => {
      const socket = cx.make("/echo");
      const events: Event[] = [];
      for (const type of ["open", "message", "close"]) socket.addEventListener(type, (event) => events.push(event));
      await next(socket, "open");
      await cx.echo(socket, "hello");
      socket.close();
      await next(socket, "close");
      const failed = cx.make("/silent");
      failed.addEventListener("error", (event) => events.push(event));
      const end = next(failed, "close");
      failed.close();
      await end;
      same(events.map(({ type, bubbles, cancelable }) => [type, bubbles, cancelable]), [
        ["open", false, false],
        ["message", false, false],
        ["close", false, false],
        ["error", false, false],
      ]);
      same(Object.getPrototypeOf(events[3]) === Event.prototype, true);
      same(events[1] instanceof MessageEvent, true);
    },
    deviates: {
      undici: "error is an ErrorEvent",
    },
  },
  {
    number: 51,
    name: "the origin of a message is the socket's",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      const message = next<MessageEvent>(socket, "message");
      socket.send("hello");
      same((await message).origin, cx.ws);
    },
  },
  {
    number: 52,
    name: "failures cannot be told apart",
    run: async (cx) => {
      for (const path of ["/redirect", "/status", "/bad-accept", "ws://127.0.0.1:9/"]) same((await cx.seen(path)).close, ABNORMAL);
    },
    instead: {
      why: "the failed attempts are tried again, and look the same in `reconnecting`",
      run: async (cx) => {
        for (const path of ["/redirect", "/status", "/bad-accept", "ws://127.0.0.1:9/"]) {
          const lost = await next<Event & { code: number; reason: string }>(cx.make(path), "reconnecting");
          same([lost.code, lost.reason], [1006, ""]);
        }
      },
    },
  },
  {
    number: 53,
    name: "on… takes objects, calls functions alone, and is null for all else",
    run: async (cx) => {
      const socket = cx.make("/echo");
      for (const type of ["onopen", "onmessage", "onerror", "onclose"] as const) {
        same(socket[type], null);
        for (const bad of [undefined, 1, "text", true, Symbol("no")]) {
          socket[type] = bad as never;
          same(socket[type], null);
        }
      }
      let calls = 0;
      const object = { handleEvent: () => (calls += 1) };
      socket.onopen = object as never;
      same(socket.onopen === (object as never), true);
      await next(socket, "open");
      same(calls, 0);
      const order: string[] = [];
      let self: unknown;
      socket.onmessage = () => order.push("replaced");
      socket.addEventListener("message", () => order.push("listener"));
      socket.onmessage = function (this: WebSocket) {
        self = this;
        order.push("handler");
      };
      await cx.echo(socket, "hello");
      same([order, self === socket], [["handler", "listener"], true]);
    },
    deviates: {
      undici: "a replaced handler goes behind the listeners",
    },
  },
  {
    number: 56,
    name: "pings are not shown",
    run: async (cx) => {
      const socket = cx.make("/ping");
      const messages: unknown[] = [];
      socket.addEventListener("message", ({ data }) => messages.push(data));
      await next(socket, "message");
      same([messages, "onping" in socket], [["after the ping"], false]);
    },
  },
];
