import { byId, textElement } from "../dom.js";
import { KeyedList } from "../keyed-list.js";
import type { Present } from "./people.js";
import { initial, type Person } from "./person.js";
import { titleOf, type Entry, type Message, type Room } from "./room.js";

export interface RoomItem {
  readonly channel: string;
  readonly isJoined: boolean;
  readonly isCurrent: boolean;
  readonly unread: number;
}

/** Messages of one person within this time are one block. */
const BLOCK_MS = 5 * 60_000;
/** Closer to the end than this many pixels, the list follows what comes. */
const NEAR_END = 60;

/** Shows rooms, messages and people. What a peer sent is set as text. */
export class ChatView {
  readonly #page: Document;
  readonly #messages: HTMLElement;
  readonly #title: HTMLElement;
  readonly #leave: HTMLElement;
  readonly #typing: HTMLElement;
  readonly #count: HTMLElement;
  readonly #rooms: KeyedList<RoomItem>;
  readonly #people: KeyedList<Present>;
  #entries: KeyedList<Entry>;
  #channel = "";
  #isFirst = true;

  constructor(page: Document, onRoom: (channel: string) => void) {
    this.#page = page;
    this.#messages = byId(page, "messages", HTMLElement);
    this.#title = byId(page, "room-title", HTMLElement);
    this.#leave = byId(page, "leave-room", HTMLElement);
    this.#typing = byId(page, "typing", HTMLElement);
    this.#count = byId(page, "people-count", HTMLElement);
    this.#entries = this.#newEntries();
    this.#rooms = new KeyedList(
      byId(page, "rooms", HTMLElement),
      ({ channel }) => channel,
      ({ channel }) => this.#makeRoom(channel, onRoom),
      updateRoom,
    );
    this.#people = new KeyedList(
      byId(page, "people", HTMLElement),
      ({ tab }) => tab,
      () => this.#makePerson(),
      updatePerson,
    );
  }

  drawRooms(rooms: readonly RoomItem[]): void {
    this.#rooms.draw(rooms);
  }

  drawRoom(room: Room, people: readonly Present[], typing: string, isAlone: boolean): void {
    if (room.name !== this.#channel) {
      this.#channel = room.name;
      this.#messages.replaceChildren();
      this.#entries = this.#newEntries();
      this.#title.textContent = titleOf(room.name);
      this.#isFirst = true;
    }
    this.#messages.dataset["empty"] = `Nothing was said in #${titleOf(room.name)} lately. Begin.`;
    this.#leave.hidden = isAlone;
    const { scrollHeight, scrollTop, clientHeight } = this.#messages;
    const isNearEnd = this.#isFirst || scrollHeight - scrollTop - clientHeight < NEAR_END;
    this.#entries.draw(room.entries);
    if (isNearEnd) {
      this.#messages.scrollTop = this.#messages.scrollHeight;
    }
    this.#isFirst = room.entries.length === 0;
    if (this.#typing.textContent !== typing) {
      this.#typing.textContent = typing;
    }
    this.#people.draw(people);
    this.#count.textContent = String(people.length);
  }

  #newEntries(): KeyedList<Entry> {
    return new KeyedList<Entry>(
      this.#messages,
      ({ id }) => id,
      (entry) => (entry.kind === "chat" ? this.#makeMessage(entry) : this.#makeNote(entry.text, entry.tone)),
      (element, entry, before) => {
        if (entry.kind === "chat") {
          updateMessage(element, entry, before);
        }
      },
    );
  }

  #makeMessage(message: Message): HTMLElement {
    const made = textElement(this.#page, "div", "entry entry-chat", "");
    made.dataset["kind"] = "chat";
    made.dataset["mine"] = String(message.isMine);
    made.dataset["fresh"] = String(!this.#isFirst);
    const head = textElement(this.#page, "div", "entry-head", "");
    const name = textElement(this.#page, "span", "entry-name", message.author.name);
    name.dir = "auto";
    const time = this.#page.createElement("time");
    time.className = "entry-time";
    head.append(name, time);
    const text = textElement(this.#page, "div", "entry-text", "");
    const said = textElement(this.#page, "span", "", message.text);
    said.dir = "auto";
    text.append(said, textElement(this.#page, "span", "entry-mark", ""));
    made.append(this.#avatar(message.author), head, text);
    return made;
  }

  #makeNote(text: string, tone: string): HTMLElement {
    const made = textElement(this.#page, "p", "entry-note", text);
    made.dataset["kind"] = "note";
    made.dataset["tone"] = tone;
    return made;
  }

  #makeRoom(channel: string, onRoom: (channel: string) => void): HTMLElement {
    const item = this.#page.createElement("li");
    const button = this.#page.createElement("button");
    button.type = "button";
    button.className = "room";
    button.dataset["channel"] = channel;
    const name = textElement(this.#page, "span", "room-name", `# ${titleOf(channel)}`);
    name.dir = "auto";
    button.append(name);
    button.addEventListener("click", () => onRoom(channel));
    item.append(button);
    return item;
  }

  #makePerson(): HTMLElement {
    const item = textElement(this.#page, "li", "person", "");
    const picture = textElement(this.#page, "span", "person-picture", "");
    picture.setAttribute("aria-hidden", "true");
    picture.append(textElement(this.#page, "span", "avatar", ""), textElement(this.#page, "span", "person-dot", ""));
    const name = textElement(this.#page, "span", "person-name", "");
    name.dir = "auto";
    item.append(picture, name, textElement(this.#page, "span", "person-note", ""));
    return item;
  }

  #avatar(person: Person): HTMLElement {
    const made = textElement(this.#page, "span", "avatar", initial(person.name));
    made.dataset["hue"] = String(person.hue);
    made.setAttribute("aria-hidden", "true");
    return made;
  }
}

function updateMessage(element: HTMLElement, message: Message, before: Entry | undefined): void {
  const isBlock =
    before?.kind === "chat" &&
    before.author.tab === message.author.tab &&
    before.author.name === message.author.name &&
    message.at - before.at < BLOCK_MS;
  element.dataset["continues"] = String(isBlock);
  element.dataset["state"] = message.state;
  element.dataset["recovered"] = String(message.isRecovered);
  const time = element.querySelector("time");
  if (time !== null) {
    const at = new Date(message.at);
    time.dateTime = at.toISOString();
    time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  }
  setText(element.querySelector(".entry-mark"), markOf(message));
}

function markOf({ state, isRecovered }: Message): string {
  if (state === "pending") {
    return "waiting…";
  }
  if (state === "failed") {
    return "not sent";
  }
  return isRecovered ? "recovered" : "";
}

function updateRoom(element: HTMLElement, room: RoomItem): void {
  const button = element.querySelector("button");
  if (button === null) {
    return;
  }
  button.dataset["joined"] = String(room.isJoined);
  if (room.isCurrent) {
    button.setAttribute("aria-current", "true");
  } else {
    button.removeAttribute("aria-current");
  }
  let count = button.querySelector(".count");
  if (room.unread === 0) {
    count?.remove();
    return;
  }
  if (count === null) {
    count = textElement(element.ownerDocument, "span", "count", "");
    button.append(count);
  }
  setText(count, String(Math.min(room.unread, 99)));
  count.setAttribute("title", `${room.unread} not read`);
}

function updatePerson(element: HTMLElement, person: Present): void {
  element.dataset["status"] = person.isAway ? "away" : "online";
  const avatar = element.querySelector<HTMLElement>(".avatar");
  if (avatar !== null) {
    avatar.dataset["hue"] = String(person.hue);
    setText(avatar, initial(person.name));
  }
  setText(element.querySelector(".person-name"), person.name);
  const note = [person.isMe ? "you" : "", person.isAway ? "away" : ""].filter((word) => word !== "").join(", ");
  setText(element.querySelector(".person-note"), note);
}

function setText(element: Element | null, text: string): void {
  if (element !== null && element.textContent !== text) {
    element.textContent = text;
  }
}
