import { byId } from "../dom.js";

export interface Question {
  readonly title: string;
  readonly text: string;
  /** What the button says that does it. */
  readonly action: string;
}

/** Asks before something that cannot be taken back. Enter alone does nothing: the focus is on the way out. */
export class Confirm {
  readonly #page: Document;
  readonly #dialog: HTMLDialogElement;

  constructor(page: Document) {
    this.#page = page;
    this.#dialog = byId(page, "confirm", HTMLDialogElement);
    byId(page, "confirm-no", HTMLButtonElement).addEventListener("click", () => this.#dialog.close("no"));
    byId(page, "confirm-yes", HTMLButtonElement).addEventListener("click", () => this.#dialog.close("yes"));
  }

  ask({ title, text, action }: Question): Promise<boolean> {
    byId(this.#page, "confirm-title", HTMLElement).textContent = title;
    byId(this.#page, "confirm-text", HTMLElement).textContent = text;
    byId(this.#page, "confirm-yes", HTMLButtonElement).textContent = action;
    this.#dialog.returnValue = "no";
    this.#dialog.showModal();
    byId(this.#page, "confirm-no", HTMLButtonElement).focus();
    return new Promise((resolve) => {
      this.#dialog.addEventListener("close", () => resolve(this.#dialog.returnValue === "yes"), { once: true });
    });
  }
}
