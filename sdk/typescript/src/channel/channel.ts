import type { PublishOptions, Published } from "../client/client.js";
import type { ClientError } from "../client/errors.js";
import type { Handler } from "../client/events.js";
import type { History, HistoryOptions } from "./history.js";
import type { Presence, PresenceChange } from "./presence.js";
import type { Publication } from "./publication.js";

/** Where to begin, and with what permission. */
export interface ChannelOptions {
  /** The position of the last message that the application has dealt with, as it was stored. What came since comes first. */
  since?: string;
  /**
   * How many of the newest messages to get first, where there is no `since`.
   * @default 0
   */
  history?: number;
  /**
   * A token for this channel, where its namespace asks for one; true asks `auth` with `why: "channel"` each time.
   * @default none
   */
  token?: string | true;
  /**
   * Whether what was missed while the line was down is asked for. If not, a `gap` is told instead of nothing.
   * @default true
   */
  recover?: boolean;
}

/** Messages are missing between the last publication and the next one. */
export interface Gap {
  /** Why: see the protocol's reasons; `limit` also where this reader was too slow. */
  reason: string;
  /** Where the channel goes on from, if it is known. */
  position?: string | undefined;
}

/** The events of a channel. */
export interface ChannelEvents<P = any> {
  publication: Publication<P[keyof P]>;
  gap: Gap;
  /** What was missed while the line was down has come: so many publications. */
  recovered: { count: number };
  presence: PresenceChange;
  typing: { clientId: string; user?: string; isTyping: boolean };
  /** `recovered` is false if something is missing, and undefined if nothing was to be recovered. */
  subscribed: { recovered: boolean | undefined; position: string | undefined };
  unsubscribed: { reason: string };
  /** The channel cannot be joined. */
  error: ClientError;
}

/** A channel, seen by this client. Publications come in order, each once, and no gap is silent. */
export interface Channel<P = any> extends AsyncIterable<Publication<P[keyof P]>> {
  readonly name: string;
  readonly state: "unsubscribed" | "subscribing" | "subscribed";
  /** That of the last publication whose handlers are done, to be stored and given back as `since`. */
  readonly position: string | undefined;
  /** Resolves when the channel is joined, which may be when the line is back. Each call wants its `unsubscribe`. */
  subscribe(): Promise<void>;
  /** Undoes one `subscribe`. The last one leaves the channel. */
  unsubscribe(): void;
  /**
   * Handlers of publications (`publication`, or `event:chat` for those of one event) may return promises: the next
   * publication waits for them.
   */
  on<K extends keyof ChannelEvents<P>>(type: K, handler: (event: ChannelEvents<P>[K]) => unknown): () => void;
  on<E extends keyof P & string>(type: `event:${E}`, handler: (publication: Publication<P[E]>) => unknown): () => void;
  /** Removes a handler, or all of a type. */
  off(type: string, handler?: Handler): void;
  /** Publishes on this channel; it needs no subscription. */
  publish(data: unknown, options?: PublishOptions): Promise<Published>;
  /** A page of what the channel has kept. By default only subscribers may ask. */
  history(options?: HistoryOptions): Promise<History>;
  /** Tells the others that somebody is writing here, or has stopped: at most once in 2 s, and never later than now. */
  typing(isTyping?: boolean): void;
  readonly presence: Presence;
  /** Subscribes, and gives publications one by one. The next one waits until it is asked for. */
  [Symbol.asyncIterator](): AsyncIterator<Publication<P[keyof P]>, undefined>;
}
