// What an assertion may use. It runs in a page and in Node, so it brings its own comparing.

/** One assertion of the standard. */
export interface Assertion {
  /** The number it goes by, here and in the report. */
  readonly number: number;
  readonly name: string;
  run(cx: Context): unknown;
  /** What is different on purpose, and how, for `reconnecting`: the drop-in as it is without options. */
  readonly instead?: { readonly why: string; run(cx: Context): unknown };
  /** Where the implementation below does not hold it: the run has to fail there, or the entry is out of date. */
  readonly deviates?: Readonly<Partial<Record<Column, string>>>;
}

/** What is looked at. `once` is the drop-in with `reconnect: false, queue: false`. */
export type Column = "chromium" | "chromium once" | "chromium reconnecting" | "undici" | "undici once" | "undici reconnecting";

export interface SocketClass {
  new (url: string | URL, protocols?: string | string[]): WebSocket;
  readonly CONNECTING: number;
  readonly OPEN: number;
  readonly CLOSING: number;
  readonly CLOSED: number;
}

export class Context {
  /** `ws://host:port` */
  readonly ws: string;
  /** `http://host:port` */
  readonly http: string;
  readonly Socket: SocketClass;
  readonly #made: WebSocket[] = [];

  constructor(http: string, Socket: SocketClass) {
    this.http = http;
    this.ws = http.replace("http", "ws");
    this.Socket = Socket;
  }

  /** A socket to a path of the server; it is closed at the end. */
  make(path: string, protocols?: string | string[]): WebSocket {
    const url = path.startsWith("/") ? this.ws + path : path;
    const socket = protocols === undefined ? new this.Socket(url) : new this.Socket(url, protocols);
    socket.binaryType = "arraybuffer";
    this.#made.push(socket);
    return socket;
  }

  async open(path: string, protocols?: string | string[]): Promise<WebSocket> {
    const socket = this.make(path, protocols);
    await next(socket, "open");
    return socket;
  }

  /** Makes a socket, leads it to its end, and says what was seen on the way. */
  async seen(path: string, protocols?: string | string[]): Promise<Seen> {
    const socket = this.make(path, protocols);
    const seen = record(socket);
    await next(socket, "close");
    return seen;
  }

  async echo(socket: WebSocket, data: string | ArrayBuffer | ArrayBufferView<ArrayBuffer> | Blob): Promise<unknown> {
    const answer = next<MessageEvent>(socket, "message");
    socket.send(data);
    return (await answer).data;
  }

  release(): void {
    for (const socket of this.#made) socket.close();
  }
}

export interface Seen {
  types: string[];
  states: number[];
  close?: { code: number; reason: string; wasClean: boolean };
}

/** Writes down what events come, and in what state. */
export function record(socket: WebSocket): Seen {
  const seen: Seen = { types: [], states: [] };
  for (const type of ["open", "message", "error", "close", "reconnecting"]) {
    socket.addEventListener(type, (event) => {
      seen.types.push(type);
      seen.states.push(socket.readyState);
      const { code, reason, wasClean } = event as CloseEvent;
      if (type === "close") seen.close = { code, reason, wasClean };
    });
  }
  return seen;
}

export function next<E extends Event = Event>(target: EventTarget, type: string): Promise<E> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${type} within 5 s`)), 5_000);
    target.addEventListener(type, (event) => (clearTimeout(timer), resolve(event as E)), { once: true });
  });
}

export function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export function same(actual: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${a} instead of ${b}`);
}

export function throws(name: string, act: () => unknown, about = "it"): void {
  let thrown: unknown;
  try {
    act();
  } catch (error) {
    thrown = error;
  }
  if (thrown === undefined) throw new Error(`${about}: nothing thrown instead of ${name}`);
  const { name: actual, message } = thrown as Error;
  if (actual !== name) throw new Error(`${actual} (${message}) instead of ${name}`);
  // `TypeError` is the one that is no DOMException.
  if (name !== "TypeError" && !(thrown instanceof DOMException)) throw new Error(`${name} is no DOMException`);
}

export interface Result {
  readonly number: number;
  readonly name: string;
  readonly column: Column;
  readonly outcome: "holds" | "differs" | "deviates" | "fails";
  readonly text: string;
}

/** Runs all assertions on one implementation, one after the other. */
export async function runAll(list: readonly Assertion[], column: Column, http: string, Socket: SocketClass): Promise<Result[]> {
  const results: Result[] = [];
  for (const assertion of list) results.push(await runOne(assertion, column, http, Socket));
  return results;
}

async function runOne(assertion: Assertion, column: Column, http: string, Socket: SocketClass): Promise<Result> {
  const instead = column.endsWith("reconnecting") ? assertion.instead : undefined;
  const deviation = assertion.deviates?.[column];
  const cx = new Context(http, Socket);
  let failure: string | undefined;
  try {
    await (instead ?? assertion).run(cx);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  cx.release();
  const result = { number: assertion.number, name: assertion.name, column };
  if (deviation !== undefined) {
    if (failure === undefined) return { ...result, outcome: "fails", text: `is listed as a deviation ("${deviation}"), and holds` };
    return { ...result, outcome: "deviates", text: deviation };
  }
  if (failure !== undefined) return { ...result, outcome: "fails", text: failure };
  return { ...result, outcome: instead ? "differs" : "holds", text: instead?.why ?? "" };
}
