/** A message as it stands on the line. What else is in it depends on its type. */
export interface Message {
  readonly type: string;
  readonly id?: number | string;
  readonly channel?: string;
  readonly data?: unknown;
  readonly [field: string]: unknown;
}

/** How messages are written: between objects and frames. */
export interface Codec {
  readonly subprotocol: "openline.v1.json" | "openline.v1.msgpack";
  /** Throws CodecError for what cannot be written. */
  encode(message: object): string | Uint8Array;
  /** Throws CodecError for what is not a message. */
  decode(frame: string | Uint8Array): Message;
}

/** A frame that is not a message, or a value that cannot be one. */
export class CodecError extends Error {
  override name = "CodecError";
}
