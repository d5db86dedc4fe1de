import type { ChatMessage, Person, ServerMessage } from "./message.js";

interface LineBase {
  /** Rises with each line, so that a view can tell what it has drawn. */
  readonly key: number;
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

export type Line =
  | (LineBase & { readonly kind: "chat"; readonly username: string; readonly mine: boolean })
  | (LineBase & { readonly kind: "system" | "error" });

/** What a room looks like from one client. */
export interface Room {
  readonly clientId: string | undefined;
  readonly lines: readonly Line[];
  readonly keyNext: number;
  readonly users: readonly Person[];
  readonly userCount: number;
  /** Who is typing, and until when that is believed without being said again. */
  readonly typists: ReadonlyMap<string, number>;
}

export const EMPTY_ROOM: Room = {
  clientId: undefined,
  lines: [],
  keyNext: 0,
  users: [],
  userCount: 0,
  typists: new Map(),
};

const LINES_MAX = 500;
const TYPISTS_MAX = 50;
const TYPING_MS = 6_000;

/** `name` is what this client calls itself, `now` the wall clock. */
export interface Viewer {
  readonly name: string;
  readonly now: number;
}

/** The room after a message from the server. */
export function handleServerMessage(room: Room, message: ServerMessage, viewer: Viewer): Room {
  switch (message.type) {
    case "welcome":
      return { ...room, clientId: message.clientId };
    case "history":
      return withHistory(room, message.messages, viewer);
    case "userList":
      return { ...room, users: withStatuses(message.users, room.users), userCount: message.count };
    case "chat":
      return withChat(room, message.message, viewer);
    case "system":
      return withNotice(room, "system", message.text, viewer.now);
    case "typing":
      return message.user === viewer.name ? room : withTypist(room, message.user, message.isTyping, viewer.now);
    case "presence":
      return withPresence(room, message.list);
    case "error":
      return withNotice(room, "error", message.text, viewer.now);
  }
}

/** The room once everybody who stopped saying so no longer counts as typing. */
export function handleTypingTimeout(room: Room, now: number): Room {
  const typists = new Map([...room.typists].filter(([, until]) => until > now));
  return typists.size === room.typists.size ? room : { ...room, typists };
}

/** What a lost line leaves: the lines, but nobody of whom it is known that they are there. */
export function handleLost(room: Room): Room {
  return { ...EMPTY_ROOM, lines: room.lines, keyNext: room.keyNext };
}

/** The history replaces the lines: after a reconnect it is the truer account. */
function withHistory(room: Room, messages: readonly ChatMessage[], viewer: Viewer): Room {
  const cleared = { ...room, lines: [] };
  return messages.slice(-LINES_MAX).reduce((grown: Room, message) => withChatLine(grown, message, viewer), cleared);
}

function withChat(room: Room, message: ChatMessage, viewer: Viewer): Room {
  return withTypist(withChatLine(room, message, viewer), message.username, false, viewer.now);
}

function withChatLine(room: Room, message: ChatMessage, viewer: Viewer): Room {
  const { username, text, timestamp } = message;
  return withLine(room, { kind: "chat", key: room.keyNext, text, timestamp, username, mine: isMine(room, message, viewer) });
}

function withNotice(room: Room, kind: "system" | "error", text: string, timestamp: number): Room {
  return withLine(room, { kind, key: room.keyNext, text, timestamp });
}

function withLine(room: Room, line: Line): Room {
  return { ...room, lines: [...room.lines, line].slice(-LINES_MAX), keyNext: room.keyNext + 1 };
}

function withTypist(room: Room, user: string, isTyping: boolean, now: number): Room {
  const typists = new Map(room.typists);
  typists.delete(user);
  if (isTyping && typists.size < TYPISTS_MAX) {
    typists.set(user, now + TYPING_MS);
  }
  return { ...room, typists };
}

/** Presence tells statuses; who is there, and how many, is the user list's to say. */
function withPresence(room: Room, list: readonly Person[]): Room {
  const users = room.users.length > 0 ? room.users : list;
  return { ...room, users: withStatuses(users.map(({ username }) => ({ username, status: undefined })), list) };
}

/** People without a status of their own keep the one known of their name. */
function withStatuses(people: readonly Person[], known: readonly Person[]): readonly Person[] {
  const statuses = new Map(known.map(({ username, status }) => [username, status]));
  return people.map((person) => (person.status === undefined ? { ...person, status: statuses.get(person.username) } : person));
}

/** An id decides where the server gave one: two tabs may bear the same name. */
function isMine(room: Room, message: ChatMessage, viewer: Viewer): boolean {
  return message.clientId === undefined ? message.username === viewer.name : message.clientId === room.clientId;
}
