import type { Channel, Client, Status } from "@openline/client";
import { byId } from "../dom.js";
import type { Audit } from "./audit.js";
import type { Frame, LineCutter } from "./line-cutter.js";
import { LineView } from "./line-view.js";

/** While something counts down it is drawn this often. */
const FAST_DRAW_MS = 100;
const DRAW_MS = 16;
/** Messages that were under way when the history was asked get this long to arrive. */
const SETTLE_MS = 400;
/** As much history as a check reads, in pages. */
const PAGE = 100;
const PAGES_MAX = 20;

/** What the panel needs of the other parts of the page. */
export interface Watched {
  /** Channels with history that are subscribed to, for the audit. */
  channels(): readonly Channel[];
  handleLine(isOpen: boolean): void;
  /** Makes the client try at once. */
  wake(): void;
}

/** The red button, and what the line goes through. */
export class LinePanel {
  readonly #page: Document;
  readonly #client: Client;
  readonly #cutter: LineCutter;
  readonly #audit: Audit;
  readonly #view: LineView;
  readonly #watched: Watched;
  #drawTimer: ReturnType<typeof setTimeout> | undefined;
  #mendTimer: ReturnType<typeof setTimeout> | undefined;
  #mendsAt: number | undefined;
  #cutFor = 0;
  #lastClose: Pick<Status, "code" | "reason"> = {};
  #frames = { in: 0, out: 0 };
  #wasOpen = false;

  constructor(page: Document, view: Window, client: Client, cutter: LineCutter, audit: Audit, watched: Watched) {
    this.#page = page;
    this.#client = client;
    this.#cutter = cutter;
    this.#audit = audit;
    this.#watched = watched;
    this.#view = new LineView(page, view);
    for (const id of ["cut", "dock-cut"]) {
      byId(page, id, HTMLButtonElement).addEventListener("click", () => this.#toggle());
    }
    byId(page, "try-now", HTMLButtonElement).addEventListener("click", () => watched.wake());
    client.on("status", (status: Status) => this.#handleStatus(status));
    this.#showDock(view);
    this.#draw();
  }

  /** A frame of any socket of the page. */
  handleFrame({ direction }: Frame): void {
    this.#frames[direction] += 1;
    this.#view.pulse(direction);
    this.#schedule(DRAW_MS);
  }

  /** Something that the panel shows may have changed, such as the queue. */
  handleChange(): void {
    this.#schedule(DRAW_MS);
  }

  #toggle(): void {
    if (this.#cutter.isCut) {
      this.#mend();
      return;
    }
    const chosen = this.#page.querySelector<HTMLInputElement>("input[name=cut-for]:checked");
    this.#cutFor = Number(chosen?.value ?? 0);
    this.#beginAudit();
    this.#cutter.cut();
    if (this.#cutFor > 0) {
      this.#mendsAt = Date.now() + this.#cutFor;
      this.#mendTimer = setTimeout(() => this.#mend(), this.#cutFor);
    }
    this.#draw();
  }

  #mend(): void {
    clearTimeout(this.#mendTimer);
    this.#mendTimer = undefined;
    this.#mendsAt = undefined;
    this.#audit.handleMended();
    this.#cutter.mend();
    this.#draw();
  }

  #beginAudit(): void {
    const positions = this.#watched
      .channels()
      .flatMap(({ name, position }): [string, string][] => (position === undefined ? [] : [[name, position]]));
    this.#audit.handleCut(new Map(positions), Date.now());
  }

  #handleStatus(status: Status): void {
    if (status.code !== undefined) {
      this.#lastClose = { code: status.code, ...(status.reason === undefined ? {} : { reason: status.reason }) };
    }
    const isOpen = status.state === "online" || status.state === "probing";
    if (isOpen !== this.#wasOpen) {
      this.#wasOpen = isOpen;
      this.#watched.handleLine(isOpen);
      if (status.state !== "stopped" && !isOpen && !this.#cutter.isCut) {
        // Lost without the button, as when the server is started anew: that is looked into as well.
        this.#beginAudit();
        this.#audit.handleMended();
      }
      if (isOpen) {
        this.#audit.handleOnline(Date.now());
        setTimeout(() => void this.#check(), SETTLE_MS);
      }
    }
    this.#draw();
  }

  /** Asks the server for what was published since the cut, channel by channel. */
  async #check(): Promise<void> {
    for (const [name, since] of this.#audit.toCheck) {
      const channel = this.#watched.channels().find((one) => one.name === name);
      const published = channel === undefined ? undefined : await positionsSince(channel, since).catch(() => undefined);
      this.#audit.handleHistory(name, published);
    }
    this.#draw();
  }

  #schedule(delay: number): void {
    this.#drawTimer ??= setTimeout(() => this.#draw(), delay);
  }

  #draw(): void {
    clearTimeout(this.#drawTimer);
    this.#drawTimer = undefined;
    const { status, queue } = this.#client;
    this.#view.draw(
      {
        status: { ...this.#lastClose, ...status },
        queueSize: queue.size,
        queueBytes: queue.bytes,
        framesIn: this.#frames.in,
        framesOut: this.#frames.out,
        isCut: this.#cutter.isCut,
        mendsAt: this.#mendsAt,
        cutFor: this.#cutFor,
      },
      this.#audit.verdict,
      Date.now(),
    );
    if (status.state === "waiting" || this.#mendsAt !== undefined) {
      this.#schedule(FAST_DRAW_MS);
    }
  }

  /** On a narrow page the button stays in reach while its card is out of sight. */
  #showDock(view: Window): void {
    const dock = byId(this.#page, "dock", HTMLElement);
    if ("IntersectionObserver" in view) {
      new IntersectionObserver(([entry]) => {
        dock.hidden = entry?.isIntersecting ?? true;
      }).observe(byId(this.#page, "cut", HTMLElement));
    }
  }
}

async function positionsSince(channel: Channel, since: string): Promise<string[]> {
  const found: string[] = [];
  let from = since;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { messages, more } = await channel.history({ since: from, limit: PAGE });
    found.push(...messages.flatMap(({ position }) => position ?? []));
    const last = messages.at(-1)?.position;
    if (!more || last === undefined) {
      return found;
    }
    from = last;
  }
  throw new Error("more was published than is checked");
}
