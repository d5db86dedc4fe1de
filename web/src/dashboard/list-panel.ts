import { byId, textElement } from "../dom.js";
import { KeyedList } from "../keyed-list.js";
import { messageOf, type Page } from "./api.js";
import { Pager } from "./pager.js";

const PAGE_ROWS = 25;
const TYPING_MS = 250;

export interface ListOptions<T> {
  /** Of the table's body; the other parts are named after it. */
  readonly id: string;
  /** The inputs that say what is asked for. */
  readonly filters: readonly string[];
  readonly keyOf: (row: T) => string;
  /** What stands behind the name; `numbers` says which of it are numbers. */
  readonly cells: (row: T) => readonly string[];
  readonly numbers: readonly boolean[];
  readonly load: (after: string | undefined, limit: number) => Promise<Page<T>>;
  readonly open: (key: string) => void;
  /** Why there may be nothing. */
  readonly empty: () => string;
}

/** A table that is read from the server page by page. */
export class ListPanel<T> {
  readonly #page: Document;
  readonly #options: ListOptions<T>;
  readonly #pager = new Pager();
  readonly #list: KeyedList<T>;
  /** Of the newest question: answers to earlier ones are too late. */
  #round = 0;
  #isAsking = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(page: Document, options: ListOptions<T>) {
    this.#page = page;
    this.#options = options;
    this.#list = new KeyedList(byId(page, options.id, HTMLElement), options.keyOf, (row) => this.#make(row), (line, row) => this.#update(line, row));
    this.#button("back").addEventListener("click", () => this.#leaf(() => this.#pager.back()));
    this.#button("next").addEventListener("click", () => this.#leaf(() => this.#pager.forward()));
    for (const filter of options.filters) {
      byId(page, filter, HTMLInputElement).addEventListener("input", () => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#leaf(() => this.#pager.reset()), TYPING_MS);
      });
    }
    byId(page, `${options.id}-form`, HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
  }

  /** Asks anew for the page that is shown, unless it is being asked for. */
  refresh(): void {
    if (!this.#isAsking) {
      void this.#load();
    }
  }

  clear(): void {
    this.#round += 1;
    this.#isAsking = false;
    this.#pager.reset();
    this.#list.draw([]);
    this.#note("");
  }

  #leaf(move: () => void): void {
    move();
    void this.#load();
  }

  async #load(): Promise<void> {
    this.#round += 1;
    const round = this.#round;
    this.#isAsking = true;
    try {
      const { rows, next } = await this.#options.load(this.#pager.after, PAGE_ROWS);
      if (round === this.#round) {
        this.#pager.handlePage(next);
        this.#list.draw(rows);
        this.#note(rows.length === 0 ? this.#options.empty() : "");
      }
    } catch (error) {
      if (round === this.#round) {
        this.#note(`Not up to date: ${messageOf(error)}`);
      }
    }
    if (round === this.#round) {
      this.#isAsking = false;
      this.#drawPager();
    }
  }

  #drawPager(): void {
    const { hasPrevious, hasNext, number } = this.#pager;
    const focused = this.#page.activeElement;
    this.#button("back").disabled = !hasPrevious;
    this.#button("next").disabled = !hasNext;
    // A button that was just used and has no more to do hands the focus on.
    if (focused instanceof HTMLButtonElement && focused.disabled && focused.id.startsWith(`${this.#options.id}-`)) {
      (hasPrevious ? this.#button("back") : this.#button("next")).focus();
    }
    byId(this.#page, `${this.#options.id}-page`, HTMLElement).textContent = `page ${number}`;
    this.#button("back").parentElement?.toggleAttribute("hidden", !hasPrevious && !hasNext);
  }

  #make(row: T): HTMLElement {
    const key = this.#options.keyOf(row);
    const line = this.#page.createElement("tr");
    const head = this.#page.createElement("th");
    head.scope = "row";
    const open = textElement(this.#page, "button", "row-button mono", key) as HTMLButtonElement;
    open.type = "button";
    open.title = key;
    open.addEventListener("click", () => this.#options.open(key));
    head.append(open);
    line.append(head, ...this.#options.numbers.map((isNumber) => textElement(this.#page, "td", isNumber ? "number" : "", "")));
    return line;
  }

  #update(line: HTMLElement, row: T): void {
    this.#options.cells(row).forEach((cell, index) => {
      const shown = line.children[index + 1];
      if (shown !== undefined && shown.textContent !== cell) {
        shown.textContent = cell;
      }
    });
  }

  #note(text: string): void {
    byId(this.#page, `${this.#options.id}-note`, HTMLElement).textContent = text;
  }

  #button(name: "back" | "next"): HTMLButtonElement {
    return byId(this.#page, `${this.#options.id}-${name}`, HTMLButtonElement);
  }
}
