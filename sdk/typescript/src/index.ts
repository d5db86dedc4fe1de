import { createChannels } from "./channel/channels.js";
import type { Client } from "./client/client.js";
import { addCalls } from "./client/calls.js";
import { createCore } from "./client/core.js";
import type { ClientOptions } from "./client/options.js";
import { createPublish } from "./client/publish.js";

export type * from "./channel/channel.js";
export type * from "./channel/history.js";
export type { Member, Presence, PresenceChange, PresenceSnapshot } from "./channel/presence.js";
export type { Publication, Publisher } from "./channel/publication.js";
export * from "./exports.js";

/** Makes a client with requests and channels. Nothing happens before `connect`. */
export function createClient<const C = unknown>(options: ClientOptions<C>): Client<C> {
  const core = addCalls(createCore(options), options.queue);
  const publish = createPublish(core);
  return Object.assign(core.client, { publish, channel: createChannels(core, publish) }) as Client<C>;
}
