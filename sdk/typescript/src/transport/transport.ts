import type { Codec } from "../codec/codec.js";
import type { Environment } from "../environment.js";

/** What carries the line. */
export type TransportName = "websocket" | "sse" | "long-poll";

/** One attempt at a line: it moves whole frames, and after `close()` it is silent. */
export interface Transport {
  readonly name: TransportName;
  /** Sends a frame. Throws nothing: a dead line tells by `onclose`. */
  send(frame: string | Uint8Array): void;
  /** Ends the line. Afterwards none of the events is called any more. */
  close(code?: number, reason?: string): void;
  /** Bytes that were given to `send` and have not left yet. */
  readonly bufferedAmount: number;
}

/** What a transport tells. Never called before `open` has returned. */
export interface TransportEvents {
  onopen(): void;
  onmessage(frame: string | Uint8Array): void;
  /** Exactly once, unless `close()` was called. 1006 where there was no code. */
  onclose(end: { code: number; reason: string; wasClean: boolean }): void;
}

/** Where a transport goes, and with what. */
export interface TransportTarget {
  /** The address of the WebSocket endpoint, `ws:` or `wss:`, as in `wss://example.com/ws`. */
  url: string;
  codec: Codec;
  environment: Environment;
  /** For transports that show the token when they open; on a WebSocket it is shown by a message. */
  token?: string;
  /** The position of each channel, for transports whose address names channels. */
  resume: ReadonlyMap<string, string>;
}

/** Makes transports, one for each attempt. */
export interface TransportFactory {
  readonly name: TransportName;
  open(at: TransportTarget, events: TransportEvents): Transport;
  /** Whether the environment has what the transport needs. */
  supported(environment: Environment): boolean;
}
