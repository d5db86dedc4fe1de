import type { Unit } from "./plots.js";
import { formatTime } from "./words.js";

/** Values from zero to `top`, with lines at `marks`. */
export interface Axis {
  readonly top: number;
  readonly marks: readonly number[];
}

/** The least height of a plot, so that noise does not look like a mountain. */
const TOP_MIN: Readonly<Record<Unit, number>> = { count: 4, perSecond: 1, seconds: 0.001, bytes: 1 << 20, cores: 0.1 };
const STEPS = [1, 2, 2.5, 5, 10];

/** An axis from zero that has room for `max`, with about `count` round marks. */
export function axisOf(max: number, unit: Unit, count = 3): Axis {
  const reach = Math.max(Number.isFinite(max) ? max : 0, TOP_MIN[unit]);
  const step = unit === "bytes" ? byteStep(reach / count) : decimalStep(reach / count, unit === "count");
  const steps = Math.ceil(reach / step - 1e-9);
  return { top: steps * step, marks: Array.from({ length: steps + 1 }, (_, index) => Number((index * step).toPrecision(12))) };
}

function decimalStep(rough: number, isWhole: boolean): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = (STEPS.find((one) => one * power >= rough - power * 1e-9) ?? 10) * power;
  return isWhole ? Math.max(1, Math.ceil(step)) : Number(step.toPrecision(12));
}

/** Steps of 1, 2, 4, 8 … of a unit of bytes. */
function byteStep(rough: number): number {
  return 2 ** Math.ceil(Math.log2(rough));
}

/** Round times for the axis below, four or five of them. */
export function timeMarks(from: number, to: number): { readonly at: number; readonly label: string }[] {
  const step = to - from > 150_000 ? 60_000 : to - from > 75_000 ? 30_000 : 15_000;
  const found: { at: number; label: string }[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const time = formatTime(at);
    found.push({ at, label: step < 60_000 ? time : time.slice(0, 5) });
  }
  return found;
}
