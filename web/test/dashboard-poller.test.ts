import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../src/dashboard/api.js";
import { Poller, type Feed } from "../src/dashboard/poller.js";

/** A clock that moves when it is told to, and a server that answers as it is told to. */
class World {
  time = 0;
  answer: () => Promise<void> = () => Promise.resolve();
  asked: number[] = [];
  feeds: Feed[] = [];
  #timers = new Map<number, { at: number; then: () => void }>();
  #next = 1;
  readonly poller = new Poller(
    () => {
      this.asked.push(this.time);
      return this.answer();
    },
    (feed) => this.feeds.push(feed),
    {
      now: () => this.time,
      random: () => 0.999,
      setTimeout: (then, milliseconds) => {
        this.#timers.set(this.#next, { at: this.time + milliseconds, then });
        return this.#next++;
      },
      clearTimeout: (timer) => void this.#timers.delete(timer),
    },
    2_000,
  );

  get timers(): number {
    return this.#timers.size;
  }

  async run(milliseconds: number): Promise<void> {
    const end = this.time + milliseconds;
    await settle();
    for (let due = this.#due(end); due !== undefined; due = this.#due(end)) {
      this.#timers.delete(due[0]);
      this.time = due[1].at;
      due[1].then();
      await settle();
    }
    this.time = end;
  }

  #due(end: number) {
    return [...this.#timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at)[0];
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const gone = () => Promise.reject(new TypeError("Failed to fetch"));

test("it asks at its interval", async () => {
  const world = new World();
  world.poller.start();
  await world.run(6_500);
  assert.deepEqual(world.asked, [0, 2_000, 4_000, 6_000]);
  assert.deepEqual(world.feeds.at(-1), { state: "live", at: 6_000 });
});

test("a new interval holds at once", async () => {
  const world = new World();
  world.poller.start();
  await world.run(500);
  world.poller.setInterval(1_000);
  await world.run(2_000);
  assert.deepEqual(world.asked, [0, 500, 1_500, 2_500]);
});

test("without answers it asks with growing, bounded delays, and says since when", async () => {
  const world = new World();
  world.poller.start();
  await world.run(1_000);
  world.answer = gone;
  await world.run(60_000);
  const delays = world.asked.slice(1).map((at, index, all) => Math.round(at - (all[index - 1] ?? at)));
  assert.deepEqual(delays.slice(1, 7), [999, 1_998, 3_996, 7_992, 7_992, 7_992]);
  const away = world.feeds.at(-1);
  assert.equal(away?.state, "away");
  assert.ok(away?.state === "away" && away.since === 0 && away.why === "the server cannot be reached");
  world.answer = () => Promise.resolve();
  await world.run(9_000);
  assert.equal(world.feeds.at(-1)?.state, "live");
});

test("a server that was never there is away since the first attempt", async () => {
  const world = new World();
  world.time = 700;
  world.answer = gone;
  world.poller.start();
  await world.run(5_000);
  const away = world.feeds.at(-1);
  assert.ok(away?.state === "away" && away.since === 700);
});

test("while it is paused nothing is asked, and an answer under way is not heard", async () => {
  const world = new World();
  world.poller.start();
  world.poller.pause();
  await world.run(10_000);
  assert.deepEqual(world.asked, [0]);
  assert.deepEqual(world.feeds, [{ state: "paused" }]);
  world.poller.start();
  await world.run(0);
  assert.equal(world.feeds.at(-1)?.state, "live");
});

test("a refused key ends it", async () => {
  const world = new World();
  world.answer = () => Promise.reject(new ApiError(401, "unauthorized", "no such key"));
  world.poller.start();
  await world.run(60_000);
  assert.deepEqual(world.asked, [0]);
  assert.deepEqual(world.feeds, [{ state: "refused", why: "no such key" }]);
  assert.equal(world.timers, 0);
});
