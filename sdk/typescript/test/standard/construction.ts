import { next, same, throws, type Assertion } from "./harness.js";

/** 1 to 16: what is checked at once, and what a new socket looks like. */
export const CONSTRUCTION: readonly Assertion[] = [
  {
    number: 1,
    name: "http: becomes ws:, and https: becomes wss:",
    run: (cx) => {
      same(cx.make(`${cx.http}/echo`).url, `${cx.ws}/echo`);
      same(cx.make("https://127.0.0.1:9/").url, "wss://127.0.0.1:9/");
    },
  },
  {
    number: 2,
    name: "another scheme throws",
    run: (cx) => {
      for (const url of ["ftp://host/", "about:blank", "mailto:a@b", "wsx://host/"]) throws("SyntaxError", () => cx.make(url));
    },
  },
  {
    number: 3,
    name: "what is no URL throws",
    run: (cx) => {
      for (const url of ["ws://", "ws://foo bar.com/", "ws://host:99999/", "http://["]) throws("SyntaxError", () => cx.make(url), url);
    },
    deviates: {
      chromium: "its URL parser takes ws://foo bar.com/",
    },
  },
  {
    number: 4,
    name: "a fragment throws, an empty one too",
    run: (cx) => {
      for (const end of ["#", "#here"]) throws("SyntaxError", () => cx.make(`/echo${end}`));
      same(cx.make("/echo?%23").url, `${cx.ws}/echo?%23`);
    },
  },
  {
    number: 5,
    name: "a relative URL is resolved against the base",
    run: (cx) => {
      if (typeof document === "undefined") return throws("SyntaxError", () => new cx.Socket("/echo"));
      const socket = new cx.Socket("/echo?relative");
      same(socket.url, `${cx.ws}/echo?relative`);
      socket.close();
    },
  },
  {
    number: 6,
    name: "url is serialized and percent-encoded as UTF-8",
    run: (cx) => same(cx.make("/ä b?q=ö x").url, `${cx.ws}/%C3%A4%20b?q=%C3%B6%20x`),
  },
  {
    number: 7,
    name: "a text as protocols is a list of one",
    run: async (cx) => {
      same((await cx.open("/echo", "one")).protocol, "one");
      same((await cx.open("/echo", ["one"])).protocol, "one");
    },
  },
  {
    number: 8,
    name: "a protocol named twice throws, in another case too",
    run: (cx) => {
      for (const twice of [["a", "a"], ["chat", "other", "CHAT"]]) throws("SyntaxError", () => cx.make("/echo", twice));
    },
    deviates: {
      chromium: "compares them with their case",
    },
  },
  {
    number: 9,
    name: "a protocol that is no token throws",
    run: (cx) => {
      const bad = ["", " ", "a b", "a,b", "a/b", "a:b", 'a"b', "a@b", "ä", "\x7f", "a\tb", "(a)", "{a}", "[a]", "a=b", "a?b", "a;b", "a<b", "a\\b"];
      for (const protocol of bad) throws("SyntaxError", () => cx.make("/echo", protocol));
      same(cx.make("/echo", "!#$%&'*+-.^_`|~09azAZ").readyState, 0);
      same(cx.make("/echo", []).readyState, 0);
    },
  },
  {
    number: 10,
    name: "what fails in the network does not throw",
    run: async (cx) => {
      const socket = cx.make("ws://127.0.0.1:9/");
      same(socket.readyState, 0);
      await next(socket, "close");
    },
    instead: {
      why: "the failure does not end it: another attempt follows",
      run: async (cx) => {
        const socket = cx.make("ws://127.0.0.1:9/");
        await next(socket, "reconnecting");
        same(socket.readyState, 0);
      },
    },
  },
  { number: 11, name: "readyState begins as 0", run: (cx) => same(cx.make("/echo").readyState, 0) },
  {
    number: 12,
    name: "protocol and extensions are empty until it is open",
    run: async (cx) => {
      const socket = cx.make("/echo", ["chosen", "other"]);
      same([socket.protocol, socket.extensions], ["", ""]);
      await next(socket, "open");
      same([socket.protocol, socket.extensions], ["chosen", ""]);
    },
  },
  { number: 13, name: "bufferedAmount begins as 0", run: (cx) => same(cx.make("/echo").bufferedAmount, 0) },
  {
    number: 14,
    name: "binaryType begins as blob",
    run: async (cx) => {
      const socket = new cx.Socket(`${cx.ws}/echo`);
      same(socket.binaryType, "blob");
      await next(socket, "open");
      const message = next<MessageEvent>(socket, "message");
      socket.send(new Uint8Array([1, 2]));
      const { data } = await message;
      same(data instanceof Blob, true);
      socket.close();
    },
  },
  {
    number: 15,
    name: "a binaryType that is none is ignored without a throw",
    run: async (cx) => {
      const socket = cx.make("/echo");
      for (const bad of ["text", "", "Blob", null, undefined, 1]) socket.binaryType = bad as BinaryType;
      same(socket.binaryType, "arraybuffer");
      await next(socket, "open");
      socket.binaryType = "blob";
      same((await cx.echo(socket, new Uint8Array(1))) instanceof Blob, true);
      socket.binaryType = "arraybuffer";
      same((await cx.echo(socket, new Uint8Array(1))) instanceof ArrayBuffer, true);
    },
    deviates: {
      undici: "sets it to blob",
    },
  },
  {
    number: 16,
    name: "the constants stand on class and prototype, read-only",
    run: (cx) => {
      const names = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"] as const;
      for (const [value, name] of names.entries()) {
        for (const place of [cx.Socket, cx.Socket.prototype, cx.make("/echo")]) {
          same(place[name], value);
          throws("TypeError", () => ((place as Record<typeof name, number>)[name] = 9));
        }
        const { writable, enumerable, configurable } = ownerOf(cx.Socket.prototype, name);
        same({ writable, enumerable, configurable }, { writable: false, enumerable: true, configurable: false });
      }
    },
  },
];

// The drop-in's columns are subclasses: the constants are one prototype further up.
function ownerOf(prototype: object, name: string): PropertyDescriptor {
  for (let at: object | null = prototype; at !== null; at = Object.getPrototypeOf(at)) {
    const descriptor = Object.getOwnPropertyDescriptor(at, name);
    if (descriptor) return descriptor;
  }
  throw new Error(`no ${name}`);
}
