import type { Calling } from "../client/calls.js";
import type { Message } from "../codec/codec.js";
import { type Publication, publication } from "./publication.js";

/** Which part of a history. */
export interface HistoryOptions {
  /**
   * At most so many messages; 0 asks for the position alone.
   * @default 100
   */
  limit?: number;
  /** Only messages after this position, from there on. Where that cannot be had without a gap it is `bad_position`. */
  since?: string;
  /** Only messages before this position. */
  before?: string;
  /** Only messages accepted at this time or later, in milliseconds since 1970. */
  sinceTime?: number;
  /**
   * Newest first.
   * @default false
   */
  reverse?: boolean;
}

/** A page of a history. */
export interface History {
  messages: Publication[];
  /** The position of the channel's newest message. */
  position?: string;
  /** Whether there are more in the same direction. */
  more: boolean;
}

/** Asks for a page. */
export async function history(core: Calling, channel: string, options: HistoryOptions = {}): Promise<History> {
  const { data } = await core.call({ type: "history", channel, ...options }, { again: true });
  const page = data as { messages: Message[]; position?: string; more: boolean };
  return { ...page, messages: page.messages.map((message) => publication(message, true)) };
}
