import type { Message } from "../codec/codec.js";

/** Who published a message. */
export interface Publisher {
  clientId: string;
  user?: string;
}

/** A message of a channel. */
export interface Publication<T = any> {
  /** The event it was published as; `message` if none was named. */
  readonly type: string;
  readonly channel: string;
  /** The payload. Bytes come as Uint8Array. */
  readonly data: T;
  /** Where it stands, if the channel keeps history: to be stored and given back as `since`, nothing else. */
  readonly position?: string;
  /** When it was accepted, in milliseconds since 1970. */
  readonly timestamp?: number;
  /** Who published it, where the namespace says so. */
  readonly from?: Publisher;
  /** Whether it comes from the history instead of live. */
  readonly replayed: boolean;
}

/** The publication that a message of the server is. */
export function publication({ encoding, ...message }: Message, replayed: boolean): Publication {
  const { data } = message as unknown as Publication;
  return {
    ...(message as unknown as Publication),
    data: encoding === "base64" ? Uint8Array.from(atob(data as string), (c) => c.charCodeAt(0)) : data,
    replayed,
  };
}
