import type { Channel, ChannelOptions } from "../channel/channel.js";
import type { Message } from "../codec/codec.js";
import type { EventData, EventName, Payloads, RequestInput, RequestName, RequestOutput } from "../contract.js";
import type { ClientError } from "./errors.js";
import type { Status } from "./status.js";

/** What the server said about a publish. */
export interface Published {
  /** Where it stands, if the channel keeps history. */
  position?: string;
  /** How safely it is kept: `memory`, `os`, `fsync` or `broker`. */
  level: string;
  /** When it was accepted, in milliseconds since 1970. */
  timestamp: number;
  /** True if an earlier send had arrived already. */
  duplicate?: boolean;
}

/** A message on its way. */
export interface Sent {
  readonly id: number;
  /** `queued`: not sent yet. `sent`: no answer yet. `delivered`, `failed`: settled. */
  readonly state: "queued" | "sent" | "delivered" | "failed";
  /** Resolves when the server has answered; for a volatile message, when it was given to the line. Not observing it is no error. */
  readonly delivered: Promise<void>;
}

/** A message that waits to be sent or answered. */
export interface Queued {
  readonly id: number;
  readonly type: string;
  readonly channel?: string;
  readonly state: "queued" | "sent";
  readonly bytes: number;
}

/** The events of every client. An application's own type of one of these names is told by `message` alone. */
export interface ClientEvents {
  /** The line can be used. `reconnected`: it is not the first. Without `disconnected` before it: the client moved to it from another. */
  connected: { clientId: string; user?: string; reconnected: boolean };
  /** The line cannot be used any more, or the client has stopped. */
  disconnected: { code: number; reason: string; willRetry: boolean };
  /** An attempt failed; the next one begins after `delay` milliseconds, null: when the page is brought back. */
  reconnecting: { attempt: number; delay: number | null };
  /** `backoff.attemptsMax` failures in a row: the client has stopped. */
  maxRetriesReached: { attempts: number };
  status: Status;
  /** What went wrong and belongs to no call. With nobody listening it is reported as an uncaught error is. */
  error: ClientError;
  /** Every message of the server, as it came. */
  message: Message;
}

/** How long a request waits. */
export interface RequestOptions {
  /**
   * For how long, in milliseconds, waiting for a line included.
   * @default 10000
   */
  timeout?: number;
  /** Gives it up; whether the server did it is not known then. */
  signal?: AbortSignal;
  /**
   * Whether doing it twice is as doing it once: then it is sent again after a cut, else it fails with `connection_lost`.
   * @default false
   */
  idempotent?: boolean;
}

/** How a message is sent. */
export interface SendOptions {
  /**
   * Whether it goes now or never: it does not wait for a line or for an answer.
   * @default false
   */
  volatile?: boolean;
  /**
   * For how long it may take, in milliseconds. It does not act on volatile messages.
   * @default queue.ageMax
   */
  ttl?: number;
}

/** How a message is published. */
export interface PublishOptions {
  /**
   * What becomes the `type` of the publication.
   * @default "message"
   */
  event?: string;
  /**
   * Under the same key one message is published within 5 minutes.
   * @default one that no other message has
   */
  key?: string;
  /**
   * Whether this client's own subscription gets it.
   * @default true
   */
  echo?: boolean;
  /**
   * Whether it goes now or never and stays out of the history.
   * @default false
   */
  volatile?: boolean;
  /**
   * For how long it may wait, in milliseconds.
   * @default queue.ageMax
   */
  ttl?: number;
  /** Gives it up; whether it was published is not known then. */
  signal?: AbortSignal;
  /**
   * For how long it may take, in milliseconds, waiting included.
   * @default ttl
   */
  timeout?: number;
}

/** A connection to an Openline server that comes back by itself: events, and what is sent now or never. */
export interface LineClient<C = unknown> {
  /**
   * Connects, and resolves when the line is online. Calling it again changes nothing. Rejects when the client stops.
   * `signal` gives up the waiting, not the client: that is `disconnect`.
   */
  connect(options?: { signal?: AbortSignal }): Promise<void>;
  /** Ends the line, and with it all calls, until `connect`. Handlers and subscriptions stay. */
  disconnect(): void;
  /** Ends the client for good: the line, all calls, all handlers. */
  close(): void;
  /** The same object until something in it changes. */
  readonly status: Status;
  /** Has `listener` called after each change of the status. */
  subscribeStatus(listener: (status: Status) => void): () => void;
  /**
   * Has `handler` called for each event of the client, or each message of a type that the server pushes. What the first
   * handler returns for a request of the server, or promises, is the answer. Gives what removes the handler.
   */
  on<K extends keyof ClientEvents>(type: K, handler: (event: ClientEvents[K]) => unknown): () => void;
  on<K extends EventName<C>>(type: K, handler: (data: EventData<C, K>, message: Message) => unknown): () => void;
  /** As `on`, for one time. */
  once<K extends keyof ClientEvents>(type: K, handler: (event: ClientEvents[K]) => unknown): () => void;
  once<K extends EventName<C>>(type: K, handler: (data: EventData<C, K>, message: Message) => unknown): () => void;
  /** Removes a handler, or all of a type. */
  off(type: string, handler?: (data: any, message: any) => unknown): void;
  /** Sends now or never: it does not wait for a line or for an answer. */
  send(type: string, data: unknown, options: SendOptions & { volatile: true }): Sent;
  /** Sends a frame as it is, past the codec, as transfers do. False if there is no open line for it. */
  sendFrame(frame: string | Uint8Array): boolean;
  /** Bytes that were given to the line and have not left yet. */
  readonly bufferedAmount: number;
  [Symbol.dispose](): void;
}

/** A client whose messages wait for a line, and for the server's answer. */
export interface CoreClient<C = unknown> extends LineClient<C> {
  /** Asks the server's application, and gives the `data` of its answer. Waits for a line if there is none. */
  request<K extends RequestName<C>>(type: K, data?: RequestInput<C, K>, options?: RequestOptions): Promise<RequestOutput<C, K>>;
  /** Tells the server's application something. It is not sent twice: cut off on its way it fails with `connection_lost`. */
  send(type: string, data?: unknown, options?: SendOptions): Sent;
  /** What was not answered yet. */
  readonly queue: {
    readonly size: number;
    readonly bytes: number;
    list(): Queued[];
    /** Gives up what was not sent yet, with `aborted`. */
    clear(): void;
  };
}

/** A client with channels. */
export interface Client<C = unknown> extends CoreClient<C> {
  /**
   * Publishes a message. It waits for a line if there is none, and is sent again after a cut until it is acknowledged: once
   * published, however often it was sent.
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<Published>;
  /**
   * The channel of this name. It is the same object as long as it is subscribed to or has handlers, and options count the
   * first time. Nothing happens before `subscribe`.
   */
  channel<N extends string>(name: N, options?: ChannelOptions): Channel<Payloads<C, N>>;
}
