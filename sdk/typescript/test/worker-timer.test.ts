import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker as Thread } from "node:worker_threads";
import { workerTimers, type WorkerLike } from "../src/worker-timer.js";

/** A page's worker made of a thread, so that the program in the `Blob` is the one that runs. */
class BlobWorker implements WorkerLike {
  static made: BlobWorker[] = [];
  onmessage: ((event: MessageEvent) => unknown) | null = null;
  onerror: ((event: ErrorEvent) => unknown) | null = null;
  posted: unknown[] = [];
  isTerminated = false;
  #thread: Thread | undefined;
  #early: unknown[] | undefined = [];

  constructor(url: string) {
    BlobWorker.made.push(this);
    void fetch(url)
      .then((response) => response.text())
      .then((program) => {
        const frame = `const { parentPort } = require("node:worker_threads"); let onmessage; const postMessage = (data) => parentPort.postMessage(data);
          ${program}
          parentPort.on("message", (data) => onmessage({ data }));`;
        this.#thread = new Thread(frame, { eval: true });
        this.#thread.on("message", (data) => this.onmessage?.({ data } as MessageEvent));
        for (const message of this.#early ?? []) this.#thread.postMessage(message);
        this.#early = undefined;
        if (this.isTerminated) void this.#thread.terminate();
      });
  }

  postMessage(message: unknown): void {
    this.posted.push(message);
    if (this.#early) this.#early.push(message);
    else this.#thread?.postMessage(message);
  }

  terminate(): void {
    this.isTerminated = true;
    void this.#thread?.terminate();
  }
}

/** A worker that the test speaks for. */
class SilentWorker implements WorkerLike {
  static made: SilentWorker[] = [];
  onmessage: ((event: MessageEvent) => unknown) | null = null;
  onerror: ((event: ErrorEvent) => unknown) | null = null;
  posted: unknown[] = [];
  isTerminated = false;
  constructor() {
    SilentWorker.made.push(this);
  }
  postMessage(message: unknown): void {
    this.posted.push(message);
  }
  terminate(): void {
    this.isTerminated = true;
  }
  say(data: number): void {
    this.onmessage?.({ data } as MessageEvent);
  }
}

function silent() {
  const reasons: string[] = [];
  const timers = workerTimers({ Worker: SilentWorker, onfallback: (reason) => reasons.push(reason) });
  return { timers, reasons, worker: SilentWorker.made.at(-1) as SilentWorker };
}

test("timers run in the worker, in the order of their times", async () => {
  const timers = workerTimers({ Worker: BlobWorker });
  while (timers.kind === "page" && timers.reason === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(timers.kind, "worker");
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    timers.setTimeout(() => (order.push("late"), resolve()), 60);
    timers.setTimeout(() => order.push("early"), 1);
    timers.clearTimeout(timers.setTimeout(() => order.push("never"), 2));
  });
  assert.deepEqual(order, ["early", "late"]);
  timers.dispose();
  assert.equal(BlobWorker.made.at(-1)?.isTerminated, true);
});

test("a timer that was started before the worker was there moves into it, and fires once", async () => {
  const { timers, worker } = silent();
  let fired = 0;
  const id = timers.setTimeout(() => (fired += 1), 10_000);
  assert.deepEqual([timers.kind, worker.posted], ["page", []]);
  worker.say(0);
  assert.equal(timers.kind, "worker");
  assert.equal((worker.posted[0] as number[])[0], id);
  worker.say(id);
  worker.say(id);
  assert.equal(fired, 1);
});

test("a worker that the page's policy forbids leaves the page's timers, and says why", async () => {
  const { timers, worker, reasons } = silent();
  worker.say(0);
  let fired = 0;
  const later = new Promise<void>((resolve) => timers.setTimeout(() => ((fired += 1), resolve()), 5));
  worker.onerror?.({ message: "" } as ErrorEvent);
  assert.deepEqual([timers.kind, reasons, worker.isTerminated], ["page", ["the worker failed: the page's policy has to allow worker-src blob:"], true]);
  await later;
  assert.equal(fired, 1);
});

test("a constructor that throws leaves the page's timers, and says why", () => {
  const reasons: string[] = [];
  class Forbidden extends SilentWorker {
    constructor() {
      super();
      throw new DOMException("refused by the policy", "SecurityError");
    }
  }
  const timers = workerTimers({ Worker: Forbidden, onfallback: (reason) => reasons.push(reason) });
  assert.deepEqual([timers.kind, timers.reason, reasons], ["page", "the worker could not be made: refused by the policy", [timers.reason]]);
});

test("where there are no workers, as in Node, the timers are the page's", async () => {
  const timers = workerTimers();
  assert.deepEqual([timers.kind, timers.reason], ["page", "there is no Worker here"]);
  await new Promise<void>((resolve) => timers.setTimeout(resolve, 1));
  let fired = false;
  timers.clearTimeout(timers.setTimeout(() => (fired = true), 1));
  timers.clearTimeout(undefined);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(fired, false);
});

test("dispose forgets what still runs", async () => {
  const { timers, worker } = silent();
  let fired = false;
  timers.setTimeout(() => (fired = true), 1);
  timers.dispose();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual([fired, worker.isTerminated, timers.kind], [false, true, "page"]);
});
