import type { Channel, ChannelOptions } from "../channel/channel.js";
import type { Message } from "../codec/codec.js";
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

/** The events of every client. */
export interface ClientEvents {
  connected: { clientId: string; user?: string; reconnected: boolean };
  disconnected: { code: number; reason: string; willRetry: boolean };
  reconnecting: { attempt: number; delay: number | null };
  maxRetriesReached: { attempts: number };
  status: Status;
  error: ClientError;
  message: Message;
}

/** A connection to an Openline server that comes back by itself. */
export interface CoreClient {
  connect(options?: { signal?: AbortSignal }): Promise<void>;
  disconnect(): void;
  close(): void;
  readonly status: Status;
  subscribeStatus(listener: (status: Status) => void): () => void;
  on<K extends keyof ClientEvents>(type: K, handler: (event: ClientEvents[K]) => unknown): () => void;
  on(type: string, handler: (data: any, message: Message) => unknown): () => void;
  once(type: string, handler: (data: any, message: Message) => unknown): () => void;
  off(type: string, handler?: (data: any, message: Message) => unknown): void;
  request(type: string, data?: unknown, options?: { timeout?: number; signal?: AbortSignal; idempotent?: boolean }): Promise<unknown>;
  send(type: string, data?: unknown, options?: { volatile?: boolean; ttl?: number }): Sent;
  readonly queue: { readonly size: number; readonly bytes: number; list(): Queued[]; clear(): void };
  readonly bufferedAmount: number;
  /** Sends a frame as it is, past the queue and the codec, as transfers do. False if there is no open line for it. */
  sendFrame(frame: string | Uint8Array): boolean;
  [Symbol.dispose](): void;
}

/** How a message is published. */
export interface PublishOptions {
  event?: string;
  key?: string;
  echo?: boolean;
  volatile?: boolean;
  ttl?: number;
  signal?: AbortSignal;
  timeout?: number;
}

/** A client with channels. */
export interface Client extends CoreClient {
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<Published>;
  channel(name: string, options?: ChannelOptions): Channel;
}
