import { byId } from "../dom.js";
import { gridOf, nearer, overlap, priceAt, runsOf, scaleOf, type Scale, type Tick, type Ticks } from "./ticks.js";

const SVG = "http://www.w3.org/2000/svg";
const WINDOW_MS = 60_000;
/** The picture is this far behind, so that the line grows to its head instead of jumping there. */
const BEHIND_MS = 1_100;
const AXIS = 46;
const TOP = 6;
const BOTTOM = 10;
/** A share of the way to the new scale, each frame. */
const EASE = 0.12;

/** Draws prices of the last minute as a line that moves on with time. */
export class TickerView {
  readonly #ticks: Ticks;
  readonly #box: HTMLElement;
  readonly #svg: SVGSVGElement;
  readonly #isCalm: MediaQueryList;
  #width = 0;
  #height = 0;
  #scale: Scale | undefined;

  constructor(page: Document, view: Window, ticks: Ticks) {
    this.#ticks = ticks;
    this.#box = byId(page, "chart", HTMLElement);
    this.#svg = page.createElementNS(SVG, "svg");
    this.#svg.setAttribute("aria-hidden", "true");
    this.#box.append(this.#svg);
    this.#svg.append(this.#hatch(), this.#group("chart-grid"), this.#group("chart-spans"), this.#group("chart-lines"));
    this.#isCalm = view.matchMedia("(prefers-reduced-motion: reduce)");
    new ResizeObserver(() => {
      this.#width = this.#box.clientWidth;
      this.#height = this.#box.clientHeight;
      this.#svg.setAttribute("viewBox", `0 0 ${this.#width} ${this.#height}`);
      this.draw(Date.now());
    }).observe(this.#box);
  }

  /** Whether the picture has to be drawn for each frame: not for people who asked for less motion. */
  get isMoving(): boolean {
    return !this.#isCalm.matches;
  }

  draw(now: number): void {
    if (this.#width === 0) {
      return;
    }
    const end = this.#ticks.serverTime(now) - (this.isMoving ? BEHIND_MS : 0);
    const ticks = this.#ticks.since(end - WINDOW_MS);
    const wanted = scaleOf(ticks);
    const isNear = this.#scale !== undefined && this.isMoving && overlap(this.#scale, wanted);
    this.#scale = isNear && this.#scale !== undefined ? nearer(this.#scale, wanted, EASE) : wanted;
    const at = new Projection(this.#width - AXIS, this.#height, end, this.#scale);
    this.#drawGrid(at, ticks.length === 0);
    this.#drawSpans(at);
    this.#drawLines(at, ticks, end);
  }

  #drawGrid(at: Projection, isEmpty: boolean): void {
    const group = this.#svg.querySelector(".chart-grid");
    if (isEmpty) {
      const text = this.#element("text", { class: "chart-wait", x: this.#width / 2, y: this.#height / 2 });
      text.textContent = "Waiting for the first price";
      group?.replaceChildren(text);
      return;
    }
    const rows = gridOf(at.scale).map((price) => {
      const y = at.y(price);
      const text = this.#element("text", { x: this.#width, y: y + 4 });
      text.textContent = price.toFixed(2);
      return [this.#element("line", { x1: 0, x2: this.#width - AXIS, y1: y, y2: y }), text];
    });
    group?.replaceChildren(...rows.flat());
  }

  #drawSpans(at: Projection): void {
    const shown = this.#ticks.spans
      .map(({ from, to }) => ({ from: Math.max(0, at.x(from)), to: Math.min(at.width, at.x(to ?? at.end)) }))
      .filter(({ from, to }) => to > from);
    const shapes = shown.flatMap(({ from, to }) => {
      const rect = this.#element("rect", {
        class: "chart-span", x: from, y: TOP - 4, width: to - from, height: this.#height - TOP - BOTTOM + 8, rx: 3,
      });
      if (to - from < 44) {
        return [rect];
      }
      const label = this.#element("text", { class: "chart-span-label", x: (from + to) / 2, y: TOP + 10 });
      label.textContent = "no line";
      return [rect, label];
    });
    this.#svg.querySelector(".chart-spans")?.replaceChildren(...shapes);
  }

  #drawLines(at: Projection, ticks: readonly Tick[], end: number): void {
    const shapes: SVGElement[] = [];
    const seen = ticks.filter((tick) => tick.at <= end);
    for (const run of runsOf(seen)) {
      const reachesHead = run.at(-1) === seen.at(-1);
      const points = run.map((tick) => at.point(tick));
      const next = ticks[seen.length];
      const head = priceAt(ticks, end);
      if (reachesHead && next !== undefined && head !== undefined && runsOf([...run, next]).length === 1) {
        points.push([at.x(end), at.y(head)]);
      }
      const line = pathOf(points);
      const [first, last] = [points[0], points.at(-1)];
      if (first !== undefined && last !== undefined && points.length > 1) {
        const floor = this.#height - BOTTOM + 4;
        shapes.push(this.#element("path", { class: "chart-fill", d: `${line}V${floor}H${round(first[0])}Z` }));
      }
      shapes.push(this.#element("path", { class: "chart-line", d: line }));
      shapes.push(...this.#recovered(at, run));
    }
    const head = priceAt(seen.length > 0 ? ticks : [], end);
    const last = seen.at(-1);
    if (head !== undefined && last !== undefined) {
      const isJoined = ticks[seen.length] !== undefined;
      const x = isJoined ? at.x(end) : at.x(last.at);
      shapes.push(this.#element("circle", { class: "chart-head", cx: x, cy: at.y(isJoined ? head : last.price), r: 5 }));
    }
    this.#svg.querySelector(".chart-lines")?.replaceChildren(...shapes);
  }

  /** What came back after a cut: in another colour, each price a dot. */
  #recovered(at: Projection, run: readonly Tick[]): SVGElement[] {
    const shapes: SVGElement[] = [];
    const pieces = run.flatMap((tick, index) => {
      const before = run[index - 1];
      return tick.isRecovered && before !== undefined ? [pathOf([at.point(before), at.point(tick)])] : [];
    });
    if (pieces.length > 0) {
      shapes.push(this.#element("path", { class: "chart-back", d: pieces.join("") }));
    }
    for (const tick of run.filter((one) => one.isRecovered)) {
      const [cx, cy] = at.point(tick);
      shapes.push(this.#element("circle", { class: "chart-dot-back", cx, cy, r: 3 }));
    }
    return shapes;
  }

  #hatch(): SVGElement {
    const defs = this.#element("defs", {});
    const pattern = this.#element("pattern", {
      id: "hatch", width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)",
    });
    pattern.append(
      this.#element("rect", { class: "chart-hatch-ground", width: 7, height: 7 }),
      this.#element("line", { class: "chart-hatch-line", x1: 0, x2: 0, y1: 0, y2: 7 }),
    );
    defs.append(pattern);
    return defs;
  }

  #group(name: string): SVGElement {
    return this.#element("g", { class: name });
  }

  #element(tag: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
    const made = this.#svg.ownerDocument.createElementNS(SVG, tag) as SVGElement;
    for (const [name, value] of Object.entries(attributes)) {
      made.setAttribute(name, String(typeof value === "number" ? round(value) : value));
    }
    return made;
  }
}

/** Where times and prices are in the picture. */
class Projection {
  readonly width: number;
  readonly end: number;
  readonly scale: Scale;
  readonly #height: number;

  constructor(width: number, height: number, end: number, scale: Scale) {
    this.width = width;
    this.#height = height;
    this.end = end;
    this.scale = scale;
  }

  x(time: number): number {
    return this.width * (1 - (this.end - time) / WINDOW_MS);
  }

  y(price: number): number {
    const share = (price - this.scale.low) / (this.scale.high - this.scale.low);
    return TOP + (this.#height - TOP - BOTTOM) * (1 - share);
  }

  point(tick: Tick): [number, number] {
    return [this.x(tick.at), this.y(tick.price)];
  }
}

function pathOf(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y], index) => `${index === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("");
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
