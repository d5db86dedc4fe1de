import { ReconnectingWebSocket } from "../../src/websocket/index.js";
import { ASSERTIONS } from "./assertions.js";
import { workerTimers } from "../../src/worker-timer.js";
import { runAll, wait, type Result, type SocketClass } from "./harness.js";

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

/** What timers in a worker come to on this page. */
export async function tryTimers(): Promise<{ kind: string; reason: string | undefined }> {
  let fallbacks = 0;
  const timers = workerTimers({ onfallback: () => (fallbacks += 1) });
  // Started before it is known whether there will be a worker, and after.
  const early = new Promise<void>((resolve) => timers.setTimeout(resolve, 200));
  for (let turn = 0; turn < 100 && timers.kind === "page" && fallbacks === 0; turn += 1) await wait(20);
  await Promise.all([early, new Promise<void>((resolve) => timers.setTimeout(resolve, 10))]);
  const { kind, reason } = timers;
  timers.dispose();
  return { kind, reason };
}
