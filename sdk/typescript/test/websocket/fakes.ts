import type { Environment, PageEvent } from "../../src/environment.js";

/** Time that passes when it is told to. */
export class FakeClock {
  now = 0;
  #timers = new Map<number, { due: number; callback: () => void }>();
  #lastId = 0;

  get pending(): number {
    return this.#timers.size;
  }

  setTimeout = (callback: () => void, delay: number): number => {
    this.#lastId += 1;
    this.#timers.set(this.#lastId, { due: this.now + delay, callback });
    return this.#lastId;
  };

  clearTimeout = (id: unknown): void => {
    this.#timers.delete(id as number);
  };

  /** Lets time pass, with what is due on the way, and lets promises settle. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      await settled();
      const [id, timer] = [...this.#timers].sort(([, a], [, b]) => a.due - b.due)[0] ?? [0, undefined];
      if (timer === undefined || timer.due > end) break;
      this.#timers.delete(id);
      this.now = Math.max(this.now, timer.due);
      timer.callback();
    }
    this.now = end;
  }
}

/** Long enough for the few promises of an address. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

/** A `WebSocket` whose server is the test. */
export class FakeSocket {
  readyState = 0;
  protocol = "";
  extensions = "";
  bufferedAmount = 0;
  binaryType = "blob";
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  sent: unknown[] = [];
  closed: unknown[] | undefined;
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  send(data: unknown): void {
    if (this.readyState === 1) this.sent.push(data);
  }

  close(...args: unknown[]): void {
    this.closed ??= args;
    this.readyState = Math.max(this.readyState, 2);
  }

  accept(protocol = ""): void {
    this.readyState = 1;
    this.protocol = protocol;
    this.onopen?.(new Event("open"));
  }

  receive(data: unknown): void {
    this.onmessage?.(new MessageEvent("message", { data, origin: "ws://server" }));
  }

  end(code: number, reason = "", wasClean = code !== 1006): void {
    this.readyState = 3;
    if (!wasClean) this.onerror?.(new Event("error"));
    this.onclose?.(Object.assign(new Event("close"), { code, reason, wasClean }));
  }
}

/** Surroundings of which the test holds every part. */
export class Bench {
  readonly clock = new FakeClock();
  readonly sockets: FakeSocket[] = [];
  readonly reported: unknown[] = [];
  /** What the next draw of chance gives. */
  chance = 0.5;
  /** What the next socket's constructor throws. */
  refusal: Error | undefined;
  #page: ((event: PageEvent) => void) | undefined;

  readonly environment: Partial<Environment> = {
    WebSocket: this.#socketClass(),
    now: () => this.clock.now,
    random: () => this.chance,
    setTimeout: this.clock.setTimeout,
    clearTimeout: this.clock.clearTimeout,
    base: undefined,
    reportError: (error) => this.reported.push(error),
    page: {
      listen: (handler, signal) => {
        this.#page = handler;
        signal.addEventListener("abort", () => (this.#page = undefined));
      },
    },
  };

  /** The newest socket. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("no socket was made");
    return socket;
  }

  get isListeningToPage(): boolean {
    return this.#page !== undefined;
  }

  page(event: PageEvent): void {
    this.#page?.(event);
  }

  #socketClass(): typeof WebSocket {
    const bench = this;
    class Socket extends FakeSocket {
      constructor(url: string) {
        super(url);
        if (bench.refusal) throw bench.refusal;
        bench.sockets.push(this);
      }
    }
    return Socket as unknown as typeof WebSocket;
  }
}
