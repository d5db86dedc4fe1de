import { textElement } from "../dom.js";
import type { Person } from "./message.js";
import type { Line, Room } from "./room.js";

/** Lines of one person this close together share a heading. */
const SAME_HEADING_MS = 5 * 60_000;
/** How near the end still counts as reading along. */
const FOLLOW_PX = 48;
const HUES = 8;

export interface RoomElements {
  readonly messages: HTMLElement;
  readonly users: HTMLElement;
  readonly userCount: HTMLElement;
  readonly typing: HTMLElement;
}

/** Draws a room; of the lines only what changed since the last time. */
export class RoomView {
  readonly #elements: RoomElements;
  #drawn = new Map<number, HTMLElement>();
  #users: readonly Person[] | undefined;
  #following = true;

  constructor(elements: RoomElements) {
    this.#elements = elements;
    const { messages } = elements;
    messages.addEventListener("scroll", () => {
      this.#following = messages.scrollHeight - messages.scrollTop - messages.clientHeight < FOLLOW_PX;
    });
    // A notice or an on-screen keyboard takes height away, without a scroll event.
    new ResizeObserver(() => this.#follow()).observe(messages);
  }

  draw(room: Room): void {
    this.#drawLines(room.lines);
    this.#drawUsers(room.users);
    setText(this.#elements.userCount, String(room.userCount));
    setText(this.#elements.typing, typingText([...room.typists.keys()]));
  }

  #drawLines(lines: readonly Line[]): void {
    const { messages } = this.#elements;
    const drawn = new Map<number, HTMLElement>();
    const added: HTMLElement[] = [];
    lines.forEach((line, at) => {
      const old = this.#drawn.get(line.key);
      const element = old ?? lineElement(messages.ownerDocument, line, lines[at - 1]);
      drawn.set(line.key, element);
      this.#drawn.delete(line.key);
      if (old === undefined) {
        added.push(element);
      }
    });
    this.#drawn.forEach((gone) => gone.remove());
    this.#drawn = drawn;
    messages.append(...added);
    if (added.length > 0) {
      this.#follow();
    }
  }

  /** To the end, unless the reader went up to read something older. */
  #follow(): void {
    if (this.#following) {
      const { messages } = this.#elements;
      messages.scrollTop = messages.scrollHeight;
    }
  }

  #drawUsers(users: readonly Person[]): void {
    if (users !== this.#users) {
      this.#users = users;
      const { users: list } = this.#elements;
      list.replaceChildren(...users.map((person) => userElement(list.ownerDocument, person)));
    }
  }
}

export function typingText(names: readonly string[]): string {
  const [first, second, ...others] = names;
  if (first === undefined) {
    return "";
  }
  if (second === undefined) {
    return `${first} is typing…`;
  }
  return others.length === 0 ? `${first} and ${second} are typing…` : "Several people are typing…";
}

/** One of eight colours, the same for a name on every screen. */
export function hueOf(name: string): number {
  let hash = 0;
  for (const character of name) {
    hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  }
  return hash % HUES;
}

function lineElement(page: Document, line: Line, before: Line | undefined): HTMLElement {
  const row = page.createElement("div");
  row.className = `line line-${line.kind}`;
  row.dataset["kind"] = line.kind;
  if (line.kind !== "chat") {
    row.append(isolated(textElement(page, "p", "line-text", line.text)), timeElement(page, line.timestamp));
    return row;
  }
  row.dataset["mine"] = String(line.mine);
  row.dataset["continues"] = String(continues(line, before));
  row.append(
    avatar(page, line.username),
    isolated(textElement(page, "span", "line-name", line.username)),
    timeElement(page, line.timestamp),
    isolated(textElement(page, "p", "line-text", line.text)),
  );
  return row;
}

function continues(line: Line, before: Line | undefined): boolean {
  return (
    line.kind === "chat" &&
    before?.kind === "chat" &&
    before.username === line.username &&
    before.mine === line.mine &&
    line.timestamp - before.timestamp < SAME_HEADING_MS
  );
}

function userElement(page: Document, person: Person): HTMLElement {
  const item = page.createElement("li");
  item.dataset["status"] = person.status ?? "online";
  item.append(avatar(page, person.username), isolated(textElement(page, "span", "user-name", person.username)));
  if (person.status !== undefined && person.status !== "online") {
    item.append(isolated(textElement(page, "span", "user-status", person.status)));
  }
  return item;
}

function avatar(page: Document, name: string): HTMLElement {
  const circle = textElement(page, "span", "avatar", [...name.trim()][0]?.toUpperCase() ?? "?");
  circle.dataset["hue"] = String(hueOf(name));
  circle.setAttribute("aria-hidden", "true");
  return circle;
}

function timeElement(page: Document, timestamp: number): HTMLElement {
  const date = new Date(timestamp);
  const element = textElement(page, "time", "line-time", "");
  if (!Number.isNaN(date.getTime())) {
    element.textContent = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    element.setAttribute("datetime", date.toISOString());
    element.title = date.toLocaleString();
  }
  return element;
}

/** A right-to-left name or text must not turn what stands around it. */
function isolated(element: HTMLElement): HTMLElement {
  element.dir = "auto";
  return element;
}

/** A live region that is set to what it says already would be read out again. */
function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}
