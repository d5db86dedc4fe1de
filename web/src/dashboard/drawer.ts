import { byId, textElement } from "../dom.js";
import { messageOf } from "./api.js";

const REFRESH_MS = 2_000;

/** Looks, and says whether to look again: not at what has gone for good. */
export type Look = (name: string, isCurrent: () => boolean) => Promise<"again" | "gone">;

/** A panel at the side that looks at one thing, and again every two seconds while it is open. */
export class Drawer {
  readonly #page: Document;
  readonly #id: string;
  readonly #dialog: HTMLDialogElement;
  readonly #look: Look;
  #name: string | undefined;
  /** Of the newest look; what an earlier one finds is too late. */
  #round = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(page: Document, id: string, look: Look) {
    this.#page = page;
    this.#id = id;
    this.#look = look;
    this.#dialog = byId(page, id, HTMLDialogElement);
    byId(page, `${id}-close`, HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => {
      this.#round += 1;
      this.#name = undefined;
      clearTimeout(this.#timer);
    });
  }

  /** What is looked at; `undefined` while it is closed. */
  get name(): string | undefined {
    return this.#name;
  }

  open(name: string): void {
    this.#name = name;
    byId(this.#page, `${this.#id}-title`, HTMLElement).textContent = name;
    this.showError(undefined);
    this.showFacts([]);
    if (!this.#dialog.open) {
      this.#dialog.showModal();
    }
    this.#dialog.scrollTop = 0;
    this.refresh();
  }

  close(): void {
    this.#dialog.close();
  }

  refresh(): void {
    clearTimeout(this.#timer);
    if (this.#name === undefined) {
      return;
    }
    this.#round += 1;
    const round = this.#round;
    const isCurrent = (): boolean => round === this.#round;
    this.#look(this.#name, isCurrent).then(
      (next) => {
        if (isCurrent()) {
          this.showError(undefined);
          this.#again(next === "again");
        }
      },
      (error: unknown) => {
        if (isCurrent()) {
          this.showError(messageOf(error));
          this.#again(true);
        }
      },
    );
  }

  #again(isWanted: boolean): void {
    if (isWanted) {
      this.#timer = setTimeout(() => this.refresh(), REFRESH_MS);
    }
  }

  showFacts(facts: readonly (readonly [string, string])[]): void {
    const rows = facts.map(([name, value]) => {
      const row = this.#page.createElement("div");
      row.append(textElement(this.#page, "dt", "", name), textElement(this.#page, "dd", "", value));
      return row;
    });
    byId(this.#page, `${this.#id}-facts`, HTMLElement).replaceChildren(...rows);
  }

  showError(text: string | undefined): void {
    const shown = byId(this.#page, `${this.#id}-error`, HTMLElement);
    shown.hidden = text === undefined;
    if (shown.textContent !== (text ?? "")) {
      shown.textContent = text ?? "";
    }
  }
}

/** Names that can be looked into, as buttons. Those that stay keep their focus. */
export function chip(page: Document, name: string, detail: string, open: () => void): HTMLElement {
  const item = page.createElement("li");
  const button = textElement(page, "button", "chip mono", name) as HTMLButtonElement;
  button.type = "button";
  button.addEventListener("click", open);
  item.append(button);
  if (detail !== "") {
    item.append(textElement(page, "span", "chip-detail", detail));
  }
  return item;
}
