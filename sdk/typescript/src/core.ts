import type { LineClient } from "./client/client.js";
import { createCore } from "./client/core.js";
import type { ClientOptions } from "./client/options.js";

export * from "./exports.js";

/** Makes a client of a line alone: it comes back, tells events, and sends now or never. Nothing happens before `connect`. */
export function createClient<const C = unknown>(options: ClientOptions<C>): LineClient<C> {
  return createCore(options).client as LineClient<C>;
}
