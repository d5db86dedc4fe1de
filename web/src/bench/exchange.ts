import { Ring } from "../ring.js";

export type MessageKind = "text" | "binary";

export interface Total {
  readonly messages: number;
  readonly bytes: number;
}

export interface RoundTrips {
  readonly last: number;
  readonly best: number;
  readonly median: number;
}

interface Pending {
  readonly kind: MessageKind;
  readonly size: number;
  readonly sentAt: number;
}

/**
 * Counts what went out and came in, and finds the round trip of each echo.
 *
 * Echoes keep their order, so an arrival belongs to the oldest message still
 * out that has its kind and size; older ones than that are given up. Payloads
 * are not compared: that would hold up to 16 MiB per message in flight.
 *
 * Times are milliseconds on any one clock; the caller reads it.
 */
export class Exchange {
  #pending: Pending[] = [];
  #roundTrips: Ring<number>;
  #last: number | undefined;
  #sent: Total = { messages: 0, bytes: 0 };
  #received: Total = { messages: 0, bytes: 0 };
  readonly #pendingMax: number;

  constructor(pendingMax = 10_000, roundTripsMax = 500) {
    this.#pendingMax = pendingMax;
    this.#roundTrips = new Ring(roundTripsMax);
  }

  get sent(): Total {
    return this.#sent;
  }

  get received(): Total {
    return this.#received;
  }

  get roundTrips(): RoundTrips | undefined {
    if (this.#last === undefined) {
      return undefined;
    }
    const sorted = this.#roundTrips.toArray().sort((a, b) => a - b);
    const best = sorted[0] ?? this.#last;
    const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? this.#last;
    return { last: this.#last, best, median };
  }

  handleSent(kind: MessageKind, size: number, now: number): void {
    this.#sent = added(this.#sent, size);
    if (this.#pending.length === this.#pendingMax) {
      this.#pending.shift();
    }
    this.#pending.push({ kind, size, sentAt: now });
  }

  /** Returns the round trip in milliseconds when this looks like an echo. */
  handleReceived(kind: MessageKind, size: number, now: number): number | undefined {
    this.#received = added(this.#received, size);
    const at = this.#pending.findIndex((sent) => sent.kind === kind && sent.size === size);
    const sent = this.#pending[at];
    if (sent === undefined) {
      return undefined;
    }
    this.#pending.splice(0, at + 1);
    this.#last = now - sent.sentAt;
    this.#roundTrips.push(this.#last);
    return this.#last;
  }

  /** What was out on the old line will not come back on the new one. */
  handleClosed(): void {
    this.#pending = [];
  }

  /** Back to zero; messages in flight are still waited for. */
  clear(): void {
    this.#sent = { messages: 0, bytes: 0 };
    this.#received = { messages: 0, bytes: 0 };
    this.#roundTrips.clear();
    this.#last = undefined;
  }
}

function added(total: Total, size: number): Total {
  return { messages: total.messages + 1, bytes: total.bytes + size };
}
