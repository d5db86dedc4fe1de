import type { HeartbeatMessage, ReconnectingWebSocketOptions } from "./options.js";

const PING: HeartbeatMessage = {
  message: '{"type":"ping"}',
  isReply: (data) => parsed(data)?.["type"] === "pong",
};
/** The same as a MessagePack map. Its answer is shown to the application: a `Blob` cannot be looked into at once. */
const PACKED_PING: HeartbeatMessage = {
  message: new Uint8Array([0x81, 0xa4, 0x74, 0x79, 0x70, 0x65, 0xa4, 0x70, 0x69, 0x6e, 0x67]),
};
/** A longer text is no `welcome` or `pong`, and is not parsed. */
const LOOKED_AT_MAX = 4_096;

/** What a message says to the machinery: that the application is not to see it, and how far apart retries are to be. */
export interface Heard {
  readonly isReply: boolean;
  readonly retrySpread?: number;
}

/** Which message asks for a sign of life on this line, and which one answers. */
export class Heartbeat {
  readonly #always: HeartbeatMessage | undefined;
  readonly #never: boolean;
  #present: HeartbeatMessage | undefined;
  #isFirst = true;
  /** What was asked and not answered yet. */
  #asked: string | Uint8Array | undefined;

  constructor({ heartbeat, heartbeatInterval, heartbeatTimeout }: ReconnectingWebSocketOptions) {
    this.#never = heartbeat === false;
    if (typeof heartbeat === "object") this.#always = heartbeat;
    else if (heartbeat === true || heartbeatInterval !== undefined || heartbeatTimeout !== undefined) this.#always = PING;
  }

  /** A line was opened. */
  handleOpen(protocol: string): void {
    this.#isFirst = true;
    this.#asked = undefined;
    this.#present = this.#always;
    if (protocol.startsWith("openline.")) this.#present ??= protocol.endsWith(".msgpack") ? PACKED_PING : PING;
  }

  /** A message came. */
  handleMessage(data: unknown): Heard {
    const welcome = this.#isFirst ? parsed(data) : undefined;
    this.#isFirst = false;
    if (welcome?.["type"] === "welcome") {
      this.#present ??= PING;
      const { retrySpread } = welcome;
      return typeof retrySpread === "number" && retrySpread >= 0 ? { isReply: false, retrySpread } : { isReply: false };
    }
    if (this.#asked === undefined) return { isReply: false };
    // An echo server gives the question back.
    const isReply = data === this.#asked || this.#present?.isReply?.(data) === true;
    if (isReply) this.#asked = undefined;
    return { isReply };
  }

  /** What to send for a sign of life; undefined where nothing may be sent. */
  ask(): string | Uint8Array | undefined {
    if (this.#never || this.#present === undefined) return undefined;
    const { message } = this.#present;
    this.#asked = typeof message === "function" ? message() : message;
    return this.#asked;
  }
}

function parsed(data: unknown): Record<string, unknown> | undefined {
  if (typeof data !== "string" || data.length > LOOKED_AT_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
