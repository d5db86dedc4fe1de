/**
 * Shows items as children of an element, one for each. An item that stays keeps
 * its element: focus is not lost, and a screen reader is told of news alone.
 */
export class KeyedList<T, E extends HTMLElement | SVGElement = HTMLElement> {
  readonly #parent: Element;
  readonly #keyOf: (item: T) => string | number;
  readonly #make: (item: T) => E;
  readonly #update: (element: E, item: T, before: T | undefined) => void;
  #elements = new Map<string | number, E>();

  constructor(
    parent: Element,
    keyOf: (item: T) => string | number,
    make: (item: T) => E,
    update: (element: E, item: T, before: T | undefined) => void = () => undefined,
  ) {
    this.#parent = parent;
    this.#keyOf = keyOf;
    this.#make = make;
    this.#update = update;
  }

  draw(items: readonly T[]): void {
    const wanted = new Set(items.map(this.#keyOf));
    for (const [key, element] of this.#elements) {
      if (!wanted.has(key)) {
        element.remove();
        this.#elements.delete(key);
      }
    }
    let before: T | undefined;
    let next = this.#parent.firstElementChild;
    for (const item of items) {
      const key = this.#keyOf(item);
      const element = this.#elements.get(key) ?? this.#make(item);
      this.#elements.set(key, element);
      this.#update(element, item, before);
      if (element === next) {
        next = next.nextElementSibling;
      } else {
        this.#parent.insertBefore(element, next);
      }
      before = item;
    }
  }
}
