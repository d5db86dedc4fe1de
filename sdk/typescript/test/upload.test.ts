import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { ClientError } from "../src/client/errors.js";
import { decodeMessagePack } from "../src/codec/message-pack.js";
import { type Upload, type UploadClient, upload } from "../src/transfer/upload.js";

const WINDOW = 4_000;
const CHUNK = 1_000;

/** A client and the server behind it: it stores chunks, and acknowledges what the test lets it. */
class Peer {
  stored = new Uint8Array(0);
  acked = 0;
  underWayMax = 0;
  readonly asked: string[] = [];
  readonly chunks: { type: string; offset: number; data: Uint8Array | string; encoding?: string }[] = [];
  status: any = { state: "online", attempt: 0, transport: "websocket" };
  bufferedAmount = 0;
  /** Offsets of chunks that do not arrive, once each. */
  readonly lost = new Set<number>();
  /** How many chunks came at another offset than the next one. */
  refused = 0;
  private line = 1;
  refuse: (type: string) => ClientError | undefined = () => undefined;
  private readonly chunk = new Set<(data: unknown, message: any) => unknown>();
  private readonly statuses = new Set<(status: any) => void>();

  readonly client: UploadClient = {
    on: (type: string, handler: any) => {
      assert.equal(type, "chunk");
      this.chunk.add(handler);
      return () => this.chunk.delete(handler);
    },
    subscribeStatus: (listener) => {
      this.statuses.add(listener);
      return () => this.statuses.delete(listener);
    },
    request: async (type, data: any) => {
      this.asked.push(type);
      // What was said of chunks of before is heard before the answer, as on a line.
      await new Promise(setImmediate);
      const error = this.refuse(type);
      if (error) {
        throw error;
      }
      const sha256 = createHash("sha256").update(this.stored).digest("hex");
      return type === "upload" ? { upload: "u-1", offset: this.stored.length, chunkMax: CHUNK, window: WINDOW, ...data } : { url: "/uploads/u-1", size: this.stored.length, sha256 };
    },
    sendFrame: (frame) => this.take(typeof frame === "string" ? JSON.parse(frame) : decodeMessagePack(frame)),
  } as Partial<UploadClient> as UploadClient;

  constructor() {
    Object.defineProperties(this.client, { status: { get: () => this.status }, bufferedAmount: { get: () => this.bufferedAmount } });
  }

  get listeners(): number {
    return this.chunk.size + this.statuses.size;
  }

  say(message: object): void {
    this.chunk.forEach((handler) => handler(undefined, { upload: "u-1", ...message }));
  }

  setState(state: string): void {
    this.status = { ...this.status, state };
    this.statuses.forEach((listener) => listener(this.status));
  }

  private take(chunk: any): boolean {
    this.chunks.push(chunk);
    const bytes: Uint8Array = typeof chunk.data === "string" ? Buffer.from(chunk.data, "base64") : chunk.data;
    if (this.lost.delete(chunk.offset)) {
      return true;
    }
    const { line } = this;
    const answer = (message: () => object): unknown => setImmediate(() => line === this.line && this.say(message()));
    if (chunk.offset !== this.stored.length) {
      this.refused += 1;
      answer(() => ({ type: "error", code: "bad_offset", offset: this.stored.length }));
      return true;
    }
    this.stored = Uint8Array.from([...this.stored, ...bytes]);
    this.underWayMax = Math.max(this.underWayMax, this.stored.length - this.acked);
    const offset = this.stored.length;
    answer(() => ({ type: "chunk", offset: (this.acked = offset) }));
    return true;
  }

  /** Another line: what was under way on the one before does not arrive. */
  move(clientId: string): void {
    this.line += 1;
    this.stored = this.stored.slice(0, this.acked);
    this.status = { ...this.status, clientId };
    this.setState("online");
  }
}

const FILE = Uint8Array.from({ length: 20_500 }, (_, n) => (n * 31) % 251);

test("chunks come in order, are never more than the window, and the whole arrives", async () => {
  const peer = new Peer();
  const seen: number[] = [];
  const sending = upload(peer.client, FILE, { onprogress: ({ acked }) => seen.push(acked) });
  assert.equal((await sending.done).sha256, createHash("sha256").update(FILE).digest("hex"));
  assert.deepEqual(peer.asked, ["upload", "complete"]);
  assert.ok(peer.underWayMax <= WINDOW, `${peer.underWayMax} bytes were under way`);
  assert.ok(peer.chunks.every(({ data }) => data instanceof Uint8Array && data.length <= CHUNK));
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
  assert.equal(peer.listeners, 0);
});

test("where there is no WebSocket chunks are text in base64", async () => {
  const peer = new Peer();
  peer.status.transport = "sse";
  await upload(peer.client, FILE).done;
  assert.ok(peer.chunks.every(({ data, encoding }) => typeof data === "string" && encoding === "base64"));
  assert.deepEqual(peer.stored, FILE);
});

test("a chunk that did not arrive is sent again with all behind it, from a blob and from a stream", async () => {
  for (const from of [new Blob([FILE]), new Blob([FILE]).stream()]) {
    const peer = new Peer();
    peer.lost.add(3_000).add(17_000);
    await upload(peer.client, from).done;
    assert.deepEqual(peer.stored, FILE);
    assert.deepEqual(peer.asked, ["upload", "upload", "upload", "complete"]);
  }
});

test("a line that is lost is waited for, and a client that has stopped is not", async () => {
  const peer = new Peer();
  let sending!: Upload;
  const length = await new Promise<number>((resolve) => {
    const cut = (): void => (peer.setState("waiting"), resolve(peer.chunks.length));
    sending = upload(peer.client, FILE, { onprogress: ({ acked }) => acked === 5_000 && cut() });
  });
  assert.ok(length < 20, `${length} chunks were sent`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(peer.chunks.length, length);
  peer.setState("online");
  await sending.done;
  assert.deepEqual(peer.stored, FILE);

  const other = new Peer();
  other.setState("stopped");
  await assert.rejects(upload(other.client, FILE).done, { code: "stopped" });
});

test("when the client moves to another line the server is asked there how far it is", async () => {
  const peer = new Peer();
  peer.status.clientId = "c-1";
  const move = (): void => peer.move("c-2");
  await upload(peer.client, FILE, { onprogress: ({ acked }) => acked === 5_000 && peer.status.clientId === "c-1" && move() }).done;
  assert.equal(peer.refused, 0);
  assert.deepEqual(peer.stored, FILE);
  assert.deepEqual(peer.asked, ["upload", "upload", "complete"]);
});

test("nothing is sent while much waits in the line", async () => {
  const peer = new Peer();
  peer.bufferedAmount = 2 << 20;
  const sending = upload(peer.client, FILE);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(peer.chunks.length, 0);
  peer.bufferedAmount = 0;
  await sending.done;
});

test("what cannot pass ends it, and what may pass is tried a bounded number of times", async () => {
  const peer = new Peer();
  peer.refuse = () => new ClientError("too_large", "the file is too long");
  await assert.rejects(upload(peer.client, FILE).done, { code: "too_large" });
  assert.deepEqual(peer.asked, ["upload"]);

  const full = new Peer();
  full.refuse = () => new ClientError("storage_full", "no room", { retryable: true, retryAfter: 1 });
  await assert.rejects(upload(full.client, FILE).done, { code: "storage_full" });
  assert.equal(full.asked.length, 9);
  assert.equal(full.listeners, 0);
});

test("what the source throws ends it", async () => {
  const peer = new Peer();
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield FILE.subarray(0, 100);
    throw new TypeError("the disk is gone");
  }
  await assert.rejects(upload(peer.client, broken()).done, { message: "the disk is gone" });
});

test("iterating gives how far it is, ends with it, and throws if it fails", async () => {
  const peer = new Peer();
  let last = { acked: -1, sent: 0 };
  for await (const progress of upload(peer.client, FILE)) {
    assert.ok(progress.acked >= last.acked);
    last = progress;
  }
  assert.equal(last.acked, FILE.length);
  const failing = new Peer();
  failing.refuse = () => new ClientError("forbidden", "not you");
  await assert.rejects(async () => {
    for await (const _ of upload(failing.client, FILE)) {
      // Nothing comes of it.
    }
  }, { code: "forbidden" });
});

test("cancelling tells the server, once the upload has a name", async () => {
  const peer = new Peer();
  const abort = new AbortController();
  const sending = upload(peer.client, FILE, { signal: abort.signal, onprogress: ({ acked }) => acked >= 3_000 && abort.abort() });
  await assert.rejects(sending.done, { code: "aborted" });
  assert.deepEqual(peer.asked, ["upload", "cancel"]);
  assert.ok(peer.chunks.length < 20);
});
