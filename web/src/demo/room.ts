import { parsePerson, type Person } from "./person.js";

/** One line of a conversation. */
export type Entry = Message | Note;

export interface Message {
  readonly kind: "chat";
  readonly id: string;
  readonly author: Person;
  readonly text: string;
  /** Milliseconds since 1970: the server's, or ours while it is pending. */
  readonly at: number;
  readonly state: "pending" | "delivered" | "failed";
  readonly isMine: boolean;
  /** It was sent while this tab's line was cut. */
  readonly isRecovered: boolean;
}

export interface Note {
  readonly kind: "note";
  readonly id: string;
  readonly text: string;
  readonly at: number;
  readonly tone: "quiet" | "bad";
}

/** What a room is sent as an event `chat`. */
export interface Said {
  readonly id: string;
  readonly tab: string;
  readonly name: string;
  readonly text: string;
}

export const TEXT_CHARACTERS_MAX = 1_000;
const ENTRIES_MAX = 300;
/** A receiver takes typing for over after this long (PROTOCOL.md, Typing). */
const TYPING_MS = 6_000;

/** A conversation as one tab sees it: what was said, what is on its way, who writes. */
export class Room {
  readonly name: string;
  readonly #me: string;
  #settled: Entry[] = [];
  #pending: Message[] = [];
  #typing = new Map<string, number>();
  #unread = 0;
  #notes = 0;

  constructor(name: string, me: string) {
    this.name = name;
    this.#me = me;
  }

  /** Oldest first; what is on its way comes last, in the order it was sent. */
  get entries(): readonly Entry[] {
    return [...this.#settled, ...this.#pending];
  }

  get pendingCount(): number {
    return this.#pending.filter(({ state }) => state === "pending").length;
  }

  get unread(): number {
    return this.#unread;
  }

  /** The clients that are writing. */
  typing(now: number): string[] {
    return [...this.#typing].filter(([, until]) => until > now).map(([clientId]) => clientId);
  }

  handleRead(): void {
    this.#unread = 0;
  }

  /** Returns what to publish, or nothing when there is nothing to say. */
  handleSubmit(text: string, author: Person, id: string, now: number): Said | undefined {
    const said = text.trim().slice(0, TEXT_CHARACTERS_MAX);
    if (said === "") {
      return undefined;
    }
    this.#pending.push({
      kind: "chat", id, author, text: said, at: now, state: "pending", isMine: true, isRecovered: false,
    });
    return { id, tab: author.tab, name: author.name, text: said };
  }

  handlePublication(data: unknown, at: number, isRecovered: boolean, clientId?: string): void {
    const said = parseSaid(data);
    if (said === undefined) {
      return;
    }
    if (clientId !== undefined) {
      this.#typing.delete(clientId);
    }
    this.#pending = this.#pending.filter(({ id }) => id !== said.id);
    if (this.#settled.some(({ id }) => id === said.id)) {
      return;
    }
    const isMine = said.author.tab === this.#me;
    this.#settle({
      kind: "chat", id: said.id, author: said.author, text: said.text, at, state: "delivered", isMine, isRecovered,
    });
    this.#unread += Number(!isMine);
  }

  /** The server has it. The publication itself may have come before this, or comes later. */
  handleDelivered(id: string, at: number): void {
    const message = this.#pending.find((one) => one.id === id);
    if (message !== undefined) {
      this.#pending = this.#pending.filter((one) => one !== message);
      this.#settle({ ...message, at, state: "delivered" });
    }
  }

  handleFailed(id: string): void {
    this.#pending = this.#pending.map((one) => (one.id === id ? { ...one, state: "failed" } : one));
  }

  handleTyping(clientId: string, isTyping: boolean, now: number): void {
    if (isTyping) {
      this.#typing.set(clientId, now + TYPING_MS);
    } else {
      this.#typing.delete(clientId);
    }
  }

  note(text: string, now: number, tone: Note["tone"] = "quiet"): void {
    this.#notes += 1;
    this.#settle({ kind: "note", id: `note-${this.#notes}`, text, at: now, tone });
  }

  #settle(entry: Entry): void {
    this.#settled.push(entry);
    if (this.#settled.length > ENTRIES_MAX) {
      this.#settled.shift();
    }
  }
}

/** `ann`, `ann and bob`, `3 people`, as a sentence; empty when nobody writes. */
export function typingText(names: readonly string[]): string {
  if (names.length === 0) {
    return "";
  }
  if (names.length > 2) {
    return `${names.length} people are typing`;
  }
  return names.length === 1 ? `${names[0]} is typing` : `${names[0]} and ${names[1]} are typing`;
}

/** The channel of a room that somebody typed: lower case, dashes for spaces, at most 40 characters. */
export function channelOf(input: string): string | undefined {
  const name = input
    .trim()
    .replace(/^#/, "")
    .toLocaleLowerCase()
    .replace(/[\s\p{Cc}:]+/gu, "-")
    .replace(/^-+|-+$/g, "");
  return name === "" ? undefined : `chat:${[...name].slice(0, 40).join("")}`;
}

/** What stands behind `chat:`. */
export function titleOf(channel: string): string {
  return channel.slice("chat:".length);
}

function parseSaid(data: unknown): { readonly id: string; readonly author: Person; readonly text: string } | undefined {
  const author = parsePerson(data);
  if (author === undefined) {
    return undefined;
  }
  const { id, text } = data as { id?: unknown; text?: unknown };
  if (typeof id !== "string" || typeof text !== "string" || text === "") {
    return undefined;
  }
  return { id, author, text: text.slice(0, TEXT_CHARACTERS_MAX) };
}
