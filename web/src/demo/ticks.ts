/** One price. Times are the server's, milliseconds since 1970. */
export interface Tick {
  readonly at: number;
  readonly price: number;
  readonly change: number;
  /** It came after the line was back, for the time that it was cut. */
  readonly isRecovered: boolean;
}

/** A time without a line; `to` is missing while it lasts. */
export interface Span {
  readonly from: number;
  readonly to: number | undefined;
}

export interface Scale {
  readonly low: number;
  readonly high: number;
}

const TICKS_MAX = 240;
/** Prices farther apart than this are not joined by a line. */
const JOIN_MS = 2_600;
/** A flat price keeps this much room around it. */
const HEIGHT_MIN = 0.4;

/** What happened to the price lately. */
export class Ticks {
  #ticks: Tick[] = [];
  #spans: Span[] = [];
  /** The server's clock minus ours. The message that was the fastest is the best guess. */
  #offset: number | undefined;

  get all(): readonly Tick[] {
    return this.#ticks;
  }

  get spans(): readonly Span[] {
    return this.#spans;
  }

  get last(): Tick | undefined {
    return this.#ticks.at(-1);
  }

  /** The server's time when ours is `now`. */
  serverTime(now: number): number {
    return now + (this.#offset ?? 0);
  }

  handleTick(tick: Tick, now: number, isLive: boolean): void {
    if (isLive) {
      this.#offset = Math.max(this.#offset ?? Number.NEGATIVE_INFINITY, tick.at - now);
    }
    const at = this.#ticks.findLastIndex((one) => one.at <= tick.at) + 1;
    this.#ticks.splice(at, 0, tick);
    this.#ticks.splice(0, Math.max(0, this.#ticks.length - TICKS_MAX));
  }

  handleLine(isOpen: boolean, now: number): void {
    const at = this.serverTime(now);
    const open = this.#spans.at(-1);
    if (isOpen && open !== undefined && open.to === undefined) {
      this.#spans.splice(-1, 1, { from: open.from, to: at });
    } else if (!isOpen && (open === undefined || open.to !== undefined)) {
      this.#spans.push({ from: at, to: undefined });
      this.#spans.splice(0, Math.max(0, this.#spans.length - 20));
    }
  }

  /** The prices since `from`, with one before it so that the line reaches the edge. */
  since(from: number): readonly Tick[] {
    const first = this.#ticks.findIndex((tick) => tick.at >= from);
    return first === -1 ? [] : this.#ticks.slice(Math.max(0, first - 1));
  }
}

export function parseTick(data: unknown): { readonly price: number; readonly change: number } | undefined {
  const { price, change } = (data ?? {}) as { price?: unknown; change?: unknown };
  if (typeof price !== "number" || !Number.isFinite(price)) {
    return undefined;
  }
  return { price, change: typeof change === "number" && Number.isFinite(change) ? change : 0 };
}

/** Lowest and highest with some air; never a height of nothing. */
export function scaleOf(ticks: readonly Tick[]): Scale {
  if (ticks.length === 0) {
    return { low: 0, high: 1 };
  }
  const prices = ticks.map(({ price }) => price);
  const low = Math.min(...prices);
  const high = Math.max(...prices);
  const air = Math.max((high - low) * 0.15, (HEIGHT_MIN - (high - low)) / 2, 0);
  return { low: low - air, high: high + air };
}

/** A step from one scale towards another, for motion. */
export function nearer(from: Scale, to: Scale, share: number): Scale {
  return { low: from.low + (to.low - from.low) * share, high: from.high + (to.high - from.high) * share };
}

/** Whether two scales have most of the smaller one in common; where not, motion would only confuse. */
export function overlap(a: Scale, b: Scale): boolean {
  const common = Math.min(a.high, b.high) - Math.max(a.low, b.low);
  return common > Math.min(a.high - a.low, b.high - b.low) / 2;
}

/** Round prices for the axis, about `count` of them. */
export function gridOf({ low, high }: Scale, count = 4): number[] {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((one) => one >= rough) ?? rough;
  const found: number[] = [];
  for (let price = Math.ceil(low / step) * step; price <= high; price += step) {
    found.push(Number(price.toFixed(6)));
  }
  return found;
}

/** Runs of prices that belong together: a line is drawn through each. */
export function runsOf(ticks: readonly Tick[]): Tick[][] {
  const runs: Tick[][] = [];
  for (const tick of ticks) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (run !== undefined && before !== undefined && tick.at - before.at <= JOIN_MS) {
      run.push(tick);
    } else {
      runs.push([tick]);
    }
  }
  return runs;
}

/** The price at a time between two that are known. */
export function priceAt(ticks: readonly Tick[], at: number): number | undefined {
  const next = ticks.findIndex((tick) => tick.at >= at);
  const [before, after] = [ticks[next - 1], ticks[next]];
  if (after === undefined) {
    return ticks.at(-1)?.price;
  }
  if (before === undefined || after.at === before.at) {
    return after.price;
  }
  return before.price + ((after.price - before.price) * (at - before.at)) / (after.at - before.at);
}
