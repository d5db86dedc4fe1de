import type { Environment } from "../environment.js";
import type { OutboxLimits } from "./outbox.js";

/** What the address is asked for with. */
export interface AddressRequest {
  /** The number of the attempt, 0 for the first, as in `ReconnectingEvent`. */
  readonly attempt: number;
  /** `expired`: the server ended the line with 4000, so a token in the address has to be a new one. */
  readonly why: "connect" | "expired";
}

/** Where to connect to: an address, or a function that is asked before each attempt. */
export type Address = string | URL | ((request: AddressRequest) => string | URL | Promise<string | URL>);

/** How a sign of life is asked for. */
export interface HeartbeatMessage {
  /** What is sent; a function is asked each time. */
  readonly message: string | Uint8Array | (() => string | Uint8Array);
  /**
   * Whether a message that comes while one is awaited is the answer, and so not for the application. Any message is
   * a sign of life; this says only which ones are not shown. @default shows all
   */
  isReply?(data: unknown): boolean;
}

/** Options of `ReconnectingWebSocket`, its third argument. */
export interface ReconnectingWebSocketOptions {
  /** As the second argument, where that is left out. @default none */
  readonly protocols?: string | readonly string[];
  /**
   * Whether a lost line is opened again. With false it is a `WebSocket` that ends as one, though still with its
   * heartbeat and `connectTimeout`. @default true
   */
  readonly reconnect?: boolean;
  /**
   * The first delay is a random time up to this, in milliseconds; later ones up to a bound that doubles. A `welcome`
   * of an Openline server that names a `retrySpread` replaces it. @default 1000
   */
  readonly reconnectDelay?: number;
  /** What that bound grows to, in milliseconds. The chance comes after the bound, so delays stay apart. @default 30000 */
  readonly maxReconnectDelay?: number;
  /** How many attempts in a row may fail before it ends for good. @default Infinity */
  readonly maxReconnectAttempts?: number;
  /** How long an attempt may take, in milliseconds, the time for the address included. @default 10000 */
  readonly connectTimeout?: number;
  /**
   * How a sign of life is asked for after `heartbeatInterval` of quiet.
   * A message: with it, on every line. true: with `{"type":"ping"}`, on every line; so too if one of the two
   * times below is given. false: never.
   * @default `{"type":"ping"}` on lines that are known to take it: whose subprotocol begins with `openline.`, or
   * whose first message is a `welcome`. A line of any other server is sent nothing, and its loss is seen when the
   * browser sees it.
   */
  readonly heartbeat?: boolean | HeartbeatMessage;
  /** After how much quiet, in milliseconds. Anything that comes counts. @default 30000 */
  readonly heartbeatInterval?: number;
  /** How long it is waited for, in milliseconds; then the line is given up and another opened. @default 10000 */
  readonly heartbeatTimeout?: number;
  /**
   * Whether `send` takes messages while there is no line, to send them after the next `open`. What does not fit is
   * refused with a `QuotaExceededError`. false: `send` throws an `InvalidStateError` while connecting, as `WebSocket` does.
   * Messages that were given to a line which then broke are not sent again: `createClient` does that.
   * @default 1000 messages of 1 MiB together
   */
  readonly queue?: boolean | Partial<OutboxLimits>;
  /** Parts of the surroundings to replace: the class of sockets below, the clock, the timers, chance, the page. */
  readonly environment?: Partial<Environment>;
}

/** The limits of the queue, or undefined where there is none. */
export function outboxLimits(queue: ReconnectingWebSocketOptions["queue"] = true): OutboxLimits | undefined {
  if (queue === false) return undefined;
  return { messagesMax: 1_000, bytesMax: 1_048_576, ...(queue === true ? {} : queue) };
}

/** Throws a `RangeError` for a number that cannot be meant. */
export function checkNumbers(options: ReconnectingWebSocketOptions): void {
  const names = ["reconnectDelay", "maxReconnectDelay", "maxReconnectAttempts", "connectTimeout", "heartbeatInterval", "heartbeatTimeout"] as const;
  for (const name of names) {
    const value = options[name];
    // A delay that is always 0 would be a busy loop.
    const least = name === "reconnectDelay" ? 1 : 0;
    if (value !== undefined && !(value >= least)) throw new RangeError(`${name} is ${value}, and has to be ${least} or more`);
  }
}
