// Browsers run the timers of a hidden page once a second, and after five minutes once a minute. Timers of a
// dedicated worker are not held back. They cost a thread, so they are made only where they are asked for.

/** Timers, to be given to a client as a part of its `environment`. */
export interface WorkerTimers {
  setTimeout(callback: () => void, milliseconds: number): number;
  clearTimeout(id: number | undefined): void;
  /** `worker`; or `page`: the page's own timers, with all that the browser does to them. */
  readonly kind: "worker" | "page";
  /** Why it is `page`: a sentence for whoever reads the log. */
  readonly reason: string | undefined;
  /** Ends the worker. Timers that still run are forgotten, and later ones are the page's. */
  dispose(): void;
}

/** What is used of the surroundings. */
export interface WorkerTimerOptions {
  /** @default the global one, if there is one */
  readonly Worker?: new (url: string) => WorkerLike;
  /** Called once, with the reason, where the timers have to be the page's after all. @default does nothing */
  readonly onfallback?: (reason: string) => void;
}

/** What is used of a `Worker`. */
export interface WorkerLike {
  onmessage: ((event: MessageEvent) => unknown) | null;
  onerror: ((event: ErrorEvent) => unknown) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}

// [id, milliseconds] starts a timer, [id] ends one; an id comes back when its time is over; 0 says "I am here".
const PROGRAM = `const timers = new Map();
onmessage = ({ data: [id, milliseconds] }) => {
  clearTimeout(timers.get(id));
  timers.delete(id);
  if (milliseconds !== undefined) timers.set(id, setTimeout(() => { timers.delete(id); postMessage(id); }, milliseconds));
};
postMessage(0);`;

/**
 * Timers that run in a worker made of a `Blob`. Where there are no workers (Node), or the page's Content Security
 * Policy does not allow `worker-src blob:`, they are the page's; `kind` and `reason` say so. That may be known only
 * a moment later: timers that were started until then are kept, and go on in the page.
 */
export function workerTimers(options: WorkerTimerOptions = {}): WorkerTimers {
  return new Timers(options);
}

interface Timer {
  readonly callback: () => void;
  readonly due: number;
  /** Of the page's timer, where it is the page that runs it. */
  page?: ReturnType<typeof setTimeout>;
}

class Timers implements WorkerTimers {
  kind: "worker" | "page" = "page";
  reason: string | undefined;
  readonly #onfallback: (reason: string) => void;
  readonly #timers = new Map<number, Timer>();
  #worker: WorkerLike | undefined;
  #url: string | undefined;
  #lastId = 0;

  constructor({ Worker = globalThis.Worker, onfallback = () => {} }: WorkerTimerOptions) {
    this.#onfallback = onfallback;
    if (Worker === undefined) {
      this.#fallBack("there is no Worker here");
      return;
    }
    try {
      this.#url = URL.createObjectURL(new Blob([PROGRAM], { type: "text/javascript" }));
      this.#worker = new Worker(this.#url);
      this.#worker.onmessage = ({ data }) => this.#handleMessage(Number(data));
      // A policy that forbids the worker says so here, without a message, or by throwing.
      this.#worker.onerror = ({ message }) => this.#fallBack(`the worker failed: ${message || "the page's policy has to allow worker-src blob:"}`);
    } catch (error) {
      this.#fallBack(`the worker could not be made: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  // Arrows, for an environment takes the functions off their object.
  setTimeout = (callback: () => void, milliseconds: number): number => {
    this.#lastId += 1;
    const id = this.#lastId;
    const timer: Timer = { callback, due: Date.now() + milliseconds };
    this.#timers.set(id, timer);
    if (this.kind === "worker") this.#worker?.postMessage([id, milliseconds]);
    else this.#runInPage(id, timer);
    return id;
  };

  clearTimeout = (id: number | undefined): void => {
    const timer = this.#timers.get(id ?? 0);
    if (id === undefined || timer === undefined) return;
    this.#timers.delete(id);
    if (timer.page !== undefined) clearTimeout(timer.page);
    else this.#worker?.postMessage([id]);
  };

  dispose(): void {
    for (const id of [...this.#timers.keys()]) this.clearTimeout(id);
    this.#endWorker();
    this.kind = "page";
    this.reason ??= "the timers were disposed of";
  }

  #handleMessage(id: number): void {
    if (id !== 0) {
      this.#fire(id);
      return;
    }
    this.kind = "worker";
    this.#releaseUrl();
    // What was started before goes over, for the page may be hidden by now.
    for (const [early, timer] of this.#timers) {
      clearTimeout(timer.page);
      delete timer.page;
      this.#worker?.postMessage([early, Math.max(0, timer.due - Date.now())]);
    }
  }

  #fallBack(reason: string): void {
    if (this.reason !== undefined) return;
    this.kind = "page";
    this.reason = reason;
    this.#endWorker();
    for (const [id, timer] of this.#timers) if (timer.page === undefined) this.#runInPage(id, timer);
    this.#onfallback(reason);
  }

  #runInPage(id: number, timer: Timer): void {
    timer.page = setTimeout(() => this.#fire(id), Math.max(0, timer.due - Date.now()));
  }

  #fire(id: number): void {
    const timer = this.#timers.get(id);
    this.#timers.delete(id);
    timer?.callback();
  }

  #endWorker(): void {
    this.#releaseUrl();
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  #releaseUrl(): void {
    if (this.#url !== undefined) URL.revokeObjectURL(this.#url);
    this.#url = undefined;
  }
}
