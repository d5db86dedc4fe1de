/** One message of a room as it is shown. */
export interface ChatMessage {
  readonly username: string;
  /** Whom the server says it came from; undefined where only a name is told, as in the history. */
  readonly clientId: string | undefined;
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

export interface Person {
  readonly username: string;
  readonly status: string | undefined;
}

export type ServerMessage =
  | { readonly type: "welcome"; readonly clientId: string }
  | { readonly type: "history"; readonly messages: readonly ChatMessage[] }
  | { readonly type: "userList"; readonly count: number; readonly users: readonly Person[] }
  | { readonly type: "chat"; readonly message: ChatMessage }
  | { readonly type: "system"; readonly text: string }
  | { readonly type: "typing"; readonly user: string; readonly isTyping: boolean }
  | { readonly type: "presence"; readonly list: readonly Person[] }
  | { readonly type: "error"; readonly text: string };

type Fields = Readonly<Record<string, unknown>>;

/** Timestamps below this are seconds; as milliseconds they would lie in early 1973. */
const SECONDS_MAX = 100_000_000_000;

/**
 * Reads one message of `/chat`. Its fields stand at the top level and again
 * under `data`; the top level wins. Undefined is a message this page has no use
 * for: `pong`, replies, types from the future, and anything that is no object.
 * `now` stands in for a missing timestamp.
 */
export function parseServerMessage(json: string, now: number): ServerMessage | undefined {
  const top = parseObject(json);
  if (top === undefined) {
    return undefined;
  }
  const fields: Fields = { ...(isFields(top["data"]) ? top["data"] : {}), ...top };
  switch (fields["type"]) {
    case "welcome":
      return { type: "welcome", clientId: firstText(fields, "clientId") ?? "" };
    case "history":
      return { type: "history", messages: records(fields["messages"]).map((record) => chatMessage(record, now)) };
    case "userList":
      return userList(fields);
    case "chat":
      return { type: "chat", message: chatMessage(fields, now) };
    case "system":
      return { type: "system", text: firstText(fields, "text", "message", "data") ?? "" };
    case "typing":
      return { type: "typing", user: firstText(fields, "user") ?? "", isTyping: fields["isTyping"] === true };
    case "presence":
      return { type: "presence", list: people(fields["list"]) };
    case "error":
      return { type: "error", text: firstText(fields, "message", "error", "text", "detail", "code") ?? "unknown error" };
    default:
      return undefined;
  }
}

function userList(fields: Fields): ServerMessage {
  const users = people(fields["users"]);
  const count = fields["count"];
  return { type: "userList", count: typeof count === "number" ? count : users.length, users };
}

function chatMessage(fields: Fields, now: number): ChatMessage {
  const username = firstText(fields, "username", "sender", "from") ?? "?";
  return {
    username,
    clientId: [fields["from"], fields["sender"]].filter(isText).find((value) => value !== username),
    text: firstText(fields, "text") ?? "",
    timestamp: milliseconds(fields["timestamp"]) ?? now,
  };
}

/** A person is a name, or an object that has one. */
function people(value: unknown): Person[] {
  return (Array.isArray(value) ? value : []).flatMap((entry: unknown) => {
    if (isText(entry)) {
      return [{ username: entry, status: undefined }];
    }
    const username = isFields(entry) ? firstText(entry, "username", "user", "name", "userId", "clientId") : undefined;
    return username !== undefined && isFields(entry) ? [{ username, status: firstText(entry, "status") }] : [];
  });
}

function milliseconds(value: unknown): number | undefined {
  const time = typeof value === "string" ? Date.parse(value) : value;
  if (typeof time !== "number" || !Number.isFinite(time)) {
    return undefined;
  }
  return time < SECONDS_MAX ? time * 1_000 : time;
}

function parseObject(json: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function records(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

function firstText(fields: Fields, ...names: readonly string[]): string | undefined {
  return names.map((name) => fields[name]).find(isText);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
