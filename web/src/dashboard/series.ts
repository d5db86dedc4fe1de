import { seriesName, type Labels, type Metrics } from "./metrics-text.js";
import { increaseOf, quantileOf, type Bucket } from "./quantile.js";

/** How a line of a plot follows from what `/metrics` says. */
export type Reading =
  | { readonly kind: "gauge"; readonly name: string; readonly labels?: Labels }
  | { readonly kind: "rate"; readonly name: string; readonly labels?: Labels }
  | { readonly kind: "quantile"; readonly name: string; readonly quantile: number };

/** One answer of `/metrics`, and when it came, in milliseconds since 1970. */
export interface Poll {
  readonly at: number;
  readonly metrics: Metrics;
}

/**
 * A number; `missing` when the server has no such series; `unknown` when it has, but says nothing yet: a rate
 * after one answer, a quantile without observations.
 */
export type Value = number | "missing" | "unknown";

const STARTED = "process_start_time_seconds";

/** What a line shows at `now`; `before` is the poll before it, if nothing was missed between them. */
export function read(reading: Reading, before: Poll | undefined, now: Poll): Value {
  const earlier = before !== undefined && isSameRun(before, now) ? before : undefined;
  switch (reading.kind) {
    case "gauge":
      return now.metrics.sum(reading.name, reading.labels) ?? "missing";
    case "rate":
      return rateOf(reading.name, reading.labels, earlier, now);
    case "quantile":
      return quantileBetween(reading.name, reading.quantile, earlier, now);
  }
}

/** The reading as an expression, in the words of Prometheus where it has them. */
export function expressionOf(reading: Reading): string {
  switch (reading.kind) {
    case "gauge":
      return seriesName(reading.name, reading.labels);
    case "rate":
      return `rate(${seriesName(reading.name, reading.labels)})`;
    case "quantile":
      return `histogram_quantile(${reading.quantile}, rate(${reading.name}_bucket))`;
  }
}

/** The series behind a reading, as `/metrics` has it: of a histogram how much it has observed. */
export function rawSeries(reading: Reading): string {
  return reading.kind === "quantile" ? `${reading.name}_count` : seriesName(reading.name, reading.labels);
}

/** The value that it has. */
export function rawValue(reading: Reading, metrics: Metrics): number | undefined {
  return reading.kind === "quantile" ? metrics.sum(`${reading.name}_count`) : metrics.sum(reading.name, reading.labels);
}

function rateOf(name: string, labels: Labels | undefined, before: Poll | undefined, now: Poll): Value {
  const value = now.metrics.sum(name, labels);
  if (value === undefined) {
    return "missing";
  }
  const earlier = before?.metrics.sum(name, labels);
  if (before === undefined || earlier === undefined || value < earlier || now.at <= before.at) {
    return "unknown";
  }
  return (value - earlier) / ((now.at - before.at) / 1_000);
}

function quantileBetween(name: string, quantile: number, before: Poll | undefined, now: Poll): Value {
  const after = bucketsOf(name, now.metrics);
  if (after.length === 0) {
    return "missing";
  }
  const increase = before === undefined ? undefined : increaseOf(bucketsOf(name, before.metrics), after);
  return (increase === undefined ? undefined : quantileOf(quantile, increase)) ?? "unknown";
}

function bucketsOf(name: string, metrics: Metrics): Bucket[] {
  const buckets = metrics.samples(`${name}_bucket`).map(({ labels, value }) => ({ bound: boundOf(labels["le"]), count: value }));
  return buckets.sort((a, b) => a.bound - b.bound);
}

function boundOf(le: string | undefined): number {
  return le === undefined || le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le);
}

/** Counters begin at 0 with each run. Where the server does not say when it started, a falling counter tells. */
function isSameRun(before: Poll, now: Poll): boolean {
  return before.metrics.sum(STARTED) === now.metrics.sum(STARTED);
}
