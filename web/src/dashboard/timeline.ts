import { Ring } from "../ring.js";
import { PLOTS } from "./plots.js";
import { read, type Poll, type Value } from "./series.js";

/** All values of one poll, by the ids of their series. */
export interface Point {
  readonly at: number;
  readonly values: ReadonlyMap<string, Value>;
}

export type GapReason = "away" | "paused";

/** A time of which nothing is known; `to` is missing while it lasts. */
export interface Gap {
  readonly from: number;
  readonly to: number | undefined;
  readonly reason: GapReason;
}

export const WINDOW_MS = 5 * 60_000;
/** One poll each second for five minutes, and one to reach the edge. */
const POINTS_MAX = 302;
const GAPS_MAX = 40;

/** The last five minutes. */
export class Timeline {
  readonly #points = new Ring<Point>(POINTS_MAX);
  readonly #gaps = new Ring<Gap>(GAPS_MAX);
  #last: Poll | undefined;
  #open: Gap | undefined;

  /** Oldest first. */
  get points(): readonly Point[] {
    return this.#points.toArray();
  }

  get gaps(): readonly Gap[] {
    return this.#open === undefined ? this.#gaps.toArray() : [...this.#gaps.toArray(), this.#open];
  }

  /** The newest answer. */
  get poll(): Poll | undefined {
    return this.#last;
  }

  handlePoll(poll: Poll): Point {
    const before = this.#open === undefined ? this.#last : undefined;
    if (this.#open !== undefined) {
      this.#gaps.push({ ...this.#open, to: poll.at });
      this.#open = undefined;
    }
    const all = PLOTS.flatMap(({ series }) => series);
    const point = { at: poll.at, values: new Map(all.map(({ id, reading }) => [id, read(reading, before, poll)])) };
    this.#points.push(point);
    this.#last = poll;
    return point;
  }

  clear(): void {
    this.#points.clear();
    this.#gaps.clear();
    this.#last = undefined;
    this.#open = undefined;
  }

  /** From the last answer on nothing is known, until there is another. */
  handleGap(reason: GapReason, now: number): void {
    this.#open = { from: this.#open?.from ?? this.#last?.at ?? now, to: undefined, reason };
  }
}

/** Pieces of a series that were polled one after another: a line is drawn through each. */
export function runsOf(points: readonly Point[], gaps: readonly Gap[], id: string): { readonly at: number; readonly value: number }[][] {
  const runs: { at: number; value: number }[][] = [];
  let before: Point | undefined;
  for (const point of points) {
    const value = point.values.get(id);
    const run = runs.at(-1);
    const earlier = before;
    const isCut = earlier === undefined || gaps.some(({ from, to }) => from < point.at && (to ?? Number.POSITIVE_INFINITY) > earlier.at);
    if (typeof value !== "number") {
      before = undefined;
      continue;
    }
    if (run === undefined || isCut) {
      runs.push([{ at: point.at, value }]);
    } else {
      run.push({ at: point.at, value });
    }
    before = point;
  }
  return runs;
}

/** The point nearest to a time, if there is one in the window. */
export function nearestPoint(points: readonly Point[], at: number): Point | undefined {
  let best: Point | undefined;
  for (const point of points) {
    if (best === undefined || Math.abs(point.at - at) < Math.abs(best.at - at)) {
      best = point;
    }
  }
  return best;
}
