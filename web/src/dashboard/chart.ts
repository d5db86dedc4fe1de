import type { Plot } from "./plots.js";
import { axisOf, timeMarks, type Axis } from "./scale.js";
import { runsOf, type Gap, type Point } from "./timeline.js";
import { formatValue } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 6, 8, 18];
/** Narrower gaps are shaded without a word in them. */
const LABEL_WIDTH = 70;
/** Half a time is as wide as this. */
const TIME_ROOM = 24;
const WORDS = { away: "no answer", paused: "paused" } as const;

/** What is to be seen: values of a time from `from` to `to`. */
export interface Scene {
  readonly points: readonly Point[];
  readonly gaps: readonly Gap[];
  readonly from: number;
  readonly to: number;
  /** The point that is pointed at. */
  readonly pointed: Point | undefined;
  /** Instead of values, if there can be none. */
  readonly note: string | undefined;
}

/** Draws one plot. It shows what it is given and knows nothing of where that is from. */
export class Chart {
  readonly #page: Document;
  readonly #plot: Plot;
  readonly #svg: SVGElement;
  #width = 0;
  #height = 0;

  constructor(page: Document, plot: Plot, box: HTMLElement, onResize: () => void) {
    this.#page = page;
    this.#plot = plot;
    this.#svg = this.#element("svg", { "aria-hidden": "true" });
    box.append(this.#svg);
    new ResizeObserver(() => {
      this.#width = box.clientWidth;
      this.#height = box.clientHeight;
      this.#svg.setAttribute("viewBox", `0 0 ${this.#width} ${this.#height}`);
      onResize();
    }).observe(box);
  }

  /** The time at a distance from the left edge. */
  timeAt(x: number, { from, to }: Scene): number {
    const share = (x - LEFT) / Math.max(1, this.#width - LEFT - RIGHT);
    return from + (to - from) * Math.min(1, Math.max(0, share));
  }

  draw(scene: Scene): void {
    if (this.#width === 0) {
      return;
    }
    const values = scene.points.flatMap(({ at, values }) =>
      at < scene.from ? [] : this.#plot.series.map(({ id }) => values.get(id)).filter((value) => typeof value === "number"),
    );
    const axis = axisOf(Math.max(0, ...values), this.#plot.unit);
    const at = new Projection(this.#width, this.#height, scene, axis);
    const note = scene.note === undefined ? [] : [this.#text("plot-note", at.middle, this.#height / 2, scene.note)];
    this.#svg.replaceChildren(
      ...this.#grid(at, scene, axis),
      ...this.#gaps(at, scene),
      ...[...this.#plot.series].reverse().flatMap((series) => this.#lines(at, scene, series.id, series.hue)),
      ...this.#cross(at, scene),
      ...note,
    );
  }

  #grid(at: Projection, scene: Scene, axis: Axis): SVGElement[] {
    const rows = axis.marks.flatMap((mark) => {
      const y = at.y(mark);
      const line = this.#element("line", { class: mark === 0 ? "plot-floor" : "plot-grid", x1: at.left, x2: at.right, y1: y, y2: y });
      return [line, this.#text("plot-mark", LEFT - 8, y + 4, formatValue(mark, this.#plot.unit))];
    });
    const times = timeMarks(scene.from, scene.to)
      .filter((time) => at.x(time.at) > at.left + TIME_ROOM && at.x(time.at) < at.right - TIME_ROOM)
      .map((time) => this.#text("plot-time", at.x(time.at), this.#height - 3, time.label));
    return [...rows, ...times];
  }

  #gaps(at: Projection, scene: Scene): SVGElement[] {
    return scene.gaps.flatMap(({ from, to, reason }) => {
      const [x, end] = [Math.max(at.left, at.x(from)), Math.min(at.right, at.x(to ?? scene.to))];
      if (end <= x) {
        return [];
      }
      const rect = this.#element("rect", { class: "plot-gap", "data-reason": reason, x, y: TOP, width: end - x, height: at.floor - TOP });
      return end - x < LABEL_WIDTH ? [rect] : [rect, this.#text("plot-gap-label", (x + end) / 2, TOP + 14, WORDS[reason])];
    });
  }

  #lines(at: Projection, scene: Scene, id: string, hue: number): SVGElement[] {
    return runsOf(scene.points, scene.gaps, id).flatMap((all) => {
      // One point before the edge is kept, so that the line reaches it.
      const first = Math.max(0, all.findIndex((point) => point.at >= scene.from) - 1);
      const run = (all.at(-1)?.at ?? 0) < scene.from ? [] : all.slice(first);
      const [start, end] = [run[0], run.at(-1)];
      if (start === undefined || end === undefined) {
        return [];
      }
      if (run.length === 1) {
        return [this.#element("circle", { class: "plot-dot", "data-hue": hue, cx: at.x(start.at), cy: at.y(start.value), r: 2.5 })];
      }
      const path = run.map((point, index) => `${index === 0 ? "M" : "L"}${at.x(point.at)} ${at.y(point.value)}`).join("");
      const line = this.#element("path", { class: "plot-line", "data-hue": hue, d: path });
      const fill = this.#element("path", { class: "plot-fill", "data-hue": hue, d: `${path}V${at.floor}H${at.x(start.at)}Z` });
      return this.#plot.isFilled ? [fill, line] : [line];
    });
  }

  #cross(at: Projection, { pointed, from }: Scene): SVGElement[] {
    if (pointed === undefined || pointed.at < from) {
      return [];
    }
    const x = at.x(pointed.at);
    const dots = this.#plot.series.flatMap(({ id, hue }) => {
      const value = pointed.values.get(id);
      return typeof value === "number" ? [this.#element("circle", { class: "plot-pointed", "data-hue": hue, cx: x, cy: at.y(value), r: 4 })] : [];
    });
    return [this.#element("line", { class: "plot-cross", x1: x, x2: x, y1: TOP, y2: at.floor }), ...dots];
  }

  #text(name: string, x: number, y: number, content: string): SVGElement {
    const text = this.#element("text", { class: name, x, y });
    text.textContent = content;
    return text;
  }

  #element(tag: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
    const made = this.#page.createElementNS(SVG, tag) as SVGElement;
    for (const [name, value] of Object.entries(attributes)) {
      made.setAttribute(name, String(value));
    }
    return made;
  }
}

/** Where times and values are in the picture, to a tenth of a pixel. */
class Projection {
  readonly left = LEFT;
  readonly right: number;
  readonly floor: number;
  readonly #scene: Scene;
  readonly #top: number;

  constructor(width: number, height: number, scene: Scene, { top }: Axis) {
    this.right = width - RIGHT;
    this.floor = height - BOTTOM;
    this.#scene = scene;
    this.#top = top;
  }

  get middle(): number {
    return (this.left + this.right) / 2;
  }

  x(time: number): number {
    const { from, to } = this.#scene;
    return rounded(this.left + (this.right - this.left) * Math.max(0, (time - from) / (to - from)));
  }

  y(value: number): number {
    return rounded(this.floor - (this.floor - TOP) * Math.min(1, value / this.#top));
  }
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
