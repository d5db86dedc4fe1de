import type { Message } from "../codec/codec.js";
import type { TransportEvents, TransportFactory, TransportTarget } from "../transport/transport.js";

/** A line as the server of a test sees it. */
export interface ServerLine {
  readonly target: TransportTarget;
  /** All that the client has sent, in order. */
  readonly received: Message[];
  /** What the client closed it with; undefined while it has not. */
  readonly closedWith: { code: number | undefined } | undefined;
  /** The next message that was not taken yet. Rejects if none comes within 5 s. */
  take(): Promise<Message>;
  /** The connection is there; comes before anything else. */
  open(): void;
  send(message: object): void;
  /** Sends a frame as it is. */
  sendFrame(frame: string | Uint8Array): void;
  /** Ends the line. 1006: it was cut. */
  close(code?: number, reason?: string): void;
}

/** A server that lives in the test. */
export interface TestServer {
  readonly transport: TransportFactory;
  /** All lines that were opened, in order. */
  readonly lines: ServerLine[];
  /** The newest line. Throws if there was none. */
  readonly line: ServerLine;
  /** The next line that was not taken yet. Rejects if none comes within 5 s. */
  take(): Promise<ServerLine>;
}

/** What a server does by itself. */
export interface TestServerOptions {
  /**
   * Whether lines open and are welcomed at once.
   * @default true
   */
  welcomes?: boolean;
  /**
   * Whether it answers `ping`.
   * @default true
   */
  pongs?: boolean;
  /** Fields of `welcome` beside the usual ones. */
  welcome?: object;
  /** Answers a message, if it gives something: one message or several. */
  answer?: (message: Message, line: ServerLine) => object | object[] | undefined | void;
}

const PATIENCE = 5_000;

/** Makes a server whose lines need no network. */
export function createTestServer({ welcomes = true, pongs = true, welcome = {}, answer }: TestServerOptions = {}): TestServer {
  const lines: ServerLine[] = [];
  const fresh = createStock<ServerLine>("line");
  const open = (target: TransportTarget, events: TransportEvents): BothEnds => {
    const line = createLine(target, events, (message, line) => (pongs && message.type === "ping" ? { type: "pong" } : answer?.(message, line)));
    lines.push(line);
    fresh.put(line);
    if (welcomes) {
      queueMicrotask(() => {
        line.open();
        line.send({ type: "welcome", protocol: 1, clientId: `c-${lines.length}`, authenticated: false, ...welcome });
      });
    }
    return line;
  };
  return {
    lines,
    get line() {
      const line = lines.at(-1);
      if (!line) {
        throw new Error("no line was opened");
      }
      return line;
    },
    take: fresh.take,
    transport: {
      name: "websocket",
      supported: () => true,
      open(target, events) {
        const line = open(target, events);
        return { name: "websocket", send: line.deliver, close: line.end, bufferedAmount: 0 };
      },
    },
  };
}

/** Both ends of a line: the server's, and what the client's transport does. */
interface BothEnds extends ServerLine {
  deliver(frame: string | Uint8Array): void;
  end(code?: number): void;
}

function createLine(target: TransportTarget, events: TransportEvents, answer: NonNullable<TestServerOptions["answer"]>): BothEnds {
  const { codec } = target;
  const received: Message[] = [];
  const stock = createStock<Message>("message");
  let closedWith: { code: number | undefined } | undefined;
  let isOver = false;
  const isOpen = (): boolean => !closedWith && !isOver;
  const line = {
    target,
    received,
    get closedWith() {
      return closedWith;
    },
    take: stock.take,
    open: () => void (isOpen() && events.onopen()),
    send: (message: object) => line.sendFrame(codec.encode(message)),
    sendFrame: (frame: string | Uint8Array) => void (isOpen() && events.onmessage(frame)),
    close(code = 1006, reason = "") {
      if (isOpen()) {
        isOver = true;
        events.onclose({ code, reason, wasClean: code !== 1006 });
      }
    },
    deliver(frame: string | Uint8Array) {
      if (!isOpen()) {
        return;
      }
      const message = codec.decode(frame);
      received.push(message);
      stock.put(message);
      // A server answers later, never from within the client's call.
      queueMicrotask(() => [answer(message, line) ?? []].flat().forEach(line.send));
    },
    end(code?: number) {
      closedWith ??= { code };
    },
  };
  return line;
}

/** What came, and who waits for it. */
function createStock<T>(what: string): { put(one: T): void; take(): Promise<T> } {
  const stock: T[] = [];
  const takers: ((one: T) => void)[] = [];
  return {
    put(one) {
      const taker = takers.shift();
      if (taker) {
        taker(one);
      } else {
        stock.push(one);
      }
    },
    take: () =>
      new Promise((resolve, reject) => {
        if (stock.length > 0) {
          return resolve(stock.shift()!);
        }
        const timer = setTimeout(() => {
          takers.splice(takers.indexOf(taker), 1);
          reject(new Error(`no ${what} came within ${PATIENCE} ms`));
        }, PATIENCE);
        const taker = (one: T): void => {
          clearTimeout(timer);
          resolve(one);
        };
        takers.push(taker);
      }),
  };
}
