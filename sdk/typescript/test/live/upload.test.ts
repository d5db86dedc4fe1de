import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";

import { type Client, createClient, fallback, longPoll, messagePack, sse, type Upload, upload, websocket } from "../../src/index.js";
import { environment, type Server, serve } from "./server.js";
import { UpgradeProxy } from "./upgrade-proxy.js";

let server: Server;
let proxy: UpgradeProxy;
let url: string;
before(async () => {
  server = await serve();
  proxy = new UpgradeProxy(Number(new URL(server.url).port));
  url = await proxy.listen();
});
after(async () => {
  await proxy.close();
  await server[Symbol.asyncDispose]();
});

function client(options: object = {}): Client {
  return createClient({ url, environment, backoff: { base: 20 }, ...options });
}

/** Bytes that tell where they are. */
function bytes(length: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4)).map((_, n) => Math.imul(n, 2654435761));
  return new Uint8Array(words.buffer).slice(0, length);
}

async function arrived(sending: Upload, file: Uint8Array): Promise<void> {
  const { url: path, size, sha256 } = await sending.done;
  assert.equal(size, file.length);
  assert.equal(sha256, createHash("sha256").update(file).digest("hex"));
  const stored = await fetch(new URL(path, server.url.replace("ws", "http")));
  assert.equal(stored.status, 200);
  assert.ok(Buffer.from(await stored.arrayBuffer()).equals(file));
}

/** A stream of pieces of odd lengths. */
async function* pieces(file: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0, n = 1; at < file.length; n = (n * 7919) % 200_003) {
    yield file.subarray(at, at + n);
    at += n;
  }
}

test("20 MB arrive byte for byte though the line is cut again and again", { timeout: 60_000 }, async () => {
  const line = client();
  await line.connect();
  const file = bytes(20_000_000);
  let cuts = 0;
  const sending = upload(line, new Blob([file]), {
    name: "large.bin",
    contentType: "application/x-test",
    onprogress: ({ acked }) => {
      if (acked > (cuts + 1) * 4_000_000) {
        cuts++;
        proxy.cut();
      }
    },
  });
  await arrived(sending, file);
  assert.equal(cuts, 4);
  assert.deepEqual(sending.progress, { sent: file.length, acked: file.length, size: file.length });
  line.close();
});

test("what can be read only once goes on after a cut with what was kept", { timeout: 60_000 }, async () => {
  const file = bytes(8_000_000);
  for (const from of [pieces(file), new Blob([file]).stream()]) {
    const line = client({ codec: messagePack() });
    await line.connect();
    let cuts = 0;
    const sending = upload(line, from, {
      onprogress: ({ sent }) => {
        if (sent > (cuts + 1) * 2_000_000) {
          cuts++;
          proxy.cut();
        }
      },
    });
    await arrived(sending, file);
    assert.ok(cuts >= 3);
    line.close();
  }
});

for (const factory of [sse(), longPoll()]) {
  test(`chunks go by ${factory.name} too`, { timeout: 60_000 }, async () => {
    const line = client({ transports: [factory] });
    await line.connect();
    const file = bytes(3_000_000);
    await arrived(upload(line, file), file);
    line.close();
  });
}

test("a kill of the server in the middle is outlived", { timeout: 60_000 }, async () => {
  const line = client();
  await line.connect();
  const file = bytes(10_000_000);
  const sending = upload(line, file);
  for await (const { acked } of sending) {
    if (acked > 3_000_000) {
      break;
    }
  }
  await server.kill();
  await server.start();
  await arrived(sending, file);
  line.close();
});

test("the same key goes on where another client stopped, and gives the result again", { timeout: 60_000 }, async () => {
  const file = bytes(4_000_000);
  const options = { name: "kept.bin", key: `key-${Date.now()}` };
  const first = client();
  await first.connect();
  const begun = upload(first, file, options);
  for await (const { acked } of begun) {
    if (acked > 1_000_000) {
      break;
    }
  }
  first.close();
  await assert.rejects(begun.done, { code: "stopped" });
  const second = client();
  await second.connect();
  let least = file.length;
  await arrived(upload(second, file, { ...options, onprogress: ({ sent }) => (least = Math.min(least, sent)) }), file);
  assert.ok(least > 1_000_000, `it began at ${least}`);
  await arrived(upload(second, file, options), file);
  second.close();
});

test("a pause holds everything back, and cancelling takes the file away", { timeout: 60_000 }, async () => {
  const line = client();
  await line.connect();
  const file = bytes(6_000_000);
  const sending = upload(line, file);
  for await (const { acked } of sending) {
    if (acked > 0) {
      break;
    }
  }
  sending.pause();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { sent } = sending.progress;
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(sending.progress.sent, sent);
  assert.ok(sent < file.length);
  sending.resume();
  await arrived(sending, file);

  const cancelled = upload(line, file);
  for await (const { acked } of cancelled) {
    if (acked > 0) {
      break;
    }
  }
  cancelled.cancel();
  await assert.rejects(cancelled.done, { code: "aborted" });
  await assert.rejects(upload(line, file, { signal: AbortSignal.abort() }).done, { code: "aborted" });
  await assert.rejects(upload(line, file, { sha256: "00".repeat(32) }).done, { code: "checksum_mismatch" });
  line.close();
});

test("an upload goes on while the line moves from a stream to a WebSocket", { timeout: 60_000 }, async () => {
  proxy.upgrades = "refuse";
  const line = client({ transports: [fallback([websocket(), sse()], { probe: 100 })] });
  await line.connect();
  const carrier = (): string | undefined => line.status.transport;
  assert.equal(carrier(), "sse");
  const file = bytes(6_000_000);
  const sending = upload(line, file);
  proxy.upgrades = "pass";
  await arrived(sending, file);
  for (let tries = 0; carrier() !== "websocket"; tries++) {
    assert.ok(tries < 100, "the line did not move");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await arrived(upload(line, file), file);
  line.close();
});
