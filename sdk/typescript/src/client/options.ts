import type { Codec } from "../codec/codec.js";
import type { Contract } from "../contract.js";
import type { Environment } from "../environment.js";
import type { TransportFactory } from "../transport/transport.js";

/** Why a token is asked for. */
export interface AuthContext {
  /** `connect`: a line is about to be opened. `expired`: the last token was too old. `refresh`: it soon will be. `channel`: a channel wants one of its own. */
  why: "connect" | "expired" | "refresh" | "channel";
  /** With `channel`: which. */
  channel?: string;
  /** Aborts when nobody waits for the token any more. */
  signal: AbortSignal;
}

/** Gives a token, or null for none. To stop the client it throws FatalAuthError; any other error is a failed attempt. */
export type Auth = (cx: AuthContext) => Promise<string | null> | string | null;

/** What a client is made of. All times are in milliseconds. */
export interface ClientOptions<C = unknown> {
  /**
   * Where the server is: `ws:`, `wss:`, `http:` or `https:`, or relative to the page. Without a path it is `/ws`.
   * A wrong address throws in `createClient`. A function is called for each attempt; what it throws is a failed attempt.
   */
  url: string | URL | (() => string | URL | Promise<string | URL>);
  /**
   * Asked before every attempt, when the server calls a token expired, and before one runs out. Its answer is not kept.
   * @default no token
   */
  auth?: Auth;
  /**
   * What may carry the line, the best first.
   * @default [websocket()]
   */
  transports?: TransportFactory[];
  /**
   * How messages are written.
   * @default json()
   */
  codec?: Codec;
  /** When to come back after a line was lost. It does not act on a line that is open. */
  backoff?: {
    /**
     * The bound of the first delay, before the server says how far its clients are to spread.
     * @default 500
     */
    base?: number;
    /**
     * The bound that delays grow to. Each is drawn at random below its bound.
     * @default 30000
     */
    max?: number;
    /**
     * The least delay after a close that says to come back later (1013, 4003, 4004).
     * @default 30000
     */
    later?: number;
    /**
     * After how many failures in a row the client stops.
     * @default any number
     */
    attemptsMax?: number;
  };
  /** How a dead line is found. It does not keep proxies awake more often than `interval`. */
  heartbeat?: {
    /**
     * After what quiet the server is asked for a sign of life.
     * @default what the server's welcome names
     */
    interval?: number;
    /**
     * How long to wait for it before the line is given up.
     * @default 10000
     */
    timeout?: number;
  };
  /**
   * How long a token, the opening and the welcome may take together, and then how long the check of the token.
   * @default 10000
   */
  connectTimeout?: number;
  /** What may wait, until it is answered. Volatile messages never do, and in `core` there are no others. */
  queue?: {
    /**
     * How many messages.
     * @default 1000
     */
    messagesMax?: number;
    /**
     * How many bytes of them.
     * @default 1048576
     */
    bytesMax?: number;
    /**
     * How long a message may wait that has no time of its own.
     * @default 60000
     */
    ageMax?: number;
    /**
     * What happens beyond that: the new message is refused with `queue_full`; the oldest that was not sent is; or the
     * new one waits for room, as many as `messagesMax` of them.
     * @default "reject"
     */
    overflow?: "reject" | "dropOldest" | "wait";
  };
  /**
   * What payloads look like, from `defineContract`. Types of all calls follow from it. What comes and does not conform is
   * not delivered: it is an `error`. What is sent is not checked when the program runs.
   * @default anything
   */
  contract?: C & Contract;
  /**
   * Parts of the surroundings to replace, such as the class of sockets or the clock.
   * @default those of this script
   */
  environment?: Partial<Environment>;
}
