import assert from "node:assert/strict";
import { test } from "node:test";
import { Metrics, seriesName } from "../src/dashboard/metrics-text.js";
import { increaseOf, quantileOf } from "../src/dashboard/quantile.js";
import { expressionOf, rawSeries, rawValue, read, type Poll, type Reading } from "../src/dashboard/series.js";

const INFINITE = Number.POSITIVE_INFINITY;
const poll = (at: number, text: string): Poll => ({ at, metrics: Metrics.parse(text) });
const rate: Reading = { kind: "rate", name: "sent_total" };

test("samples are read with their labels, in the order of the text", () => {
  const metrics = Metrics.parse('# HELP a Some.\n# TYPE a gauge\na{t="x"} 1\na{t="y",u="2"} 2.5\n\nb 3e2 1700000000\n');
  assert.deepEqual(metrics.samples("a").map(({ value }) => value), [1, 2.5]);
  assert.deepEqual({ ...metrics.samples("a", { u: "2" })[0]?.labels }, { t: "y", u: "2" });
  assert.equal(metrics.sum("a"), 3.5);
  assert.equal(metrics.sum("a", { t: "x" }), 1);
  assert.equal(metrics.sum("b"), 300);
});

test("a series that is not there is not zero", () => {
  const metrics = Metrics.parse('a{t="x"} 0\n');
  assert.equal(metrics.sum("a"), 0);
  assert.equal(metrics.sum("a", { t: "y" }), undefined);
  assert.equal(metrics.sum("nothing"), undefined);
  assert.equal(metrics.sum("constructor"), undefined);
});

test("escapes, braces and commas in labels are part of them", () => {
  const metrics = Metrics.parse('a{t="q\\"u\\\\o\\nte",__proto__="},{ x"} 1\n');
  assert.equal(metrics.sum("a", { t: 'q"u\\o\nte' }), 1);
  assert.equal(metrics.samples("a")[0]?.labels["__proto__"], "},{ x");
});

test("infinite values and none are values", () => {
  const metrics = Metrics.parse("a +Inf\nb -Inf\nc NaN\n");
  assert.deepEqual([metrics.sum("a"), metrics.sum("b"), metrics.sum("c")], [INFINITE, -INFINITE, Number.NaN]);
});

test("a line that is no sample is named", () => {
  for (const line of ["a", "a x", "a 0x", '{t="x"} 1', 'a{t="x} 1', 'a{t="x"', 'a{t=x} 1', "<!doctype html>", "a{t=\"x\"}"]) {
    assert.throws(() => Metrics.parse(`b 1\n${line}\n`), /^SyntaxError: line 2 of \/metrics is no sample/, line);
  }
});

test("a text beyond the limits is refused", () => {
  assert.throws(() => Metrics.parse("a 1\n".repeat(10_001)), /more than 10000 samples/);
  assert.throws(() => Metrics.parse(`# ${"x".repeat(1 << 20)}`), RangeError);
});

test("a series has a name as in the text", () => {
  assert.equal(seriesName("a"), "a");
  assert.equal(seriesName("a", { t: "x", u: "y" }), 'a{t="x",u="y"}');
});

test("a gauge is what the text says, and what is missing is said to be", () => {
  const gauge: Reading = { kind: "gauge", name: "a", labels: { t: "x" } };
  assert.equal(read(gauge, undefined, poll(0, 'a{t="x"} 7\n')), 7);
  assert.equal(read(gauge, undefined, poll(0, 'a{t="y"} 7\n')), "missing");
});

test("a rate is the difference over the interval", () => {
  assert.equal(read(rate, poll(1_000, "sent_total 10\n"), poll(3_500, "sent_total 35\n")), 10);
  assert.equal(read(rate, undefined, poll(0, "sent_total 10\n")), "unknown");
  assert.equal(read(rate, poll(0, "other 1\n"), poll(1_000, "sent_total 10\n")), "unknown");
  assert.equal(read(rate, poll(0, "sent_total 10\n"), poll(1_000, "other 1\n")), "missing");
  assert.equal(read(rate, poll(1_000, "sent_total 10\n"), poll(1_000, "sent_total 11\n")), "unknown");
});

test("a rate with labels left open is that of all of them together", () => {
  const before = poll(0, 'sent_total{c="1"} 1\nsent_total{c="2"} 5\n');
  assert.equal(read(rate, before, poll(2_000, 'sent_total{c="1"} 2\nsent_total{c="2"} 8\n')), 2);
});

test("a restart between two answers makes no rate, even if the counter is higher than before", () => {
  assert.equal(read(rate, poll(0, "sent_total 10\n"), poll(1_000, "sent_total 3\n")), "unknown");
  const before = poll(0, "sent_total 10\nprocess_start_time_seconds 100\n");
  assert.equal(read(rate, before, poll(1_000, "sent_total 500\nprocess_start_time_seconds 160\n")), "unknown");
  assert.equal(read(rate, before, poll(1_000, "sent_total 11\nprocess_start_time_seconds 100\n")), 1);
});

test("quantiles are of what came between the two answers", () => {
  const text = (low: number, middle: number, all: number): string =>
    `d_bucket{le="0.001"} ${low}\nd_bucket{le="0.01"} ${middle}\nd_bucket{le="+Inf"} ${all}\nd_sum 1\nd_count ${all}\n`;
  const reading = (quantile: number): Reading => ({ kind: "quantile", name: "d", quantile });
  const [before, after] = [poll(0, text(100, 100, 100)), poll(1_000, text(100, 110, 110))];
  assert.ok(Math.abs((read(reading(0.5), before, after) as number) - 0.0055) < 1e-12);
  assert.equal(read(reading(0.5), before, poll(1_000, text(100, 100, 100))), "unknown");
  assert.equal(read(reading(0.5), undefined, after), "unknown");
  assert.equal(read(reading(0.5), before, poll(1_000, "other 1\n")), "missing");
  assert.equal(rawValue(reading(0.5), after.metrics), 110);
  assert.equal(rawSeries(reading(0.5)), "d_count");
  assert.equal(expressionOf(reading(0.99)), "histogram_quantile(0.99, rate(d_bucket))");
});

test("a quantile is found as Prometheus finds it", () => {
  const buckets = [{ bound: 1, count: 10 }, { bound: 2, count: 10 }, { bound: 4, count: 30 }, { bound: INFINITE, count: 40 }];
  assert.equal(quantileOf(0.25, buckets), 1);
  assert.equal(quantileOf(0.125, buckets), 0.5);
  assert.equal(quantileOf(0.5, buckets), 3);
  assert.equal(quantileOf(0.75, buckets), 4);
  assert.equal(quantileOf(0.99, buckets), 4);
  assert.equal(quantileOf(0.5, [{ bound: 1, count: 0 }, { bound: INFINITE, count: 0 }]), undefined);
  assert.equal(quantileOf(0.5, []), undefined);
  assert.equal(quantileOf(0.5, [{ bound: INFINITE, count: 3 }]), 0);
});

test("buckets of another run or another division have no increase", () => {
  const [a, b] = [[{ bound: 1, count: 5 }], [{ bound: 1, count: 7 }]];
  assert.deepEqual(increaseOf(a, b), [{ bound: 1, count: 2 }]);
  assert.equal(increaseOf(b, a), undefined);
  assert.equal(increaseOf(a, [{ bound: 2, count: 7 }]), undefined);
  assert.equal(increaseOf(a, [...b, { bound: 2, count: 7 }]), undefined);
});
