import type { Environment } from "../environment.js";
import type { Published, PublishOptions } from "./client.js";
import type { Calling } from "./calls.js";
import { offline } from "./core.js";

/** How a client publishes: with a key, so that a message that was cut off on its way can be sent again. */
export type Publish = (channel: string, data: unknown, options?: PublishOptions) => Promise<Published>;

/** Makes what publishes for a client. */
export function createPublish(core: Calling): Publish {
  const keyOf = createKeys(core.environment);
  return async (channel, data, { key = keyOf(), volatile, ttl = core.ageMax, timeout = ttl, signal, ...options } = {}) => {
    if (volatile && !core.isOnline) {
      throw offline();
    }
    const { type, id, ...published } = await core.call(
      { type: "publish", channel, data, key, ...options, ...(volatile && { volatile }) },
      { timeout, signal, again: !volatile, urgent: !!volatile },
    );
    return published as unknown as Published;
  };
}

/** Keys that no other client has chosen, and this one no other time. */
function createKeys({ random }: Environment): () => string {
  const part = (): string => random().toString(36).slice(2, 13);
  let prefix = "";
  let last = 0;
  return () => (prefix ||= part() + part() + "-") + (++last).toString(36);
}
