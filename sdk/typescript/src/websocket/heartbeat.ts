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

/** What a message says to the machinery, in milliseconds. */
export interface Heard {
  /** It answers a heartbeat, and is not for the application. */
  readonly isReply: boolean;
  /** Over how long the server wants its clients to spread when they come back. */
  readonly retrySpread?: number;
  /** When to come back after the close that follows. */
  readonly retryAfter?: number;
}

/** Which message asks for a sign of life on this line, and which one answers. */
export class Heartbeat {
  readonly #always: HeartbeatMessage | undefined;
  readonly #never: boolean;
  #present: HeartbeatMessage | undefined;
  #isFirst = true;
  /** Whether the server speaks Openline's protocol, so that its hints are heeded. */
  #isOpenline = false;
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
    this.#isOpenline = protocol.startsWith("openline.");
    this.#present = this.#always;
    if (this.#isOpenline) this.#present ??= PING;
    // A text is a mistake on a line that speaks MessagePack.
    if (this.#present === PING && protocol === "openline.v1.msgpack") this.#present = PACKED_PING;
  }

  /** A message came. */
  handleMessage(data: unknown): Heard {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    const isReply = this.#isReply(data);
    if (isReply) this.#asked = undefined;
    // Only what may be one of Openline's own is parsed: the application's messages cost nothing.
    const isClose = this.#isOpenline && typeof data === "string" && data.startsWith('{"type":"close"');
    const said = isFirst || isReply || isClose ? parsed(data) : undefined;
    if (isFirst && said?.["type"] === "welcome") {
      this.#isOpenline = true;
      this.#present ??= PING;
    }
    if (!this.#isOpenline || said === undefined) return { isReply };
    const { retrySpread, retryAfter } = said;
    return { isReply, ...(isTime(retrySpread) && { retrySpread }), ...(isClose && isTime(retryAfter) && { retryAfter }) };
  }

  /** What to send for a sign of life; undefined where nothing may be sent. */
  ask(): string | Uint8Array | undefined {
    if (this.#never || this.#present === undefined) return undefined;
    const { message } = this.#present;
    this.#asked = typeof message === "function" ? message() : message;
    return this.#asked;
  }

  #isReply(data: unknown): boolean {
    if (this.#asked === undefined) return false;
    // An echo server gives the question back.
    return data === this.#asked || this.#present?.isReply?.(data) === true;
  }
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0;
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
