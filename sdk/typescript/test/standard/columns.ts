import { ReconnectingWebSocket } from "../../src/websocket/index.js";
import { ASSERTIONS } from "./assertions.js";
import { runAll, type Result, type SocketClass } from "./harness.js";

export { NOT_RUN } from "./assertions.js";

/** Runs everything on a class of sockets, and on the drop-in over it. */
export async function runColumns(native: "chromium" | "undici", WebSocket: SocketClass, http: string): Promise<Result[]> {
  const environment = { WebSocket: WebSocket as unknown as typeof globalThis.WebSocket };
  class Once extends ReconnectingWebSocket {
    constructor(...[url, protocols]: [string | URL, (string | string[])?]) {
      super(url, protocols, { environment, reconnect: false, queue: false });
    }
  }
  class Reconnecting extends ReconnectingWebSocket {
    constructor(...[url, protocols]: [string | URL, (string | string[])?]) {
      super(url, protocols, { environment });
    }
  }
  return [
    ...(await runAll(ASSERTIONS, native, http, WebSocket)),
    ...(await runAll(ASSERTIONS, `${native} once`, http, Once as unknown as SocketClass)),
    ...(await runAll(ASSERTIONS, `${native} reconnecting`, http, Reconnecting as unknown as SocketClass)),
  ];
}
