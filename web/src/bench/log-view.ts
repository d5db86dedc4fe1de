import { textElement } from "../dom.js";
import { formatClock, formatDuration, formatSize } from "../format.js";
import { Ring } from "../ring.js";
import type { MessageKind } from "./exchange.js";

export interface LogRow {
  readonly direction: "in" | "out" | "event";
  readonly kind: MessageKind | "connect" | "open" | "close" | "error";
  readonly time: Date;
  readonly text: string;
  readonly size?: number;
  readonly roundTrip?: number;
}

const ROWS_MAX = 500;
/** One paint's worth: a burst becomes one change of the page, not thousands. */
const FLUSH_MS = 16;
/** How near the end still counts as reading along. */
const FOLLOW_PX = 24;
const ARROWS = { in: "↓", out: "↑", event: "•" } as const;
const SPOKEN = { in: "received", out: "sent", event: "event" } as const;

/** The last 500 rows of a log, drawn in batches; it scrolls along while the reader is at its end. */
export class LogView {
  readonly #log: HTMLElement;
  readonly #rows: Ring<LogRow> = new Ring(ROWS_MAX);
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(log: HTMLElement) {
    this.#log = log;
  }

  add(row: LogRow): void {
    this.#rows.push(row);
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  clear(): void {
    this.#rows.clear();
    this.#log.replaceChildren();
  }

  #flush(): void {
    this.#timer = undefined;
    const log = this.#log;
    const following = log.scrollHeight - log.scrollTop - log.clientHeight < FOLLOW_PX;
    const rows = this.#rows.toArray().map((row) => drawn(log.ownerDocument, row));
    this.#rows.clear();
    log.append(...rows);
    while (log.childElementCount > ROWS_MAX) {
      log.firstElementChild?.remove();
    }
    if (following) {
      log.scrollTop = log.scrollHeight;
    }
  }
}

function drawn(page: Document, row: LogRow): HTMLElement {
  const line = page.createElement("div");
  line.className = "log-row";
  line.dataset["direction"] = row.direction;
  line.dataset["kind"] = row.kind;
  if (row.size !== undefined) {
    line.dataset["size"] = String(row.size);
  }
  const arrow = textElement(page, "span", "log-arrow", ARROWS[row.direction]);
  arrow.setAttribute("aria-hidden", "true");
  line.append(
    arrow,
    textElement(page, "span", "visually-hidden", SPOKEN[row.direction]),
    textElement(page, "time", "log-time", formatClock(row.time)),
    textElement(page, "span", "log-kind", row.kind),
    textElement(page, "span", "log-size", row.size === undefined ? "" : formatSize(row.size)),
    textElement(page, "span", "log-rtt", row.roundTrip === undefined ? "" : formatDuration(row.roundTrip)),
    textElement(page, "span", "log-text", row.text),
  );
  return line;
}
