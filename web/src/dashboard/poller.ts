import { backoffDelay } from "../backoff.js";
import { ApiError, messageOf } from "./api.js";

/** How the server stands, as far as the page knows. */
export type Feed =
  | { readonly state: "starting" }
  | { readonly state: "live"; readonly at: number }
  | { readonly state: "away"; readonly since: number; readonly nextAt: number; readonly why: string }
  | { readonly state: "paused" }
  | { readonly state: "refused"; readonly why: string };

export interface Surroundings {
  now(): number;
  random(): number;
  setTimeout(then: () => void, milliseconds: number): number;
  clearTimeout(timer: number): void;
}

/** Attempts further apart than about 8 s would look like a page that has given up. */
const ATTEMPT_MAX = 3;

/** Asks again and again: at an interval while there are answers, with growing delays while there are none. */
export class Poller {
  readonly #ask: () => Promise<void>;
  readonly #onFeed: (feed: Feed) => void;
  readonly #around: Surroundings;
  #interval: number;
  #feed: Feed = { state: "starting" };
  #timer: number | undefined;
  /** Of the question under way; one that is not of this round is not heard. */
  #round = 0;
  #attempt = 0;
  #answeredAt: number | undefined;

  constructor(ask: () => Promise<void>, onFeed: (feed: Feed) => void, around: Surroundings, interval: number) {
    this.#ask = ask;
    this.#onFeed = onFeed;
    this.#around = around;
    this.#interval = interval;
  }

  get feed(): Feed {
    return this.#feed;
  }

  start(): void {
    this.#attempt = 0;
    this.#poll();
  }

  /** Nothing is asked or heard any more. */
  stop(): void {
    this.#round += 1;
    this.#setTimer(undefined);
  }

  pause(): void {
    this.stop();
    this.#show({ state: "paused" });
  }

  setInterval(milliseconds: number): void {
    this.#interval = milliseconds;
    if (this.#feed.state === "live") {
      this.stop();
      this.#poll();
    }
  }

  #poll(): void {
    this.#setTimer(undefined);
    this.#round += 1;
    const round = this.#round;
    const begun = this.#around.now();
    this.#ask().then(
      () => round === this.#round && this.#handleAnswer(begun),
      (error: unknown) => round === this.#round && this.#handleFailure(error, begun),
    );
  }

  #handleAnswer(begun: number): void {
    this.#attempt = 0;
    const now = this.#around.now();
    this.#answeredAt = now;
    this.#show({ state: "live", at: now });
    this.#setTimer(Math.max(0, begun + this.#interval - now));
  }

  #handleFailure(error: unknown, begun: number): void {
    if (error instanceof ApiError && error.status === 401) {
      this.#show({ state: "refused", why: error.message });
      return;
    }
    const delay = backoffDelay(Math.min(this.#attempt, ATTEMPT_MAX), this.#around.random());
    this.#attempt += 1;
    const since = this.#feed.state === "away" ? this.#feed.since : (this.#answeredAt ?? begun);
    this.#show({ state: "away", since, nextAt: this.#around.now() + delay, why: messageOf(error) });
    this.#setTimer(delay);
  }

  #show(feed: Feed): void {
    this.#feed = feed;
    this.#onFeed(feed);
  }

  #setTimer(delay: number | undefined): void {
    if (this.#timer !== undefined) {
      this.#around.clearTimeout(this.#timer);
    }
    this.#timer = delay === undefined ? undefined : this.#around.setTimeout(() => this.#poll(), delay);
  }
}
