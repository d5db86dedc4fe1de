import { environment } from "../environment.js";
import { parseAddress, parseCloseCode, parseCloseReason, parsePayload, parseProtocols, payloadBytes } from "./arguments.js";
import { closeEvent, HandlerAttributes, MaxRetriesReachedEvent, ReconnectingEvent, type Ending, type Handler } from "./events.js";
import { Lines, type Surroundings } from "./lines.js";
import { checkNumbers, outboxLimits, type Address, type ReconnectingWebSocketOptions } from "./options.js";
import { Outbox } from "./outbox.js";

/** The events, by their names. */
export interface ReconnectingWebSocketEventMap extends WebSocketEventMap {
  reconnecting: ReconnectingEvent;
  maxretriesreached: MaxRetriesReachedEvent;
}

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/**
 * A `WebSocket` that comes back. It keeps the standard's rules; where it cannot, because it has more than one line in
 * its life, this is how:
 *
 * - `open` comes each time a line is open. What its handlers send goes out before what was queued: a login, say.
 * - `close` comes once, when it is over for good, with `error` before it if it failed. A loss that is made good again
 *   is a `reconnecting` event, which has the code and the reason. So code that was written for a `WebSocket`, and
 *   opens a new one on `close`, does not end with two.
 * - `readyState` is CONNECTING from the loss until the next `open`.
 * - `send` queues while CONNECTING, see the option `queue`.
 * - Messages are events of its own making: `isTrusted` is false.
 *
 * It ends for good by `close()`, by a close code that says so (1000, 1002, 1003, 1007 to 1010, 4001, 4002, 4005), or
 * after `maxReconnectAttempts`. The caller owes `close()`, also to one that only waits for its next attempt.
 */
export class ReconnectingWebSocket extends EventTarget {
  declare static readonly CONNECTING: 0;
  declare static readonly OPEN: 1;
  declare static readonly CLOSING: 2;
  declare static readonly CLOSED: 3;
  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSING: 2;
  declare readonly CLOSED: 3;
  declare onopen: Handler<Event>;
  declare onmessage: Handler<MessageEvent>;
  declare onerror: Handler<Event>;
  declare onclose: Handler<CloseEvent>;
  declare onreconnecting: Handler<ReconnectingEvent>;
  declare onmaxretriesreached: Handler<MaxRetriesReachedEvent>;
  static {
    for (const type of ["open", "message", "error", "close", "reconnecting", "maxretriesreached"]) {
      Object.defineProperty(this.prototype, `on${type}`, {
        get(this: ReconnectingWebSocket) {
          return this.#handlers.value(type);
        },
        set(this: ReconnectingWebSocket, handler: unknown) {
          this.#handlers.set(type, handler);
        },
        enumerable: true,
        configurable: true,
      });
    }
    for (const place of [this, this.prototype]) {
      for (const [name, value] of Object.entries({ CONNECTING, OPEN, CLOSING, CLOSED })) {
        Object.defineProperty(place, name, { value, enumerable: true });
      }
    }
  }

  readonly #options: ReconnectingWebSocketOptions;
  readonly #lines: Lines;
  readonly #handlers = new HandlerAttributes(this);
  #state: 0 | 1 | 2 | 3 = CONNECTING;
  #binaryType: BinaryType = "blob";
  #outbox: Outbox | undefined;
  /** Bytes that were sent when it was too late. */
  #discarded = 0;

  /**
   * Throws as `WebSocket` does for what can be seen at once, and a `NotSupportedError` where there is no class of
   * sockets. What a function for the address throws or gives wrong is a failed attempt.
   */
  constructor(address: Address, protocols?: string | readonly string[], options: ReconnectingWebSocketOptions = {}) {
    super();
    if (arguments.length === 0) throw new TypeError("an address is needed, like wss://example.org/ws");
    checkNumbers(options);
    const surroundings = environment(options.environment);
    const where = typeof address === "function" ? address : parseAddress(address, surroundings.base);
    const list = parseProtocols(protocols ?? options.protocols ?? []);
    if (!surroundings.WebSocket) {
      throw new DOMException("there is no WebSocket here: give one as environment.WebSocket", "NotSupportedError");
    }
    this.#options = options;
    this.#outbox = this.#emptyOutbox();
    this.#lines = new Lines(where, list, options, surroundings as Surroundings, {
      opened: () => this.#handleOpened(),
      message: ({ data, origin, lastEventId }) => {
        if (this.#state === OPEN) this.dispatchEvent(new MessageEvent("message", { data, origin, lastEventId }));
      },
      lost: (loss) => {
        this.#state = CONNECTING;
        this.dispatchEvent(new ReconnectingEvent(loss));
      },
      ended: (ending, failed, gaveUp) => this.#handleEnded(ending, failed, gaveUp),
    });
    this.#lines.start();
  }

  /** The address of the present or last line; empty until a function gave the first. */
  get url(): string {
    return this.#lines.url;
  }

  /** As the standard's; while it waits for its next attempt, CONNECTING. */
  get readyState(): 0 | 1 | 2 | 3 {
    return this.#state === OPEN && this.#lines.line?.readyState === CLOSING ? CLOSING : this.#state;
  }

  /** Whether it is open now. */
  get isConnected(): boolean {
    return this.readyState === OPEN;
  }

  /** The subprotocol that the server chose, of the present line. */
  get protocol(): string {
    return this.#lines.line?.protocol ?? "";
  }

  get extensions(): string {
    return this.#lines.line?.extensions ?? "";
  }

  /** Bytes that were given to `send` and not to the network, those in the queue included. */
  get bufferedAmount(): number {
    return this.#lines.bufferedAmount + (this.#outbox?.bytes ?? 0) + this.#discarded;
  }

  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    if (type !== "blob" && type !== "arraybuffer") return;
    this.#binaryType = type;
    this.#lines.binaryType = type;
  }

  /**
   * Sends, or queues while there is no line; throws a `QuotaExceededError` where the queue has no room, or without
   * a queue an `InvalidStateError`.
   */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    if (arguments.length === 0) throw new TypeError("send needs an argument");
    const payload = parsePayload(data);
    if (this.#state >= CLOSING) {
      this.#discarded += payloadBytes(payload);
    } else if (this.#state === OPEN && this.#lines.send(payload)) {
      return;
    } else if (this.#outbox) {
      this.#outbox.add(payload);
    } else if (this.#state === CONNECTING) {
      throw new DOMException('it is not open yet: wait for "open", or leave out queue: false', "InvalidStateError");
    } else {
      // The server's Close has come: as for a WebSocket in CLOSING.
      this.#discarded += payloadBytes(payload);
    }
  }

  /** `send` of the value as JSON. Throws a `TypeError` for what has none, such as undefined. */
  sendJSON(value: unknown): void {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError(`${typeof value} is not JSON: give an object, a list, a text, a number, a boolean or null`);
    this.send(text);
  }

  /** Ends it for good. The arguments, and what follows, are the standard's. */
  close(code?: number, reason?: string): void {
    const checkedCode = parseCloseCode(code);
    const checkedReason = parseCloseReason(reason);
    if (this.#state >= CLOSING) return;
    this.#state = CLOSING;
    this.#lines.close(checkedCode, checkedReason);
  }

  /**
   * Drops the line if there is one, and opens another without a delay. After the end it begins a new life, with an
   * empty queue. While CLOSING it does nothing.
   */
  reconnect(): void {
    if (this.#state === CLOSING) return;
    if (this.#state === CLOSED) {
      this.#outbox = this.#emptyOutbox();
      this.#discarded = 0;
    }
    const wasOpen = this.#state === OPEN;
    this.#state = CONNECTING;
    this.#lines.restart();
    if (wasOpen) this.dispatchEvent(new ReconnectingEvent({ attempt: 1, delay: 0, code: 1000, reason: "the application asked for a new line" }));
  }

  #emptyOutbox(): Outbox | undefined {
    const limits = outboxLimits(this.#options.queue);
    return limits && new Outbox(limits);
  }

  #handleOpened(): void {
    this.#state = OPEN;
    this.dispatchEvent(new Event("open"));
    if (this.#state === OPEN) this.#outbox?.drain((payload) => this.#lines.send(payload));
  }

  #handleEnded(ending: Ending, failed: boolean, gaveUp: number | undefined): void {
    this.#state = CLOSED;
    this.#outbox?.discard();
    if (gaveUp !== undefined) this.dispatchEvent(new MaxRetriesReachedEvent(gaveUp));
    if (failed) this.dispatchEvent(new Event("error"));
    this.dispatchEvent(closeEvent(ending));
  }
}

// Listeners know their events' types.
export interface ReconnectingWebSocket {
  addEventListener<K extends keyof ReconnectingWebSocketEventMap>(
    type: K,
    listener: (this: ReconnectingWebSocket, event: ReconnectingWebSocketEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof ReconnectingWebSocketEventMap>(
    type: K,
    listener: (this: ReconnectingWebSocket, event: ReconnectingWebSocketEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}
