import type { CoreClient } from "../client/client.js";
import { ClientError } from "../client/errors.js";
import type { Message } from "../codec/codec.js";
import { json } from "../codec/json.js";
import { encodeMessagePack } from "../codec/message-pack.js";
import { type Source, source, type Uploadable } from "./source.js";

/** What an upload needs of a client. */
export type UploadClient = Pick<CoreClient, "status" | "subscribeStatus" | "bufferedAmount" | "on" | "request" | "sendFrame">;

export interface UploadOptions {
  /**
   * What the file is called: a label, never a path.
   * @default the name of a File, else "upload"
   */
  name?: string;
  /** @default the type of a Blob, else "application/octet-stream" */
  contentType?: string;
  /**
   * Bytes, where the source does not say. The server refuses a file that is too long at once if it knows.
   * @default that of the source
   */
  size?: number;
  /**
   * Bytes of a chunk on a WebSocket; smaller ones let other messages pass sooner. The server has a limit. By HTTP
   * chunks are as long as the server allows.
   * @default 65536
   */
  chunkSize?: number;
  /**
   * Names this upload, in up to 64 bytes: with the same key it goes on where it was, even after the page was loaded
   * anew, or gives the result if it was complete. A stream has to be given from its beginning again.
   * @default a random one
   */
  key?: string;
  /** What the SHA-256 of the file is, in hexadecimal digits, for the server to compare. */
  sha256?: string;
  /** Cancels the upload. */
  signal?: AbortSignal;
  /** Called when more was sent or stored. */
  onprogress?: (progress: UploadProgress) => void;
}

/** How far an upload is, in bytes. */
export interface UploadProgress {
  /** Given to the line. Less than before after the line was lost. */
  readonly sent: number;
  /** Stored by the server. */
  readonly acked: number;
  readonly size: number | undefined;
}

/** A file that the server has. */
export interface Uploaded {
  /** Where it can be fetched, relative to the server's address. */
  readonly url: string;
  readonly size: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

/** An upload under way; iterating over it gives how far it is, the latest each time. */
export interface Upload extends AsyncIterable<UploadProgress> {
  readonly progress: UploadProgress;
  /** Resolves when the file is safe on the server's disk; rejects with a ClientError, or what the source threw. Not observing it is no error. */
  readonly done: Promise<Uploaded>;
  /** Sends nothing until `resume`. The server forgets an upload that rests too long. */
  pause(): void;
  resume(): void;
  /** Ends it for good, here and on the server. */
  cancel(): void;
}

/** What may wait in the line before more chunks are given to it, in bytes. */
const BUFFERED_MAX = 1 << 20;
const BUFFERED_INTERVAL = 50;

/** How long an answer and an acknowledgement may take, in milliseconds. */
const ANSWER_TIMEOUT = 30_000;

/** After so many disturbances in a row without headway an upload fails. Time without a line does not count. */
const DISTURBANCES_MAX = 8;
const DISTURBANCE_DELAY = 500;

/** What the server says about a transfer. */
interface Begun {
  upload: string;
  offset: number;
  chunkMax: number;
  window: number;
}

/**
 * Sends a file in chunks beside whatever else the line does. It goes on by itself when the line was lost. With JSON too,
 * chunks go as bytes on a WebSocket.
 */
export function upload(client: UploadClient, from: Uploadable, options: UploadOptions = {}): Upload {
  return new Sending(client, from, options);
}

class Sending implements Upload {
  readonly done: Promise<Uploaded>;
  readonly #client: UploadClient;
  readonly #options: UploadOptions;
  readonly #source: Source;
  readonly #what: object;
  readonly #size: number | undefined;
  readonly #abort = new AbortController();
  #begun: Begun | undefined;
  #sent = 0;
  #acked = 0;
  #isPaused = false;
  #isDone = false;
  /** Whether what was sent may be lost, or was refused: the server is asked how far it is. */
  #isDisturbed = false;
  /** The line that chunks went out on. */
  #line: string | undefined;
  #waiting: (() => void)[] = [];

  constructor(client: UploadClient, from: Uploadable, options: UploadOptions) {
    this.#client = client;
    this.#options = options;
    this.#source = source(from);
    this.#size = this.#source.size ?? options.size;
    const { name, type } = from as { name?: string; type?: string };
    this.#what = {
      name: options.name ?? (name || "upload"),
      contentType: options.contentType ?? (type || undefined),
      size: this.#size,
      key: options.key ?? randomKey(),
    };
    const stop = [client.on("chunk", (_, message) => this.#hear(message)), client.subscribeStatus(() => this.#look())];
    const { signal } = options;
    const cancel = (): void => this.cancel();
    signal?.addEventListener("abort", cancel);
    if (signal?.aborted) {
      this.#abort.abort();
    }
    this.done = this.#run().finally(() => {
      this.#isDone = true;
      stop.forEach((end) => end());
      signal?.removeEventListener("abort", cancel);
      this.#source.cancel();
      this.#wake();
    });
    this.done.catch(() => {});
  }

  get progress(): UploadProgress {
    return { sent: this.#sent, acked: this.#acked, size: this.#size };
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake();
  }

  cancel(): void {
    if (this.#isDone || this.#abort.signal.aborted) {
      return;
    }
    this.#abort.abort();
    this.#wake();
    if (this.#begun) {
      // If it does not get there, the server forgets the upload by itself.
      this.#client.request("cancel", { upload: this.#begun.upload }, { idempotent: true }).catch(() => {});
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<UploadProgress, void> {
    let last: UploadProgress | undefined;
    for (;;) {
      const { progress } = this;
      if (!last || progress.sent !== last.sent || progress.acked !== last.acked) {
        last = progress;
        yield progress;
      } else if (this.#isDone) {
        await this.done;
        return;
      } else {
        await this.#change();
      }
    }
  }

  async #run(): Promise<Uploaded> {
    let about = this.#what;
    let before = 0;
    for (let disturbances = 0; ; ) {
      try {
        await this.#until(() => this.#isOnline || this.#client.status.state === "stopped");
        this.#abort.signal.throwIfAborted();
        if (!this.#isOnline) {
          throw new ClientError("stopped", "the client has stopped; with the same key the upload can go on");
        }
        this.#begun = await this.#ask<Begun>("upload", about);
        // What was wrong with chunks of before has been told before this answer.
        this.#isDisturbed = false;
        this.#line = this.#client.status.clientId;
        const { upload, offset } = this.#begun;
        about = { upload };
        this.#sent = this.#acked = offset;
        this.#source.release(offset);
        await this.#send(this.#begun);
        return await this.#ask<Uploaded>("complete", { upload, sha256: this.#options.sha256 });
      } catch (error) {
        if (this.#abort.signal.aborted) {
          throw new ClientError("aborted", "the upload was cancelled");
        }
        disturbances = this.#acked > before ? 0 : disturbances + 1;
        before = this.#acked;
        if (!isPassing(error) || disturbances > DISTURBANCES_MAX) {
          throw error;
        }
        const { retryAfter = DISTURBANCE_DELAY * disturbances } = error as ClientError;
        await this.#until(() => false, retryAfter);
      }
    }
  }

  /** Sends what is not there yet, until the server has stored it. Throws when that has to begin anew. */
  async #send({ upload, chunkMax, window }: Begun): Promise<void> {
    for (;;) {
      const isBinary = this.#client.status.transport === "websocket";
      const length = Math.min(chunkMax, window, isBinary ? Math.max(1, this.#options.chunkSize ?? 65536) : chunkMax);
      await this.#room(window - length);
      const data = await this.#source.read(this.#sent, length);
      this.#check();
      if (!data.length) {
        break;
      }
      const chunk = { type: "chunk", upload, offset: this.#sent, data };
      if (!this.#client.sendFrame(isBinary ? encodeMessagePack(chunk) : json().encode(chunk))) {
        throw lost();
      }
      this.#sent += data.length;
      this.#tell();
    }
    await this.#acknowledged(() => this.#acked >= this.#sent);
  }

  /** Waits until so many bytes at most are under way, the line has room, and nobody has paused. */
  async #room(underWay: number): Promise<void> {
    await this.#acknowledged(() => this.#sent - this.#acked <= underWay);
    while (this.#client.bufferedAmount > BUFFERED_MAX) {
      await this.#until(() => this.#isDisturbed, BUFFERED_INTERVAL);
      this.#check();
    }
    await this.#until(() => !this.#isPaused || this.#isDisturbed);
    this.#check();
  }

  /** Waits for acknowledgements, as long as they come. */
  async #acknowledged(isEnough: () => boolean): Promise<void> {
    while (!isEnough()) {
      const acked = this.#acked;
      await this.#until(() => this.#acked > acked || this.#isDisturbed, ANSWER_TIMEOUT);
      this.#check();
      if (this.#acked === acked) {
        throw new ClientError("timeout", `the server acknowledged nothing for ${ANSWER_TIMEOUT / 1000} s`, { retryable: true });
      }
    }
  }

  #check(): void {
    this.#abort.signal.throwIfAborted();
    if (this.#isDisturbed) {
      throw lost();
    }
  }

  #ask<T>(type: string, data: object): Promise<T> {
    return this.#client.request(type, data, { idempotent: true, timeout: ANSWER_TIMEOUT, signal: this.#abort.signal }) as Promise<T>;
  }

  /** An acknowledgement, or an error about a chunk. */
  #hear(message: Message): void {
    if (!this.#begun || message["upload"] !== this.#begun.upload) {
      return;
    }
    if (message.type === "error") {
      this.#isDisturbed = true;
    } else if ((message["offset"] as number) > this.#acked) {
      this.#acked = Math.min(message["offset"] as number, this.#sent);
      this.#source.release(this.#acked);
      this.#tell();
    }
    this.#wake();
  }

  #look(): void {
    this.#isDisturbed ||= !this.#isOnline || this.#client.status.clientId !== this.#line;
    this.#wake();
  }

  get #isOnline(): boolean {
    const { state } = this.#client.status;
    return state === "online" || state === "probing";
  }

  #tell(): void {
    this.#wake();
    this.#options.onprogress?.(this.progress);
  }

  /** Waits until it is so, the upload is cancelled, or so many milliseconds have passed. */
  async #until(isSo: () => boolean, timeout?: number): Promise<void> {
    let isOver = false;
    const timer = timeout === undefined ? undefined : setTimeout(() => ((isOver = true), this.#wake()), timeout);
    while (!this.#abort.signal.aborted && !isOver && !isSo()) {
      await this.#change();
    }
    clearTimeout(timer);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    this.#waiting.splice(0).forEach((resolve) => resolve());
  }
}

function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function lost(): ClientError {
  return new ClientError("connection_lost", "the line was lost in the middle of an upload", { retryable: true });
}

/** Whether the server is to be asked how far it is, to go on from there. */
function isPassing(error: unknown): boolean {
  const { code, retryable } = error as ClientError;
  return retryable || ["bad_offset", "incomplete", "connection_lost", "timeout"].includes(code);
}
