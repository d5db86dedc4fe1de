import type { Channel, Client, Publication } from "@openline/client";
import { byId } from "../dom.js";
import type { Audit } from "./audit.js";
import { counted } from "./status-text.js";
import { TickerView } from "./ticker-view.js";
import { parseTick, Ticks } from "./ticks.js";

export const TICKER = "ticker";
const HISTORY = 60;
/** The picture's label is read out on demand; it need not follow each price. */
const LABEL_MS = 5_000;
/** For people who asked for less motion, time moves on in steps of this. */
const CALM_DRAW_MS = 1_000;

/** The live price: a channel that the server feeds, drawn. */
export class Ticker {
  readonly channel: Channel;
  readonly #page: Document;
  readonly #audit: Audit;
  readonly #ticks = new Ticks();
  readonly #view: TickerView;
  #live = 0;
  #recovered = 0;
  #labelAt = 0;
  #isEvenFrame = false;
  #drawnAt = 0;

  constructor(page: Document, view: Window, client: Client, audit: Audit) {
    this.#page = page;
    this.#audit = audit;
    this.#view = new TickerView(page, view, this.#ticks);
    this.channel = client.channel(TICKER, { history: HISTORY });
    this.channel.on("event:tick", (publication: Publication) => this.#handleTick(publication));
    this.channel.on("gap", ({ reason }: { reason: string }) => audit.handleGap(TICKER, reason));
    this.channel.subscribe().catch(() => undefined);
    this.#animate(view);
  }

  /** The line was opened or lost. */
  handleLine(isOpen: boolean): void {
    this.#ticks.handleLine(isOpen, Date.now());
    byId(this.#page, "chart", HTMLElement).dataset["open"] = String(isOpen);
    this.#view.draw(Date.now());
  }

  #handleTick({ data, position, timestamp, replayed }: Publication): void {
    const tick = parseTick(data);
    if (tick === undefined) {
      return;
    }
    const now = Date.now();
    const isRecovered = position !== undefined && this.#audit.handlePublication(TICKER, position, replayed);
    this.#ticks.handleTick({ ...tick, at: timestamp ?? now, isRecovered }, now, !replayed);
    this.#live += Number(!replayed);
    this.#recovered += Number(isRecovered);
    this.#drawNumbers(now);
  }

  #drawNumbers(now: number): void {
    const last = this.#ticks.last;
    if (last === undefined) {
      return;
    }
    byId(this.#page, "price", HTMLElement).textContent = last.price.toFixed(2);
    const change = byId(this.#page, "change", HTMLElement);
    change.textContent = `${last.change < 0 ? "−" : "+"}${Math.abs(last.change).toFixed(2)}`;
    change.dataset["sign"] = last.change < 0 ? "down" : "up";
    const back = this.#recovered === 0 ? "" : `, ${this.#recovered} recovered`;
    byId(this.#page, "ticks", HTMLElement).textContent = `${counted(this.#live, "price")} live${back}`;
    if (now - this.#labelAt > LABEL_MS) {
      this.#labelAt = now;
      const label = `Price of the last 60 seconds, now ${last.price.toFixed(2)}`;
      byId(this.#page, "chart", HTMLElement).setAttribute("aria-label", label);
    }
  }

  /** 30 pictures a second are smooth enough for a line that moves 10 pixels in that time. */
  #animate(view: Window): void {
    const frame = (): void => {
      const now = Date.now();
      this.#isEvenFrame = !this.#isEvenFrame;
      if (this.#view.isMoving ? this.#isEvenFrame : now - this.#drawnAt >= CALM_DRAW_MS) {
        this.#drawnAt = now;
        this.#view.draw(now);
      }
      view.requestAnimationFrame(frame);
    };
    view.requestAnimationFrame(frame);
  }
}
