import { byId } from "../dom.js";
import type { Health } from "./health.js";
import type { Feed } from "./poller.js";
import { formatAge, formatTime } from "./words.js";

/** Says how the server stands: a badge, a banner while there is no answer, and a word to screen readers at a change. */
export class FeedView {
  readonly #page: Document;
  #state: Feed["state"] = "starting";

  constructor(page: Document) {
    this.#page = page;
  }

  draw(feed: Feed, health: Health, node: string | undefined, now: number): void {
    byId(this.#page, "board", HTMLElement).dataset["state"] = feed.state;
    byId(this.#page, "node-name", HTMLElement).textContent = node ?? "Dashboard";
    const badge = byId(this.#page, "state", HTMLElement);
    badge.textContent = health.word;
    badge.dataset["tone"] = health.tone;
    badge.dataset["state"] = feed.state;
    const isPaused = feed.state === "paused";
    const pause = byId(this.#page, "pause", HTMLButtonElement);
    pause.setAttribute("aria-pressed", String(isPaused));
    this.#drawBanner(feed, health, now);
    this.#announce(feed);
  }

  #drawBanner(feed: Feed, { sentence, tone }: Health, now: number): void {
    const isAway = feed.state === "away";
    byId(this.#page, "banner", HTMLElement).hidden = !isAway && sentence === undefined;
    byId(this.#page, "banner", HTMLElement).dataset["tone"] = tone;
    byId(this.#page, "try-now", HTMLButtonElement).hidden = !isAway;
    this.#text("banner-title", isAway ? `No answer since ${formatTime(feed.since)}` : (sentence ?? ""));
    this.#text("banner-text", isAway ? `for ${formatAge(now - feed.since)}: ${feed.why}. ${nextText(feed.nextAt, now)}` : "");
  }

  /** Only what changed, once: counting seconds would talk without end. */
  #announce(feed: Feed): void {
    if (feed.state === this.#state) {
      return;
    }
    const before = this.#state;
    this.#state = feed.state;
    switch (feed.state) {
      case "away":
        return this.#text("announcer", `The server gives no answer since ${formatTime(feed.since)}.`);
      case "paused":
        return this.#text("announcer", "Paused.");
      case "live":
        return this.#text("announcer", before === "away" ? "The server answers again." : "The server answers.");
      case "starting":
      case "refused":
        return undefined;
    }
  }

  #text(id: string, text: string): void {
    const shown = byId(this.#page, id, HTMLElement);
    if (shown.textContent !== text) {
      shown.textContent = text;
    }
  }
}

function nextText(nextAt: number, now: number): string {
  const seconds = Math.ceil((nextAt - now) / 1_000);
  return seconds > 0 ? `Next attempt in ${seconds} s.` : "Asking.";
}
