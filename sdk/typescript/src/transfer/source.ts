import { ClientError } from "../client/errors.js";

/** What can be uploaded. A blob and bytes can be read again from anywhere; the others only once. */
export type Uploadable = Blob | Uint8Array | ArrayBuffer | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Where the bytes of an upload come from. */
export interface Source {
  /** How many there are, if that is known. */
  readonly size: number | undefined;
  /** At most so many bytes from there on; none at the end. Throws if they are gone. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Bytes before this are not asked for any more. It may be beyond what was read: that is passed over. */
  release(offset: number): void;
  /** Nothing is asked for again. */
  cancel(): void;
}

/** How to read it. */
export function source(from: Uploadable): Source {
  if (from instanceof Blob) {
    return seekable(from.size, async (start, end) => new Uint8Array(await from.slice(start, end).arrayBuffer()));
  }
  if (from instanceof ArrayBuffer || ArrayBuffer.isView(from)) {
    const bytes = from instanceof ArrayBuffer ? new Uint8Array(from) : from;
    return seekable(bytes.length, async (start, end) => bytes.subarray(start, end));
  }
  return new Once("getReader" in from ? pieces(from) : from[Symbol.asyncIterator]());
}

function seekable(size: number, slice: (start: number, end: number) => Promise<Uint8Array>): Source {
  return { size, read: (offset, length) => slice(offset, offset + length), release() {}, cancel() {} };
}

/** What can be read only once. It keeps what was read until that is released, which is as much as one window. */
class Once implements Source {
  readonly size = undefined;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #kept: Uint8Array[] = [];
  /** Where the kept ones begin and end. */
  #start = 0;
  #end = 0;
  #released = 0;

  constructor(pieces: AsyncIterator<Uint8Array>) {
    this.#pieces = pieces;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset < this.#start) {
      throw new ClientError("not_seekable", `the server asks for bytes from ${offset} on, and a stream is kept from ${this.#start} on; upload it anew`);
    }
    while (this.#end < offset + length) {
      const { value, done } = await this.#pieces.next();
      if (done) {
        break;
      }
      if (!(value instanceof Uint8Array)) {
        throw new ClientError("bad_message", "the source of an upload gave something else than a Uint8Array");
      }
      this.#kept.push(value);
      this.#end += value.length;
      this.release(this.#released);
    }
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.#end - offset)));
    let at = this.#start - offset;
    for (const piece of this.#kept) {
      const from = Math.max(0, -at);
      if (at < bytes.length && from < piece.length) {
        bytes.set(piece.subarray(from, Math.min(piece.length, bytes.length - at)), Math.max(0, at));
      }
      at += piece.length;
    }
    return bytes;
  }

  release(offset: number): void {
    this.#released = offset;
    while (this.#kept.length && this.#start + this.#kept[0]!.length <= offset) {
      this.#start += this.#kept.shift()!.length;
    }
  }

  cancel(): void {
    this.#kept = [];
    // A source that fails to stop is of no use to anybody.
    Promise.resolve(this.#pieces.return?.()).catch(() => {});
  }
}

/** Not all browsers can iterate over streams. */
function pieces(stream: ReadableStream<Uint8Array>): AsyncIterator<Uint8Array> {
  const reader = stream.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<Uint8Array>>,
    async return() {
      await reader.cancel();
      return { value: undefined, done: true };
    },
  };
}
