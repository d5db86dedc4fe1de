const GENERAL = "general";

/** `path` on the page's own host, with the WebSocket scheme that fits the page's. */
export function webSocketUrl(page: string, path: string): string {
  const url = new URL(path, page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** Room `general` is the endpoint itself; every other room is a segment below it. */
export function chatPath(room: string): string {
  return room === GENERAL ? "chat" : `chat/${encodeURIComponent(room)}`;
}

/** The room that an input means: `general` when it is empty, or dots that a URL would take for a step up. */
export function roomName(input: string): string {
  const name = input.trim();
  return name === "" || name === "." || name === ".." ? GENERAL : name;
}

/** `a, b` becomes two subprotocols in order of preference; nothing becomes none. */
export function parseSubprotocols(input: string): string[] {
  return input.split(/[\s,]+/).filter((name) => name !== "");
}
