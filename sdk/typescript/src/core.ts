import type { CoreClient } from "./client/client.js";
import { createCore } from "./client/core.js";
import type { ClientOptions } from "./client/options.js";

export * from "./exports.js";

/** Makes a client without channels: the line, requests, the queue. Nothing happens before `connect`. */
export function createClient<const C = unknown>(options: ClientOptions<C>): CoreClient<C> {
  return createCore(options).client as CoreClient<C>;
}
