import { type Codec, CodecError, type Message } from "./codec.js";

/** Messages as JSON. A payload of bytes goes as base64. */
export function json(): Codec {
  return {
    subprotocol: "openline.v1.json",
    encode(message) {
      const { data } = message as { data?: unknown };
      try {
        return JSON.stringify(data instanceof Uint8Array ? { ...message, data: toBase64(data), encoding: "base64" } : message);
      } catch (error) {
        throw new CodecError(`the message cannot be written as JSON: ${String(error)}`);
      }
    },
    decode(frame) {
      let message: unknown;
      try {
        message = JSON.parse(typeof frame === "string" ? frame : new TextDecoder().decode(frame));
      } catch {
        // What it is instead is said below.
      }
      if (typeof (message as Message | null | undefined)?.type !== "string") {
        throw new CodecError("a frame is not a JSON object with a `type`");
      }
      return message as Message;
    },
  };
}

function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
