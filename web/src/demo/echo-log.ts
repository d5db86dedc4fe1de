import { Exchange } from "../bench/exchange.js";
import { preview } from "../format.js";
import { Ring } from "../ring.js";

export interface EchoRow {
  readonly id: number;
  readonly direction: "in" | "out" | "event";
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly size: number;
  /** For an echo: milliseconds since it was sent. */
  readonly roundTrip: number | undefined;
  readonly text: string;
}

const ROWS_MAX = 60;
const TEXT_MAX = 160;

/** What was sent to the echo and what came back. Sizes are bytes of UTF-8. */
export class EchoLog {
  readonly #exchange = new Exchange();
  readonly #rows = new Ring<EchoRow>(ROWS_MAX);
  #made = 0;

  /** Oldest first. */
  get rows(): readonly EchoRow[] {
    return this.#rows.toArray();
  }

  get sent(): number {
    return this.#exchange.sent.messages;
  }

  get received(): number {
    return this.#exchange.received.messages;
  }

  /** The median round trip in milliseconds. */
  get median(): number | undefined {
    return this.#exchange.roundTrips?.median;
  }

  /** `elapsed` is a clock that only goes forward, `at` the time of day. */
  handleSent(text: string, elapsed: number, at: number): void {
    const size = bytesOf(text);
    this.#exchange.handleSent("text", size, elapsed);
    this.#add("out", at, size, undefined, text);
  }

  handleReceived(text: string, elapsed: number, at: number): void {
    const size = bytesOf(text);
    this.#add("in", at, size, this.#exchange.handleReceived("text", size, elapsed), text);
  }

  handleEvent(text: string, at: number): void {
    this.#add("event", at, 0, undefined, text);
  }

  #add(direction: EchoRow["direction"], at: number, size: number, roundTrip: number | undefined, text: string): void {
    this.#made += 1;
    this.#rows.push({ id: this.#made, direction, at, size, roundTrip, text: preview(text, TEXT_MAX) });
  }
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
