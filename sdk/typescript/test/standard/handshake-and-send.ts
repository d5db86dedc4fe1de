import { next, record, same, throws, wait, type Assertion, type Context } from "./harness.js";

const ABNORMAL = { code: 1006, reason: "", wasClean: false };

async function fails(cx: Context, path: string, protocols?: string[]): Promise<void> {
  const seen = await cx.seen(path, protocols);
  same(seen, { types: ["error", "close"], states: [3, 3], close: ABNORMAL });
}

/** A handshake that has to fail: the drop-in tries again instead of ending. */
function badHandshake(number: number, name: string, cases: readonly (readonly [string, string[]?])[]): Assertion {
  return {
    number,
    name,
    run: async (cx) => {
      for (const [path, protocols] of cases) await fails(cx, path, protocols);
    },
    instead: {
      why: "the failed handshake is tried again: `reconnecting` with 1006 in place of `error` and `close`",
      run: async (cx) => {
        for (const [path, protocols] of cases) {
          const socket = cx.make(path, protocols);
          const seen = record(socket);
          const { code } = await next<Event & { code: number }>(socket, "reconnecting");
          same([code, seen.types, seen.states], [1006, ["reconnecting"], [0]]);
          socket.close();
        }
      },
    },
  };
}

/** 17 to 23 */
export const HANDSHAKE: readonly Assertion[] = [
  badHandshake(17, "a redirect fails", [["/redirect"]]),
  badHandshake(18, "another status than 101 fails", [["/status"], ["/ok"]]),
  badHandshake(19, "a wrong accept key fails", [["/bad-accept"]]),
  badHandshake(20, "protocols that were asked for, and none given, fail", [["/no-protocol", ["chat"]]]),
  badHandshake(21, "a protocol or an extension that was not asked for fails", [
    ["/unasked-protocol"],
    ["/unasked-protocol", ["chat"]],
    ["/unasked-extension"],
  ]),
  badHandshake(22, "protocols are compared with their case", [["/upper-protocol", ["chat"]]]),
  {
    number: 23,
    name: "it is OPEN before open fires, and no listener added at once misses anything",
    run: async (cx) => {
      const socket = cx.make("/greeting-in-the-same-packet");
      const seen = record(socket);
      await next(socket, "message");
      same([seen.types, seen.states], [["open", "message"], [1, 1]]);
      socket.send("go on");
      await next(socket, "close");
    },
  },
];

/** 24 to 33 */
export const SEND: readonly Assertion[] = [
  {
    number: 24,
    name: "send while CONNECTING throws, and without an argument a TypeError before that",
    run: (cx) => {
      const socket = cx.make("/silent");
      throws("TypeError", () => (socket.send as () => void)());
      throws("InvalidStateError", () => socket.send("early"));
      throws("InvalidStateError", () => socket.send(new Uint8Array(1)));
    },
    instead: {
      why: "it is queued until there is a line (`queue: false` gives the throw back)",
      run: async (cx) => {
        const socket = cx.make("/echo");
        throws("TypeError", () => (socket.send as () => void)());
        socket.send("early å");
        same(socket.bufferedAmount, 8);
        same((await next<MessageEvent>(socket, "message")).data, "early å");
        same(socket.bufferedAmount, 0);
      },
    },
  },
  {
    number: 25,
    name: "send while CLOSING or CLOSED does not throw, and goes nowhere",
    run: async (cx) => {
      const socket = await cx.open("/count?id=closing");
      socket.close();
      socket.send("closing");
      await next(socket, "close");
      socket.send("closed");
      await wait(50);
      same(await counted(cx, "closing"), 0);
    },
  },
  {
    number: 26,
    name: "and yet bufferedAmount grows by it",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      socket.close();
      socket.send("closing");
      same(socket.bufferedAmount, 7);
      await next(socket, "close");
      socket.send(new Uint8Array(3));
      socket.send(new Blob(["four"]));
      same(socket.bufferedAmount, 14);
    },
    deviates: {
      undici: "stays at 0",
    },
  },
  {
    number: 27,
    name: "text is counted in bytes of UTF-8",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      socket.send("å🙂");
      same(socket.bufferedAmount, 6);
    },
  },
  {
    number: 28,
    name: "a lone surrogate becomes U+FFFD",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      same(await cx.echo(socket, "a\ud800b"), "a\ufffdb");
      socket.send("\udc00");
      same(socket.bufferedAmount, 3);
    },
  },
  {
    number: 29,
    name: "what is neither text nor bytes becomes text",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      const cases = [[null, "null"], [undefined, "undefined"], [12.5, "12.5"], [{}, "[object Object]"], [[1, [2]], "1,2"], [true, "true"]];
      for (const [value, text] of cases) same(await cx.echo(socket, value as string), text);
      throws("TypeError", () => socket.send(Symbol("no text") as unknown as string));
    },
  },
  {
    number: 30,
    name: "a view sends its window, and is counted as that",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      const bytes = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]);
      for (const view of [bytes.subarray(2, 5), new DataView(bytes.buffer, 2, 3), new Uint16Array(bytes.buffer, 2, 1)]) {
        const answer = next<MessageEvent>(socket, "message");
        socket.send(view);
        same(socket.bufferedAmount, view.byteLength);
        same([...new Uint8Array((await answer).data as ArrayBuffer)], [2, 3, 4].slice(0, view.byteLength));
      }
      same([...new Uint8Array((await cx.echo(socket, bytes.buffer)) as ArrayBuffer)], [...bytes]);
      same([...new Uint8Array((await cx.echo(socket, new Blob([bytes.subarray(1, 3)]))) as ArrayBuffer)], [1, 2]);
    },
  },
  {
    number: 31,
    name: "an empty message is sent",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      same(await cx.echo(socket, ""), "");
      same(((await cx.echo(socket, new ArrayBuffer(0))) as ArrayBuffer).byteLength, 0);
      same(((await cx.echo(socket, new Blob([]))) as ArrayBuffer).byteLength, 0);
    },
  },
  {
    number: 32,
    name: "bufferedAmount rises at once, falls between tasks alone, and is not set back by the end",
    run: async (cx) => {
      const socket = await cx.open("/echo");
      const echoes = messages(socket, 2);
      socket.send("123");
      socket.send(new ArrayBuffer(5));
      same(socket.bufferedAmount, 8);
      for (let end = Date.now() + 20; Date.now() < end; );
      same(socket.bufferedAmount, 8);
      await echoes;
      same(socket.bufferedAmount, 0);
      socket.close();
      socket.send("1234");
      await next(socket, "close");
      await wait(20);
      same(socket.bufferedAmount, 4);
    },
    deviates: {
      undici: "stays at 0 after close",
    },
  },
];

function messages(socket: WebSocket, count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0;
    socket.addEventListener("message", () => (seen += 1) === count && resolve());
  });
}

export async function counted(cx: Context, id: string): Promise<number> {
  return Number(await (await fetch(`${cx.http}/counted?id=${id}`)).text());
}
