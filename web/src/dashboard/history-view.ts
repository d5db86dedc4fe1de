import { byId, textElement } from "../dom.js";
import { preview } from "../format.js";
import { KeyedList } from "../keyed-list.js";
import type { Api, Message } from "./api.js";
import { formatMoment, prettyJson } from "./words.js";

const PAGE_MESSAGES = 25;

interface Row {
  readonly key: string;
  readonly message: Message;
}

interface Loaded {
  readonly rows: readonly Row[];
  readonly more: boolean;
}

/**
 * The messages of a channel. Live it shows the newest, asked for again and again: to subscribe would need a
 * permission, change what is measured, and show up as a client.
 */
export class HistoryView {
  readonly #page: Document;
  readonly #list: KeyedList<Row>;
  readonly #refresh: () => void;
  /** Before it is what is shown; without it the newest. */
  #before: string | undefined;
  #isLive = true;
  #shown: Loaded | undefined;

  constructor(page: Document, refresh: () => void) {
    this.#page = page;
    this.#refresh = refresh;
    this.#list = new KeyedList(byId(page, "history", HTMLElement), ({ key }) => key, (row) => this.#make(row.message));
    this.#button("live").addEventListener("click", () => this.#setLive(!this.#isLive || this.#before !== undefined));
    this.#button("older").addEventListener("click", () => {
      this.#before = this.#shown?.rows.at(-1)?.message.position;
      this.#isLive = false;
      this.#shown = undefined;
      this.#refresh();
    });
  }

  /** Whether messages are wanted: those that are not live do not change. */
  get isAsking(): boolean {
    return this.#isLive || this.#shown === undefined;
  }

  reset(): void {
    this.#before = undefined;
    this.#isLive = true;
    this.#shown = undefined;
    this.#list.draw([]);
    this.#note("");
  }

  async load(api: Api, channel: string): Promise<Loaded> {
    const { messages, more } = await api.history(channel, this.#before, PAGE_MESSAGES);
    return { rows: messages.map((message, index) => ({ key: message.position ?? String(index), message })), more };
  }

  /** `loaded` is missing when nothing was asked for. */
  draw(loaded: Loaded | undefined, hasHistory: boolean): void {
    this.#button("live").setAttribute("aria-pressed", String(this.#isLive));
    this.#button("live").disabled = !hasHistory;
    this.#button("clear").disabled = !hasHistory;
    this.#button("older").disabled = !(loaded ?? this.#shown)?.more;
    if (!hasHistory) {
      this.#list.draw([]);
      this.#note("The channel keeps no history.");
      return;
    }
    if (loaded === undefined) {
      return;
    }
    this.#note(this.#noteOf(loaded));
    this.#shown = loaded;
    this.#list.draw(loaded.rows);
  }

  #noteOf({ rows, more }: Loaded): string {
    if (rows.length === 0) {
      return "Nothing is kept.";
    }
    if (this.#before !== undefined) {
      return "Older messages. Live shows the newest again.";
    }
    const before = this.#shown?.rows ?? [];
    const isJoined = before.length === 0 || rows.some(({ key }) => key === before[0]?.key);
    return isJoined || !more ? "" : `More than ${PAGE_MESSAGES} came at once: some between are only in “Older”.`;
  }

  #setLive(isLive: boolean): void {
    this.#isLive = isLive;
    this.#before = undefined;
    this.#button("live").setAttribute("aria-pressed", String(isLive));
    this.#refresh();
  }

  #make({ type, data, encoding, position, timestamp, from }: Message): HTMLElement {
    const item = this.#page.createElement("li");
    const head = textElement(this.#page, "p", "message-head", "");
    const by = from === undefined ? "" : ` from ${from.user ?? from.clientId}`;
    head.append(
      textElement(this.#page, "b", "", `${type}${encoding === undefined ? "" : ` (${encoding})`}`),
      textElement(this.#page, "span", "", `${formatMoment(timestamp)}${by}`),
      textElement(this.#page, "span", "mono message-position", position ?? ""),
    );
    item.append(head, textElement(this.#page, "pre", "mono", preview(prettyJson(data), 4_096)));
    return item;
  }

  #note(text: string): void {
    const note = byId(this.#page, "history-note", HTMLElement);
    if (note.textContent !== text) {
      note.textContent = text;
    }
  }

  #button(name: "live" | "older" | "clear"): HTMLButtonElement {
    return byId(this.#page, `history-${name}`, HTMLButtonElement);
  }
}
