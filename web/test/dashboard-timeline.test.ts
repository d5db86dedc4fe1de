import assert from "node:assert/strict";
import { test } from "node:test";
import { Metrics } from "../src/dashboard/metrics-text.js";
import { axisOf, timeMarks } from "../src/dashboard/scale.js";
import { nearestPoint, runsOf, Timeline } from "../src/dashboard/timeline.js";
import { formatAge, formatCount, formatSeconds, formatShortAge, formatValue, prettyJson } from "../src/dashboard/words.js";

const poll = (at: number, sent: number) => ({ at, metrics: Metrics.parse(`openline_channels ${sent}\nopenline_sent_messages_total ${sent}\n`) });

test("each poll is a point with a value for each line", () => {
  const timeline = new Timeline();
  timeline.handlePoll(poll(1_000, 10));
  const point = timeline.handlePoll(poll(3_000, 14));
  assert.equal(point.values.get("channels"), 14);
  assert.equal(point.values.get("sent"), 2);
  assert.equal(point.values.get("received"), "missing");
  assert.equal(timeline.points.length, 2);
});

test("a gap begins at the last answer, ends with the next one, and no rate is made across it", () => {
  const timeline = new Timeline();
  timeline.handlePoll(poll(1_000, 10));
  timeline.handleGap("away", 2_500);
  timeline.handleGap("away", 4_500);
  assert.deepEqual(timeline.gaps, [{ from: 1_000, to: undefined, reason: "away" }]);
  const point = timeline.handlePoll(poll(6_000, 20));
  assert.deepEqual(timeline.gaps, [{ from: 1_000, to: 6_000, reason: "away" }]);
  assert.equal(point.values.get("sent"), "unknown");
  assert.equal(timeline.handlePoll(poll(7_000, 21)).values.get("sent"), 1);
});

test("a gap before any answer begins when it was noticed", () => {
  const timeline = new Timeline();
  timeline.handleGap("away", 2_500);
  assert.deepEqual(timeline.gaps, [{ from: 2_500, to: undefined, reason: "away" }]);
});

test("points and gaps are bounded, and gone after clear", () => {
  const timeline = new Timeline();
  for (let second = 0; second < 1_000; second += 1) {
    timeline.handlePoll(poll(second * 1_000, second));
    timeline.handleGap("paused", second * 1_000 + 500);
  }
  assert.equal(timeline.points.length, 302);
  assert.equal(timeline.points.at(-1)?.at, 999_000);
  assert.equal(timeline.gaps.length, 41);
  timeline.clear();
  assert.deepEqual([timeline.points, timeline.gaps, timeline.poll], [[], [], undefined]);
});

test("a line is cut at gaps and where there is no value", () => {
  const timeline = new Timeline();
  timeline.handlePoll(poll(1_000, 1));
  timeline.handlePoll(poll(2_000, 2));
  timeline.handleGap("away", 2_500);
  timeline.handlePoll(poll(5_000, 5));
  timeline.handlePoll(poll(6_000, 6));
  const times = (id: string) => runsOf(timeline.points, timeline.gaps, id).map((run) => run.map(({ at }) => at));
  assert.deepEqual(times("channels"), [[1_000, 2_000], [5_000, 6_000]]);
  assert.deepEqual(times("sent"), [[2_000], [6_000]]);
  assert.deepEqual(times("received"), []);
});

test("the nearest point is found", () => {
  const timeline = new Timeline();
  assert.equal(nearestPoint(timeline.points, 5), undefined);
  [1_000, 2_000, 3_000].forEach((at) => timeline.handlePoll(poll(at, 1)));
  assert.equal(nearestPoint(timeline.points, 2_400)?.at, 2_000);
  assert.equal(nearestPoint(timeline.points, 9_000)?.at, 3_000);
});

test("an axis begins at zero, has room for the largest value and round marks", () => {
  assert.deepEqual(axisOf(0, "count"), { top: 4, marks: [0, 2, 4] });
  assert.deepEqual(axisOf(9, "count"), { top: 10, marks: [0, 5, 10] });
  assert.deepEqual(axisOf(0.0042, "seconds"), { top: 0.006, marks: [0, 0.002, 0.004, 0.006] });
  assert.deepEqual(axisOf(50 * 2 ** 20, "bytes"), { top: 2 ** 26, marks: [0, 2 ** 25, 2 ** 26] });
  for (const max of [0.3, 1, 7, 99, 1_234, 5e6, Number.POSITIVE_INFINITY]) {
    const { top, marks } = axisOf(max, "perSecond");
    assert.ok(!Number.isFinite(max) || top >= max, `${top} holds ${max}`);
    assert.ok(marks.length >= 2 && marks.length <= 5, String(marks));
  }
});

test("an axis of counts has whole marks alone", () => {
  for (let max = 0; max < 60; max += 1) {
    assert.ok(axisOf(max, "count").marks.every(Number.isInteger), String(max));
  }
});

test("times below are round", () => {
  const marks = timeMarks(1_000, 301_000);
  assert.deepEqual(marks.map(({ at }) => at), [60_000, 120_000, 180_000, 240_000, 300_000]);
  assert.equal(timeMarks(0, 60_000).length, 5);
});

test("values are short and have their unit", () => {
  assert.deepEqual([0, 0.0401, 7.53, 45.67, 1_234, 56_700, 2_300_000].map(formatCount), ["0", "0.04", "7.53", "45.7", "1,234", "56.7k", "2.3M"]);
  assert.deepEqual([0, 0.0005, 0.012, 1.5].map(formatSeconds), ["0 ms", "0.5 ms", "12 ms", "1.5 s"]);
  assert.equal(formatValue(0.12345, "cores"), "12.3 %");
  assert.equal(formatValue(1_536, "bytes"), "1.5 KiB");
});

test("an age has its two largest parts", () => {
  const ages = [-5, 0, 4_000, 185_000, 7_800_000, 12 * 86_400_000 + 4 * 3_600_000, 3_600_000].map(formatAge);
  assert.deepEqual(ages, ["0 s", "0 s", "4 s", "3 min 5 s", "2 h 10 min", "12 d 4 h", "1 h"]);
  assert.deepEqual([4_000, 185_000].map(formatShortAge), ["4s", "3m 5s"]);
});

test("JSON is laid out", () => {
  assert.equal(prettyJson({ a: [1] }), '{\n  "a": [\n    1\n  ]\n}');
});
