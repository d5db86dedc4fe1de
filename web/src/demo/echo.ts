import type { Environment } from "@openline/client";
import { ReconnectingWebSocket } from "@openline/client/websocket";
import { byId, textElement } from "../dom.js";
import { webSocketUrl } from "../endpoint.js";
import { formatDuration, formatSize } from "../format.js";
import { KeyedList } from "../keyed-list.js";
import { EchoLog, type EchoRow } from "./echo-log.js";

const ARROWS = { in: "←", out: "→", event: "·" } as const;

/** The echo: a plain WebSocket that comes back by itself, and a log of what went over it. */
export class Echo {
  readonly #page: Document;
  readonly #log = new EchoLog();
  readonly #box: HTMLElement;
  readonly #rows: KeyedList<EchoRow>;

  constructor(page: Document, environment: Partial<Environment>) {
    this.#page = page;
    this.#box = byId(page, "echo-log", HTMLElement);
    this.#rows = new KeyedList(this.#box, ({ id }) => id, (row) => this.#makeRow(row));
    const url = webSocketUrl(page.location.href, "echo");
    const line = new ReconnectingWebSocket(url, [], { reconnectDelay: 500, maxReconnectDelay: 5_000, environment });
    line.addEventListener("message", ({ data }) => {
      this.#log.handleReceived(String(data), performance.now(), Date.now());
      this.#draw();
    });
    line.addEventListener("close", ({ code, reason }) => this.#tell(`closed: ${code} ${reason}`));
    this.#tellLosses(line);
    this.#listen(line);
  }

  /** One row for a loss, however many attempts follow, and one for the return. */
  #tellLosses(line: ReconnectingWebSocket): void {
    let isLost = false;
    line.addEventListener("reconnecting", ({ code }) => {
      if (!isLost) {
        this.#tell(`no line (${code}); what you send waits`);
      }
      isLost = true;
    });
    line.addEventListener("open", () => {
      if (isLost) {
        this.#tell("the line is back");
      }
      isLost = false;
    });
  }

  #listen(line: ReconnectingWebSocket): void {
    const input = byId(this.#page, "echo-text", HTMLInputElement);
    byId(this.#page, "echo-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const text = input.value;
      if (text === "") {
        return;
      }
      this.#log.handleSent(text, performance.now(), Date.now());
      try {
        line.send(text);
      } catch (error) {
        this.#tell(error instanceof Error ? error.message : String(error));
      }
      this.#draw();
      input.select();
    });
  }

  #tell(text: string): void {
    this.#log.handleEvent(text, Date.now());
    this.#draw();
  }

  #draw(): void {
    this.#rows.draw(this.#log.rows);
    this.#box.scrollTop = this.#box.scrollHeight;
    const { median, sent, received } = this.#log;
    byId(this.#page, "echo-median", HTMLElement).textContent =
      median === undefined ? "no echo yet" : `${received} of ${sent} back, median ${formatDuration(median)}`;
  }

  #makeRow({ direction, text, size, roundTrip, at }: EchoRow): HTMLElement {
    const row = textElement(this.#page, "div", "echo-row", "");
    row.dataset["direction"] = direction;
    row.title = new Date(at).toLocaleTimeString();
    const facts = [direction === "event" ? "" : formatSize(size), roundTrip === undefined ? "" : formatDuration(roundTrip)];
    row.append(
      textElement(this.#page, "span", "", ARROWS[direction]),
      textElement(this.#page, "span", "", text),
      textElement(this.#page, "span", "", facts.filter((fact) => fact !== "").join(" · ")),
    );
    return row;
  }
}
