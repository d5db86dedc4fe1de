// What the standard asks of the arguments of `WebSocket`, its `send` and its `close`.
// https://websockets.spec.whatwg.org/#the-websocket-interface

import { socketAddress } from "../client/address.js";

/** What `send` takes. Anything else is turned into text, as the standard says. */
export type Payload = string | Blob | ArrayBuffer | ArrayBufferView;

/** RFC 9110's token: what the name of a subprotocol may be made of. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const REASON_BYTES_MAX = 123;

const encoder = new TextEncoder();

/** The address as the standard serializes it; throws a `SyntaxError` where it is none. */
export function parseAddress(address: string | URL, base: string | undefined): string {
  const url = socketAddress(String(address), base, syntaxError);
  // Chromium's parser makes %20 of a space there; the standard's throws.
  if (url.hostname.includes("%")) throw syntaxError(`"${url.hostname}" cannot be the name of a host`);
  return url.href;
}

/** The subprotocols as a list; throws a `SyntaxError` where one is no token or stands there twice. */
export function parseProtocols(protocols: string | readonly string[]): string[] {
  const list = typeof protocols === "string" ? [protocols] : Array.from(protocols, String);
  const seen = new Set<string>();
  for (const protocol of list) {
    if (!TOKEN.test(protocol)) throw syntaxError(`"${protocol}" cannot be the name of a subprotocol: use letters, digits and .-_`);
    const name = protocol.toLowerCase();
    if (seen.has(name)) throw syntaxError(`the subprotocol "${protocol}" is named twice: name it once, in whatever case`);
    seen.add(name);
  }
  return list;
}

/** The code as the standard clamps it; throws an `InvalidAccessError` for one that a page may not send. */
export function parseCloseCode(code: unknown): number | undefined {
  if (code === undefined) return undefined;
  const clamped = clamp(Number(code));
  if (clamped !== 1000 && (clamped < 3000 || clamped > 4999)) {
    throw new DOMException(`the close code is ${clamped}, and has to be 1000 or from 3000 to 4999`, "InvalidAccessError");
  }
  return clamped;
}

/** The reason as text; throws a `SyntaxError` for more than a Close frame holds. */
export function parseCloseReason(reason: unknown): string | undefined {
  if (reason === undefined) return undefined;
  const text = `${reason as string}`;
  const bytes = textBytes(text);
  if (bytes > REASON_BYTES_MAX) {
    throw syntaxError(`the reason has ${bytes} bytes of UTF-8, and may have ${REASON_BYTES_MAX} at most`);
  }
  return text;
}

/** What `send` was given, as one of the kinds it takes. */
export function parsePayload(given: unknown): Payload {
  return isBuffer(given) || ArrayBuffer.isView(given) || isBlob(given) ? given : `${given as string}`;
}

/** How much `bufferedAmount` grows by it: UTF-8 for text, and a view's window alone. */
export function payloadBytes(payload: Payload): number {
  if (typeof payload === "string") return textBytes(payload);
  return isBlob(payload) ? payload.size : payload.byteLength;
}

/** The same bytes, kept from what the caller does to its buffer afterwards. */
export function copyPayload(payload: Payload): Payload {
  if (isBuffer(payload)) return payload.slice(0);
  if (!ArrayBuffer.isView(payload)) return payload;
  return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength).slice();
}

function textBytes(text: string): number {
  return encoder.encode(text).byteLength;
}

// By its tag: a buffer of another frame is no `instanceof ArrayBuffer` here.
function isBuffer(value: unknown): value is ArrayBuffer {
  return Object.prototype.toString.call(value) === "[object ArrayBuffer]";
}

function isBlob(value: unknown): value is Blob {
  return typeof Blob !== "undefined" && value instanceof Blob;
}

/** Web IDL's `[Clamp] unsigned short`: into its range, then to the nearest integer, the even one of two. */
function clamp(value: number): number {
  if (Number.isNaN(value)) return 0;
  const bounded = Math.min(Math.max(value, 0), 65_535);
  const below = Math.floor(bounded);
  const above = bounded - below;
  return above < 0.5 || (above === 0.5 && below % 2 === 0) ? below : below + 1;
}

function syntaxError(message: string): DOMException {
  return new DOMException(message, "SyntaxError");
}
