import { type Codec, CodecError, type Message } from "./codec.js";
import { json } from "./json.js";

/** A message is at most 32 deep; an answer holds payloads of others a few levels further in. */
const DEPTH_MAX = 40;

/**
 * Messages as MessagePack. Payloads may be bytes. Whole numbers beyond 2^53 come as bigint, and bigints go
 * as whole numbers of 64 bits. Frames of text, as streams and polls have them, are read as JSON.
 */
export function messagePack(): Codec {
  return {
    subprotocol: "openline.v1.msgpack",
    encode: encodeMessagePack,
    decode(frame) {
      if (typeof frame === "string") {
        return json().decode(frame);
      }
      const message = decodeMessagePack(frame);
      if (typeof (message as Message | null)?.type !== "string") {
        throw new CodecError("a frame is not a MessagePack map with a `type`");
      }
      return message as Message;
    },
  };
}

/**
 * A value as MessagePack. What `JSON.stringify` leaves out is left out; views and buffers are bytes.
 * Throws CodecError for NaN, infinities, bigints of more than 64 bits, and what is nested too deep.
 */
export function encodeMessagePack(value: unknown): Uint8Array {
  const writer = new Writer();
  writer.write(value, 0);
  return writer.bytes.slice(0, writer.length);
}

/** The value that the bytes are, all of them. Throws CodecError. */
export function decodeMessagePack(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const value = reader.read(0);
  if (reader.at < bytes.length) {
    throw new CodecError(`a frame goes on for ${bytes.length - reader.at} bytes after its message`);
  }
  return value;
}

class Writer {
  bytes = new Uint8Array(256);
  length = 0;
  #view = new DataView(this.bytes.buffer);
  readonly #utf8 = new TextEncoder();

  write(value: unknown, depth: number): void {
    if (value === null || isLeftOut(value)) {
      this.#put(1, 0xc0);
    } else if (typeof value === "boolean") {
      this.#put(1, value ? 0xc3 : 0xc2);
    } else if (typeof value === "string") {
      const text = this.#utf8.encode(value);
      this.#head(text.length, 0xa0, 31, 0xd9);
      this.#raw(text);
    } else if (typeof value === "number") {
      this.#number(value);
    } else if (typeof value === "bigint") {
      this.#bigint(value);
    } else {
      this.#object(value as object, depth);
    }
  }

  #number(value: number): void {
    if (!Number.isFinite(value)) {
      throw new CodecError(`${value} cannot be sent; use null or a text`);
    }
    if (!Number.isSafeInteger(value)) {
      this.#put(9, 0xcb);
      this.#view.setFloat64(this.length - 8, value);
    } else if (value >= -0x20 && value < 0x80) {
      this.#put(1, value & 0xff);
    } else if (value >= -0x80000000 && value <= 0xffffffff) {
      this.#put(5, value < 0 ? 0xd2 : 0xce);
      this.#view.setUint32(this.length - 4, value);
    } else {
      this.#bigint(BigInt(value));
    }
  }

  #bigint(value: bigint): void {
    const bits = BigInt.asUintN(64, value);
    if (bits !== value && BigInt.asIntN(64, value) !== value) {
      throw new CodecError("a whole number has more than 64 bits; send it as text");
    }
    this.#put(9, value < 0n ? 0xd3 : 0xcf);
    this.#view.setBigUint64(this.length - 8, bits);
  }

  #object(value: object, depth: number): void {
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
      const bytes = ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value);
      this.#head(bytes.length, 0, -1, 0xc4);
      this.#raw(bytes);
      return;
    }
    if (depth === DEPTH_MAX) {
      throw new CodecError(`a value is nested more than ${DEPTH_MAX} deep, perhaps in itself`);
    }
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === "function") {
      this.write(toJSON.call(value), depth + 1);
    } else if (Array.isArray(value)) {
      this.#head(value.length, 0x90, 15, 0xdb);
      for (const element of value) {
        this.write(element, depth + 1);
      }
    } else {
      const fields = Object.entries(value).filter(([, field]) => !isLeftOut(field));
      this.#head(fields.length, 0x80, 15, 0xdd);
      for (const [name, field] of fields) {
        this.write(name, depth + 1);
        this.write(field, depth + 1);
      }
    }
  }

  /**
   * How long something is: in its first byte, or behind it. `wide` is the first byte for a length of 8 bits,
   * which lists and maps do not have; those for 16 and 32 bits follow it.
   */
  #head(length: number, short: number, shortMax: number, wide: number): void {
    if (length <= shortMax) {
      this.#put(1, short | length);
    } else if (length < 0x100 && wide < 0xdb) {
      this.#put(2, wide);
      this.#view.setUint8(this.length - 1, length);
    } else if (length < 0x10000) {
      this.#put(3, wide + 1);
      this.#view.setUint16(this.length - 2, length);
    } else {
      this.#put(5, wide + 2);
      this.#view.setUint32(this.length - 4, length);
    }
  }

  #raw(bytes: Uint8Array): void {
    const start = this.#put(bytes.length);
    this.bytes.set(bytes, start);
  }

  /** Makes room for so many bytes, the first of which may be given; returns where they begin. */
  #put(count: number, first = 0): number {
    const start = this.length;
    this.length += count;
    if (this.length > this.bytes.length) {
      const { bytes } = this;
      this.bytes = new Uint8Array(2 * this.length);
      this.bytes.set(bytes);
      this.#view = new DataView(this.bytes.buffer);
    }
    this.bytes[start] = first;
    return start;
  }
}

class Reader {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  read(depth: number): unknown {
    const first = this.#unsigned(0);
    if (first < 0x80) {
      return first;
    }
    if (first < 0x90) {
      return this.#map(first & 15, depth);
    }
    if (first < 0xa0) {
      return this.#list(first & 15, depth);
    }
    if (first < 0xc0) {
      return this.#text(first & 31);
    }
    return first < 0xe0 ? this.#long(first, depth) : first - 0x100;
  }

  #long(first: number, depth: number): unknown {
    const view = this.#view;
    switch (first) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return first === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#unsigned(first - 0xc4)).slice();
      case 0xca:
        return finite(view.getFloat32(this.#skip(4)));
      case 0xcb:
        return finite(view.getFloat64(this.#skip(8)));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(first - 0xcc);
      case 0xcf:
        return whole(view.getBigUint64(this.#skip(8)));
      case 0xd0:
        return view.getInt8(this.#skip(1));
      case 0xd1:
        return view.getInt16(this.#skip(2));
      case 0xd2:
        return view.getInt32(this.#skip(4));
      case 0xd3:
        return whole(view.getBigInt64(this.#skip(8)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(first - 0xd9));
      case 0xdc:
      case 0xdd:
        return this.#list(this.#unsigned(first - 0xdb), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#unsigned(first - 0xdd), depth);
      default:
        throw new CodecError(`a frame has the byte 0x${first.toString(16)}; extension types are not part of the protocol`);
    }
  }

  /** A whole number of 8, 16 or 32 bits: 0, 1 or 2. */
  #unsigned(width: number): number {
    const start = this.#skip(1 << width);
    return width === 0 ? this.#view.getUint8(start) : width === 1 ? this.#view.getUint16(start) : this.#view.getUint32(start);
  }

  #text(length: number): string {
    try {
      return this.#utf8.decode(this.#take(length));
    } catch (error) {
      throw error instanceof CodecError ? error : new CodecError("a text in a frame is not UTF-8");
    }
  }

  #list(length: number, depth: number): unknown[] {
    this.#enter(length, depth);
    return Array.from({ length }, () => this.read(depth + 1));
  }

  #map(length: number, depth: number): object {
    this.#enter(2 * length, depth);
    const fields: [string, unknown][] = [];
    for (let n = 0; n < length; n++) {
      const name = this.read(DEPTH_MAX);
      if (typeof name !== "string") {
        throw new CodecError("a key of a map in a frame is not text");
      }
      fields.push([name, this.read(depth + 1)]);
    }
    // Unlike an assignment, it makes a field even of `__proto__`.
    return Object.fromEntries(fields);
  }

  /** Each element has a byte at least: a length beyond what is there is refused before room is made for it. */
  #enter(elements: number, depth: number): void {
    if (depth >= DEPTH_MAX) {
      throw new CodecError(`a message is nested more than ${DEPTH_MAX} deep`);
    }
    this.#require(elements);
  }

  #take(count: number): Uint8Array {
    const start = this.#skip(count);
    return this.#bytes.subarray(start, start + count);
  }

  /** Returns where the bytes begin that are passed over. */
  #skip(count: number): number {
    this.#require(count);
    this.at += count;
    return this.at - count;
  }

  #require(count: number): void {
    const missing = this.at + count - this.#bytes.length;
    if (missing > 0) {
      throw new CodecError(`a frame ends too early: at least ${missing} bytes are missing`);
    }
  }
}

function isLeftOut(value: unknown): boolean {
  return value === undefined || typeof value === "function" || typeof value === "symbol";
}

function finite(value: number): number {
  if (!Number.isFinite(value)) {
    throw new CodecError(`a frame has ${value}, which is not part of the protocol`);
  }
  return value;
}

function whole(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
