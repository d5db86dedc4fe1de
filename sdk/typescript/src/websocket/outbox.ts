import { copyPayload, payloadBytes, type Payload } from "./arguments.js";

/** How much may wait for a line. */
export interface OutboxLimits {
  /** Messages. @default 1000 */
  readonly messagesMax: number;
  /** Bytes of payload; text counts as UTF-8. @default 1048576 */
  readonly bytesMax: number;
}

/**
 * What was sent while there was no line, in its order. It is bounded, and a full one refuses what is newest:
 * the caller sees it at once, and nothing that was taken is dropped behind its back.
 */
export class Outbox {
  /** Payload bytes of what waits. */
  bytes = 0;
  readonly #limits: OutboxLimits;
  #messages: Payload[] = [];

  constructor(limits: OutboxLimits) {
    this.#limits = limits;
  }

  /** How many messages wait. */
  get size(): number {
    return this.#messages.length;
  }

  /** Takes a copy of the payload; throws a `QuotaExceededError` where it does not fit. */
  add(payload: Payload): void {
    const { messagesMax, bytesMax } = this.#limits;
    const bytes = payloadBytes(payload);
    if (this.#messages.length >= messagesMax || this.bytes + bytes > bytesMax) {
      throw new DOMException(
        `the queue holds ${this.#messages.length} messages of ${this.bytes} bytes, and may hold ${messagesMax} of ${bytesMax}: wait for "open"`,
        "QuotaExceededError",
      );
    }
    this.#messages.push(copyPayload(payload));
    this.bytes += bytes;
  }

  /** Gives everything in its order, as long as `send` says true: that it was taken. */
  drain(send: (payload: Payload) => boolean): void {
    const waiting = this.#messages;
    let sent = 0;
    while (sent < waiting.length) {
      const payload = waiting[sent] as Payload;
      if (!send(payload)) break;
      this.bytes -= payloadBytes(payload);
      sent += 1;
    }
    this.#messages = waiting.slice(sent);
  }

  /** Throws everything away; its bytes stay counted, as those of an ended `WebSocket` do. */
  discard(): void {
    this.#messages = [];
  }
}
