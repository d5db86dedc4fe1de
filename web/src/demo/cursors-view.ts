import { byId, textElement } from "../dom.js";
import { KeyedList } from "../keyed-list.js";
import type { Cursor, Place } from "./cursors.js";
import { hueOf, type Person } from "./person.js";

const SVG = "http://www.w3.org/2000/svg";
const ARROW = "M2 1.5 15 8.2 8.6 9.9 5.8 16z";
const RING_MS = 650;

/** Shows everybody's pointer in the area, each with its name. */
export class CursorsView {
  readonly #page: Document;
  readonly #area: HTMLElement;
  readonly #list: KeyedList<Cursor>;

  constructor(page: Document) {
    this.#page = page;
    this.#area = byId(page, "area", HTMLElement);
    const layer = page.createElement("div");
    layer.setAttribute("aria-hidden", "true");
    this.#area.append(layer);
    this.#list = new KeyedList(
      layer,
      ({ person }) => person.tab,
      ({ person }) => this.#make(person),
      (element, cursor) => this.#update(element, cursor),
    );
  }

  /** The place in the area of a pointer on the page. */
  placeOf(event: { readonly clientX: number; readonly clientY: number }): Place {
    const { left, top, width, height } = this.#area.getBoundingClientRect();
    return { x: (event.clientX - left) / width, y: (event.clientY - top) / height };
  }

  /** `own` is shown where the mouse does not show it already. */
  draw(others: readonly Cursor[], own: Cursor | undefined): void {
    this.#list.draw(own === undefined ? others : [...others, own]);
  }

  ring({ x, y }: Place, tab: string): void {
    const ring = textElement(this.#page, "span", "ring", "");
    ring.dataset["hue"] = String(hueOf(tab));
    ring.style.left = `${x * 100}%`;
    ring.style.top = `${y * 100}%`;
    this.#area.append(ring);
    setTimeout(() => ring.remove(), RING_MS);
  }

  #make(person: Person): HTMLElement {
    const made = textElement(this.#page, "div", "cursor", "");
    made.dataset["tab"] = person.tab;
    made.dataset["hue"] = String(person.hue);
    const svg = this.#page.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 17 17");
    const path = this.#page.createElementNS(SVG, "path");
    path.setAttribute("d", ARROW);
    svg.append(path);
    const name = textElement(this.#page, "span", "cursor-name", "");
    name.dir = "auto";
    made.append(svg, name);
    return made;
  }

  #update(element: HTMLElement, { x, y, person }: Cursor): void {
    const { clientWidth, clientHeight } = this.#area;
    element.style.transform = `translate(${Math.round(x * clientWidth)}px, ${Math.round(y * clientHeight)}px)`;
    element.dataset["flip"] = String(x > 0.75);
    const name = element.querySelector(".cursor-name");
    if (name !== null && name.textContent !== person.name) {
      name.textContent = person.name;
    }
  }
}
