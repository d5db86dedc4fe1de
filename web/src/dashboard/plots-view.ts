import { byId, textElement } from "../dom.js";
import { Chart, type Scene } from "./chart.js";
import { Crosshair } from "./crosshair.js";
import { PLOTS, type Plot, type Series } from "./plots.js";
import { expressionOf, rawSeries, rawValue, type Value } from "./series.js";
import { nearestPoint, WINDOW_MS, type Point, type Timeline } from "./timeline.js";
import { formatTime, formatValue } from "./words.js";

/** With less than this to show the plots are not drawn narrower. */
const WINDOW_MS_MIN = 60_000;
const PAGE_STEP = 10;

/** All plots: they have one time axis, one crosshair, and each says of which metric it is. */
export class PlotsView {
  readonly #page: Document;
  readonly #timeline: Timeline;
  readonly #cards: readonly Card[];
  readonly #crosshair: Crosshair;
  #to = 0;

  constructor(page: Document, timeline: Timeline) {
    this.#page = page;
    this.#timeline = timeline;
    this.#crosshair = new Crosshair(() => this.#draw());
    const box = byId(page, "plots", HTMLElement);
    this.#cards = PLOTS.map((plot) => new Card(page, plot, () => this.#draw()));
    box.replaceChildren(...this.#cards.map((card) => card.element));
    for (const card of this.#cards) {
      this.#listen(card);
    }
    page.addEventListener("pointerdown", ({ target }) => {
      if (!(target instanceof Element) || target.closest(".plot-area") === null) {
        this.#crosshair.set(undefined);
      }
    });
  }

  /** `to` is the right edge: now while the server is away, else the newest answer. */
  draw(to: number): void {
    this.#to = to;
    this.#draw();
  }

  #draw(): void {
    const points = this.#timeline.points;
    const first = points[0]?.at ?? this.#to;
    const from = Math.max(this.#to - WINDOW_MS, Math.min(first, this.#to - WINDOW_MS_MIN));
    const pointed = this.#crosshair.at === undefined ? undefined : nearestPoint(points, this.#crosshair.at);
    for (const card of this.#cards) {
      card.draw({ points, gaps: this.#timeline.gaps, from, to: this.#to, pointed, note: undefined }, this.#timeline);
    }
    const time = byId(this.#page, "cross-time", HTMLElement);
    time.textContent = pointed === undefined ? "" : `at ${formatTime(pointed.at)}`;
  }

  #listen({ area, timeAt }: Card): void {
    const point = ({ clientX }: PointerEvent): void => {
      const at = timeAt(clientX);
      this.#crosshair.set(at === undefined ? undefined : nearestPoint(this.#timeline.points, at)?.at);
    };
    area.addEventListener("pointermove", point);
    area.addEventListener("pointerdown", point);
    // A finger that is lifted leaves what it pointed at, or nobody could read it.
    area.addEventListener("pointerleave", ({ pointerType }) => pointerType !== "touch" && this.#crosshair.set(undefined));
    area.addEventListener("focus", () => {
      if (area.matches(":focus-visible")) {
        this.#crosshair.set(this.#timeline.points.at(-1)?.at);
      }
    });
    area.addEventListener("blur", () => this.#crosshair.set(undefined));
    area.addEventListener("keydown", (event) => {
      if (this.#handleKey(event.key)) {
        event.preventDefault();
      }
    });
  }

  #handleKey(key: string): boolean {
    const points = this.#timeline.points.filter(({ at }) => at >= this.#to - WINDOW_MS);
    const last = points.length - 1;
    const at = this.#crosshair.at;
    const now = at === undefined ? last : points.indexOf(nearestPoint(points, at) as Point);
    const moves: Readonly<Record<string, number | undefined>> = {
      ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1,
      PageDown: now - PAGE_STEP, PageUp: now + PAGE_STEP, Home: 0, End: last,
    };
    if (key === "Escape" && at !== undefined) {
      this.#crosshair.set(undefined);
      return true;
    }
    const next = moves[key];
    if (next === undefined || last < 0) {
      return false;
    }
    this.#crosshair.set(points[Math.min(last, Math.max(0, next))]?.at);
    return true;
  }
}

/** One plot with its title, its legend and the series that it is made of. */
class Card {
  readonly element: HTMLElement;
  readonly area: HTMLElement;
  readonly #page: Document;
  readonly #plot: Plot;
  readonly #chart: Chart;
  readonly #legend = new Map<string, HTMLElement>();
  readonly #raw = new Map<string, HTMLElement>();
  #scene: Scene | undefined;

  constructor(page: Document, plot: Plot, onResize: () => void) {
    this.#page = page;
    this.#plot = plot;
    this.element = page.createElement("section");
    this.element.className = "card plot";
    this.element.dataset["plot"] = plot.id;
    const title = textElement(page, "h3", "plot-title", plot.title);
    title.id = `plot-${plot.id}`;
    this.element.setAttribute("aria-labelledby", title.id);
    const [button, table] = this.#makeRaw();
    const head = page.createElement("div");
    head.className = "plot-head";
    head.append(title, button);
    this.area = this.#makeArea();
    this.element.append(head, this.area, this.#makeLegend(), table);
    this.#chart = new Chart(page, plot, this.area, onResize);
  }

  /** The time below a place of the window. */
  readonly timeAt = (clientX: number): number | undefined =>
    this.#scene === undefined ? undefined : this.#chart.timeAt(clientX - this.area.getBoundingClientRect().left, this.#scene);

  draw(scene: Scene, timeline: Timeline): void {
    const newest = scene.points.at(-1);
    const shown = scene.pointed ?? newest;
    const values = this.#plot.series.map(({ id }) => newest?.values.get(id));
    const note = values.every((value) => value === "missing") ? "The server does not report this." : noteOf(scene, this.#plot, newest);
    this.#scene = { ...scene, note };
    this.#chart.draw(this.#scene);
    this.element.dataset["at"] = String(newest?.at ?? "");
    for (const series of this.#plot.series) {
      this.#drawValue(series, shown?.values.get(series.id), newest?.values.get(series.id));
      this.#drawRaw(series, timeline);
    }
    this.#drawForReaders(shown, newest);
  }

  #drawValue({ id }: Series, shown: Value | undefined, newest: Value | undefined): void {
    const row = this.#legend.get(id);
    const text = row?.querySelector(".legend-value");
    if (row !== undefined && text !== null && text !== undefined) {
      text.textContent = wordOf(shown, this.#plot);
      // Of the newest answer, exactly; the text is rounded.
      row.dataset["value"] = String(newest ?? "");
      row.classList.toggle("is-missing", shown === "missing");
    }
  }

  #drawRaw({ id, reading }: Series, timeline: Timeline): void {
    const cell = this.#raw.get(id);
    if (cell !== undefined) {
      const value = timeline.poll === undefined ? undefined : rawValue(reading, timeline.poll.metrics);
      cell.textContent = value === undefined ? "not reported" : String(value);
      cell.dataset["raw"] = String(value ?? "");
    }
  }

  #drawForReaders(shown: Point | undefined, newest: Point | undefined): void {
    if (shown === undefined || newest === undefined) {
      return;
    }
    const parts = this.#plot.series.map(({ id, label }) => `${label} ${wordOf(shown.values.get(id), this.#plot)}`);
    this.area.setAttribute("aria-valuenow", String(Math.round((shown.at - newest.at) / 1_000)));
    this.area.setAttribute("aria-valuetext", `${formatTime(shown.at)}: ${parts.join(", ")}`);
  }

  #makeArea(): HTMLElement {
    const area = this.#page.createElement("div");
    area.className = "plot-area";
    area.tabIndex = 0;
    const attributes = { role: "slider", "aria-label": `${this.#plot.title}, seconds before now`, "aria-valuemin": String(-WINDOW_MS / 1_000), "aria-valuemax": "0", "aria-valuenow": "0" };
    for (const [name, value] of Object.entries(attributes)) {
      area.setAttribute(name, value);
    }
    return area;
  }

  #makeLegend(): HTMLElement {
    const list = this.#page.createElement("ul");
    list.className = "legend";
    for (const { id, label, hue } of this.#plot.series) {
      const row = this.#page.createElement("li");
      row.dataset["series"] = id;
      const swatch = textElement(this.#page, "span", "swatch", "");
      swatch.dataset["hue"] = String(hue);
      row.append(swatch, textElement(this.#page, "span", "legend-label", label), textElement(this.#page, "span", "legend-value", "–"));
      this.#legend.set(id, row);
      list.append(row);
    }
    return list;
  }

  #makeRaw(): [HTMLElement, HTMLElement] {
    const list = this.#page.createElement("dl");
    list.className = "raw";
    list.id = `raw-${this.#plot.id}`;
    list.hidden = true;
    for (const { id, label, reading } of this.#plot.series) {
      const name = textElement(this.#page, "dt", "", `${label}: ${expressionOf(reading)}`);
      const value = textElement(this.#page, "dd", "", "–");
      value.dataset["series"] = rawSeries(reading);
      value.dataset["of"] = id;
      this.#raw.set(id, value);
      list.append(name, value);
    }
    const button = textElement(this.#page, "button", "raw-button", "raw") as HTMLButtonElement;
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-controls", list.id);
    button.setAttribute("aria-label", `Raw series of: ${this.#plot.title}`);
    button.addEventListener("click", () => {
      list.hidden = !list.hidden;
      button.setAttribute("aria-expanded", String(!list.hidden));
    });
    return [button, list];
  }
}

function noteOf(scene: Scene, plot: Plot, newest: Point | undefined): string | undefined {
  if (newest === undefined) {
    return "Waiting for the first answer";
  }
  const isEmpty = !scene.points.some(({ values }) => plot.series.some(({ id }) => typeof values.get(id) === "number"));
  if (!isEmpty) {
    return undefined;
  }
  return plot.id === "latency" ? "Nothing was delivered yet" : "Waiting for the second answer";
}

function wordOf(value: Value | undefined, { unit }: Plot): string {
  if (value === "missing") {
    return "not reported";
  }
  return typeof value === "number" ? formatValue(value, unit) : "–";
}
