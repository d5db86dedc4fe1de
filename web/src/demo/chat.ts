import type { Channel, Client, Publication } from "@openline/client";
import { byId, submitOnEnter } from "../dom.js";
import type { Audit } from "./audit.js";
import { ChatView } from "./chat-view.js";
import type { Me } from "./me.js";
import { People } from "./people.js";
import { channelOf, Room, titleOf, typingText, type Said } from "./room.js";

export const LOBBY = "chat:lobby";
const OFFERED = [LOBBY, "chat:rust", "chat:music"];
const HISTORY = 40;
/** Each is a subscription. */
const ROOMS_MAX = 20;
/** How long one may be quiet before the others are told that nobody types. */
const TYPING_STOPS_MS = 3_000;
const DRAW_MS = 16;

/** A room that was joined once. Who leaves and comes again goes on where it was. */
interface Visited {
  readonly room: Room;
  readonly people: People;
  readonly channel: Channel;
  isJoined: boolean;
}

/** The chat: rooms are channels `chat:…`, people are members of them. */
export class Chat {
  readonly #page: Document;
  readonly #client: Client;
  readonly #me: Me;
  readonly #audit: Audit;
  readonly #view: ChatView;
  readonly #composer: HTMLTextAreaElement;
  readonly #name: HTMLInputElement;
  readonly #visited = new Map<string, Visited>();
  readonly #offered = [...OFFERED];
  #current = LOBBY;
  #drawTimer: ReturnType<typeof setTimeout> | undefined;
  #peopleTimer: ReturnType<typeof setTimeout> | undefined;
  #typingTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(page: Document, client: Client, me: Me, audit: Audit) {
    this.#page = page;
    this.#client = client;
    this.#me = me;
    this.#audit = audit;
    this.#composer = byId(page, "composer", HTMLTextAreaElement);
    this.#name = byId(page, "name", HTMLInputElement);
    this.#name.value = me.person.name;
    this.#view = new ChatView(page, (channel) => this.open(channel));
    this.#listen();
  }

  /** Goes to a room, and joins it if need be. */
  open(name: string): void {
    if (!this.#offered.includes(name)) {
      if (this.#offered.length >= ROOMS_MAX) {
        this.#visited.get(this.#current)?.room.note(`${ROOMS_MAX} rooms are the most that are kept here`, Date.now());
        this.#schedule();
        return;
      }
      this.#offered.push(name);
    }
    this.#current = name;
    const visited = this.#visited.get(name) ?? this.#visit(name);
    visited.room.handleRead();
    if (!visited.isJoined) {
      visited.isJoined = true;
      this.#setPresence(visited.channel);
      visited.channel.subscribe().catch(() => undefined);
    }
    this.#schedule();
  }

  /** The channels that are joined. */
  get channels(): readonly Channel[] {
    return this.#joined.map(({ channel }) => channel);
  }

  get #joined(): Visited[] {
    return [...this.#visited.values()].filter(({ isJoined }) => isJoined);
  }

  #listen(): void {
    const form = byId(this.#page, "compose-form", HTMLFormElement);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    submitOnEnter(this.#composer, form);
    this.#composer.addEventListener("input", () => this.#tellTyping());
    byId(this.#page, "room-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const input = byId(this.#page, "new-room", HTMLInputElement);
      const name = channelOf(input.value);
      if (name !== undefined) {
        this.open(name);
        input.value = "";
        this.#composer.focus();
      }
    });
    byId(this.#page, "leave-room", HTMLButtonElement).addEventListener("click", () => this.#leave(this.#current));
    byId(this.#page, "name-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#composer.focus();
    });
    this.#name.addEventListener("change", () => {
      this.#name.value = this.#me.rename(this.#name.value);
    });
    this.#me.onRename(() => this.#tellPresence());
    this.#page.addEventListener("visibilitychange", () => {
      this.#tellPresence();
      if (!this.#page.hidden) {
        this.#visited.get(this.#current)?.room.handleRead();
        this.#schedule();
      }
    });
  }

  #visit(name: string): Visited {
    const { tab } = this.#me.person;
    const room = new Room(name, tab);
    const channel = this.#client.channel(name, { history: HISTORY });
    const visited: Visited = { room, people: new People(tab), channel, isJoined: false };
    this.#visited.set(name, visited);
    channel.on("event:chat", (publication) => this.#handlePublication(room, publication));
    channel.on("gap", ({ reason }) => {
      this.#audit.handleGap(name, reason);
      room.note(`Messages are missing here: ${reason}`, Date.now(), "bad");
      this.#schedule();
    });
    channel.on("typing", ({ clientId, isTyping }) => {
      room.handleTyping(clientId, isTyping, Date.now());
      this.#schedule();
    });
    channel.on("error", ({ message }) => {
      room.note(`#${titleOf(name)}: ${message}`, Date.now(), "bad");
      this.#schedule();
    });
    channel.presence.subscribe(() => this.#handlePresence(visited));
    return visited;
  }

  #leave(name: string): void {
    const visited = this.#visited.get(name);
    if (visited === undefined || this.#joined.length === 1) {
      return;
    }
    visited.isJoined = false;
    visited.channel.unsubscribe();
    this.open(this.#joined.at(-1)?.room.name ?? LOBBY);
  }

  #handlePublication(room: Room, { data, position, timestamp, replayed, from }: Publication): void {
    const isRecovered = position !== undefined && this.#audit.handlePublication(room.name, position, replayed);
    room.handlePublication(data, timestamp ?? Date.now(), isRecovered, from?.clientId);
    if (replayed && !isRecovered) {
      room.handleRead();
    }
    this.#schedule();
  }

  #handlePresence({ isJoined, people, channel }: Visited): void {
    // Without a line nobody is known; who was there is shown until there is news.
    if (isJoined && this.#client.status.state === "online") {
      people.handleMembers([...channel.presence.members.values()], Date.now());
      this.#settlePeople();
    }
  }

  #settlePeople(): void {
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const { people, room } of this.#joined) {
      if (this.#client.status.state === "online") {
        people.handleTimeout(now);
      }
      for (let change = people.pollChange(); change !== undefined; change = people.pollChange()) {
        room.note(`${change.name} ${change.what}`, now);
      }
      next = Math.min(next, people.pollTimeout() ?? next);
    }
    clearTimeout(this.#peopleTimer);
    if (next !== Number.POSITIVE_INFINITY) {
      this.#peopleTimer = setTimeout(() => this.#settlePeople(), Math.max(50, next - now));
    }
    this.#schedule();
  }

  #submit(): void {
    const joined = this.#visited.get(this.#current);
    if (joined === undefined) {
      return;
    }
    const { room } = joined;
    const id = crypto.randomUUID();
    const said = room.handleSubmit(this.#composer.value, this.#me.person, id, Date.now());
    this.#composer.value = "";
    if (said === undefined) {
      return;
    }
    this.#stopTyping();
    this.#audit.handleSent(id);
    void this.#publish(joined, id, said);
    this.#schedule();
  }

  async #publish({ room, channel }: Visited, id: string, said: Said): Promise<void> {
    try {
      const { timestamp } = await channel.publish(said, { event: "chat", key: id });
      room.handleDelivered(id, timestamp);
      this.#audit.handleSettled(id, true);
    } catch {
      room.handleFailed(id);
      this.#audit.handleSettled(id, false);
    }
    this.#schedule();
  }

  #tellTyping(): void {
    if (this.#composer.value === "") {
      this.#stopTyping();
      return;
    }
    this.#visited.get(this.#current)?.channel.typing(true);
    clearTimeout(this.#typingTimer);
    this.#typingTimer = setTimeout(() => this.#stopTyping(), TYPING_STOPS_MS);
  }

  #stopTyping(): void {
    if (this.#typingTimer !== undefined) {
      clearTimeout(this.#typingTimer);
      this.#typingTimer = undefined;
      this.#visited.get(this.#current)?.channel.typing(false);
    }
  }

  #tellPresence(): void {
    for (const { channel } of this.#joined) {
      this.#setPresence(channel);
    }
  }

  #setPresence(channel: Channel): void {
    const { tab, name } = this.#me.person;
    const status = this.#page.hidden ? "away" : "online";
    Promise.resolve(channel.presence.set({ status, data: { tab, name } })).catch(() => undefined);
  }

  #schedule(): void {
    this.#drawTimer ??= setTimeout(() => this.#draw(), DRAW_MS);
  }

  #draw(): void {
    this.#drawTimer = undefined;
    const joined = this.#visited.get(this.#current);
    if (joined === undefined) {
      return;
    }
    if (!this.#page.hidden) {
      joined.room.handleRead();
    }
    const { room, people } = joined;
    this.#view.drawRooms(
      this.#offered.map((channel) => ({
        channel,
        isJoined: this.#visited.get(channel)?.isJoined === true,
        isCurrent: channel === this.#current,
        unread: channel === this.#current ? 0 : (this.#visited.get(channel)?.room.unread ?? 0),
      })),
    );
    const writing = room.typing(Date.now());
    const names = writing.map((clientId) => people.nameOf(clientId) ?? "Somebody");
    this.#view.drawRoom(room, people.list, typingText(names), this.#joined.length === 1);
    if (writing.length > 0) {
      // Who stopped without a word is to vanish too.
      this.#drawTimer = setTimeout(() => this.#draw(), 1_000);
    }
  }
}
