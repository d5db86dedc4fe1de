import type { Client, Publication } from "@openline/client";
import { byId } from "../dom.js";
import { Cursors, parsePlace, SEND_EVERY_MS, type Cursor } from "./cursors.js";
import { CursorsView } from "./cursors-view.js";
import type { Me } from "./me.js";
import { parsePerson } from "./person.js";
import { counted } from "./status-text.js";

const CHANNEL = "demo:cursors";
/** One press of an arrow key; with Shift it is more. */
const STEP = 0.025;
const LONG_STEP = 0.1;
const SWEEP_MS = 1_000;

/** Pointers for all who have the page open: volatile messages, 20 a second at most. */
export class SharedCursors {
  readonly #page: Document;
  readonly #client: Client;
  readonly #me: Me;
  readonly #cursors: Cursors;
  readonly #view: CursorsView;
  #isByKey = false;
  #sendTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(page: Document, client: Client, me: Me) {
    this.#page = page;
    this.#client = client;
    this.#me = me;
    this.#cursors = new Cursors(me.person.tab);
    this.#view = new CursorsView(page);
    const channel = client.channel(CHANNEL);
    for (const event of ["move", "leave", "ring"]) {
      channel.on(`event:${event}`, (publication: Publication) => this.#handleMessage(event, publication.data));
    }
    channel.subscribe().catch(() => undefined);
    this.#listen(byId(page, "area", HTMLElement));
    setInterval(() => {
      if (this.#cursors.handleTimeout(Date.now())) {
        this.#draw();
      }
    }, SWEEP_MS);
  }

  #listen(area: HTMLElement): void {
    area.addEventListener("pointermove", (event) => {
      this.#isByKey = false;
      this.#cursors.handleOwnMove(this.#view.placeOf(event));
      this.#send();
    });
    area.addEventListener("pointerleave", () => this.#leave());
    area.addEventListener("pointerdown", (event) => this.#ring(this.#view.placeOf(event)));
    area.addEventListener("blur", () => this.#leave());
    area.addEventListener("keydown", (event) => {
      if (event.key === " " || event.key === "Enter") {
        event.preventDefault();
        this.#ring(this.#cursors.own ?? { x: 0.5, y: 0.5 });
      } else if (this.#cursors.handleOwnStep(event.key, event.shiftKey ? LONG_STEP : STEP)) {
        event.preventDefault();
        this.#isByKey = true;
        this.#send();
        this.#draw();
      }
    });
    new ResizeObserver(() => this.#draw()).observe(area);
  }

  #handleMessage(event: string, data: unknown): void {
    const person = parsePerson(data);
    const place = parsePlace(data);
    if (event === "ring" && person !== undefined && place !== undefined && person.tab !== this.#me.person.tab) {
      this.#view.ring(place, person.tab);
    }
    if (this.#cursors.handleMessage(event, data, Date.now())) {
      this.#draw();
    }
  }

  /** Sends where we are, now or as soon as it may be; in between only the newest place counts. */
  #send(): void {
    const place = this.#cursors.pollSend(Date.now());
    if (place !== undefined) {
      this.#publish("move", place);
    } else if (this.#cursors.pollTimeout() !== undefined) {
      this.#sendTimer ??= setTimeout(() => {
        this.#sendTimer = undefined;
        this.#send();
      }, SEND_EVERY_MS);
    }
  }

  #leave(): void {
    this.#isByKey = false;
    this.#cursors.handleOwnLeave();
    this.#publish("leave", {});
    this.#draw();
  }

  #ring(place: { readonly x: number; readonly y: number }): void {
    this.#view.ring(place, this.#me.person.tab);
    this.#publish("ring", place);
  }

  /** Volatile: without a line it is dropped, which is what is wanted of a pointer. */
  #publish(event: string, data: object): void {
    const { tab, name } = this.#me.person;
    this.#client
      .publish(CHANNEL, { tab, name, ...data }, { event, volatile: true, echo: false })
      .catch(() => undefined);
  }

  #draw(): void {
    const { own, others } = this.#cursors;
    const mine: Cursor | undefined =
      this.#isByKey && own !== undefined ? { ...own, person: this.#me.person, seenAt: 0 } : undefined;
    this.#view.draw(others, mine);
    const text = others.length === 0 ? "only you" : `you and ${counted(others.length, "other")}`;
    const count = byId(this.#page, "cursors-count", HTMLElement);
    if (count.textContent !== text) {
      count.textContent = text;
    }
  }
}
