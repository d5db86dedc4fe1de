import type { Message } from "../codec/codec.js";
import type { CoreClient } from "./client.js";
import type { Core } from "./core.js";
import { ClientError } from "./errors.js";
import type { ClientOptions } from "./options.js";
import { type CallOptions, createQueue } from "./queue.js";

/** A core whose messages wait for a line and for their answers. */
export interface Calling extends Core {
  client: CoreClient;
  readonly ageMax: number;
  call(message: { type: string; [field: string]: unknown }, how?: Partial<CallOptions>): Promise<Message>;
}

const REQUEST_TIMEOUT = 10_000;

/** Gives a core and its client the queue, and with it requests and messages that are acknowledged. */
export function addCalls(core: Core, { messagesMax = 1000, bytesMax = 1 << 20, ageMax = 60_000, overflow = "reject" }: ClientOptions["queue"] = {}): Calling {
  const { client, conform } = core;
  const queue = createQueue({ messagesMax, bytesMax, overflow }, core);
  core.parts.push({ online: queue.flush, unready: queue.cut, left: queue.left, answer: queue.answer, stopped: queue.fail });

  const call: Calling["call"] = (message, { timeout = REQUEST_TIMEOUT, ...how } = {}) => queue.add(message, { timeout, ...how }).answer;

  const calls: Pick<CoreClient, "request" | "send" | "queue"> = {
    async request(type, data, { idempotent, ...how } = {}) {
      return conform("requests", type, (await call({ type, data }, { ...how, again: !!idempotent })).data) as any;
    },
    send(type: string, data?: unknown, { volatile, ttl = ageMax } = {}) {
      if (volatile) {
        return sendNow(type, data, { volatile });
      }
      const { call, answer } = queue.add({ type, data } as { type: string }, { timeout: ttl });
      const delivered = answer as Promise<unknown> as Promise<void>;
      return {
        id: call.id,
        get state() {
          return call.state;
        },
        delivered,
      };
    },
    queue: {
      get size() {
        return queue.size;
      },
      get bytes() {
        return queue.bytes;
      },
      list: () =>
        queue.values().map(({ id, message: { type, channel }, state, bytes }) => ({ id, type, ...(channel && { channel }), state: state as "sent", bytes })),
      clear: () => queue.fail(new ClientError("aborted", "the queue was cleared"), true),
    },
  };
  const sendNow = client.send;
  Object.assign(client, calls);
  return Object.assign(core, { ageMax, call }) as Calling;
}
