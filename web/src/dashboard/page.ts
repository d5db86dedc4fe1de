import { byId } from "../dom.js";
import { Api } from "./api.js";
import { Board } from "./board.js";
import { isKey, KeyKeeper, keyOf } from "./key.js";

/** The dashboard: without a key it asks for one, with one it shows the board. */
export class DashboardPage {
  readonly #page: Document;
  readonly #view: Window & typeof globalThis;
  readonly #keeper: KeyKeeper;
  readonly #board: Board;

  constructor(page: Document, view: Window & typeof globalThis) {
    this.#page = page;
    this.#view = view;
    this.#keeper = new KeyKeeper(view);
    this.#board = new Board(page, view, (why) => this.#leave(`The server does not take this key: ${why}.`));
    byId(page, "entry-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    byId(page, "forget", HTMLButtonElement).addEventListener("click", () => this.#leave(undefined));
    view.addEventListener("hashchange", () => {
      const key = keyOf(view.location.hash) === undefined ? undefined : this.#keeper.take();
      if (key !== undefined) {
        this.#enter(key);
      }
    });
    const key = this.#keeper.take();
    if (key === undefined) {
      this.#ask(undefined);
    } else {
      this.#enter(key);
    }
  }

  #submit(): void {
    const key = byId(this.#page, "key", HTMLInputElement).value.trim();
    this.#keeper.keep(key);
    this.#enter(key);
    if (isKey(key)) {
      byId(this.#page, "main", HTMLElement).focus();
    }
  }

  #enter(key: string): void {
    if (!isKey(key)) {
      this.#leave("A key has letters, digits and signs, and no spaces between them.");
      return;
    }
    byId(this.#page, "key", HTMLInputElement).value = "";
    byId(this.#page, "entry", HTMLElement).hidden = true;
    byId(this.#page, "board", HTMLElement).hidden = false;
    this.#board.start(new Api(this.#view.fetch.bind(this.#view), this.#page.baseURI, key));
  }

  /** The key is not used any more: it is none that the server takes, or it is to be forgotten. */
  #leave(why: string | undefined): void {
    this.#keeper.forget();
    this.#board.stop();
    this.#ask(why);
  }

  #ask(why: string | undefined): void {
    byId(this.#page, "board", HTMLElement).hidden = true;
    byId(this.#page, "entry", HTMLElement).hidden = false;
    const error = byId(this.#page, "entry-error", HTMLElement);
    error.hidden = why === undefined;
    error.textContent = why ?? "";
    const key = byId(this.#page, "key", HTMLInputElement);
    key.focus();
    // What is typed next takes the place of what was wrong.
    key.select();
  }
}
