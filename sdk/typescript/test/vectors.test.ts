import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { addCalls, type Calling } from "../src/client/calls.js";
import { createCore } from "../src/client/core.js";
import type { ClientError } from "../src/client/errors.js";
import type { Message } from "../src/codec/codec.js";
import { json } from "../src/codec/json.js";
import { messagePack } from "../src/codec/message-pack.js";
import { createTestServer, createVirtualClock, type ServerLine } from "../src/testing/index.js";

type Step = Record<string, any>;
type Reply = { message?: Message; error?: ClientError };

const folder = join(process.env["OPENLINE_ROOT"]!, "spec/vectors");
const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
const skipped: Record<string, string[]> = {};

for (const name of names) {
  const [{ about }, ...steps] = JSON.parse(readFileSync(join(folder, name), "utf8")) as [Step, ...Step[]];
  const reason = reasonToSkip(steps);
  if (reason) {
    (skipped[reason] ??= []).push(name);
  } else {
    test(`${name}: ${about}`, () => play(steps));
  }
}

test("vectors that a client cannot be run against are few, and counted", (t) => {
  for (const [reason, of] of Object.entries(skipped)) {
    t.diagnostic(`${of.length} of ${names.length} vectors skipped, ${reason}: ${of.join(", ")}`);
  }
  assert.ok(names.length - Object.values(skipped).flat().length >= 30);
});

function reasonToSkip(steps: Step[]): string | undefined {
  if (steps.some((step) => "sendText" in step || "sendBytes" in step || ("send" in step && typeof step["send"]?.type !== "string"))) {
    return "they send what is not a message";
  }
  return undefined;
}

/** Plays the server of a vector. Its clients send what the vector says, and have to understand the answers. */
async function play(steps: Step[]): Promise<void> {
  const names = new Map<string, unknown>([["run", "r1"]]);
  const ends = new Map<string, End>();
  for (const step of steps) {
    if (step["open"]) {
      ends.set(step["open"], await open(step["subprotocol"]));
      continue;
    }
    const end = ends.get(step["line"])!;
    if (step["send"]) {
      await end.send(substitute(step["send"], names));
    } else if (step["close"]) {
      end.core.client.disconnect();
      assert.equal(end.line.closedWith?.code, 1000);
    } else if (step["closed"]) {
      end.line.close(step["closed"], "as the vector says");
      assert.notEqual(end.core.client.status.state, "online");
    } else {
      for (const pattern of step["expectAll"] ?? [step["expect"] ?? step["find"]]) {
        await end.expect(instance(pattern, names) as Message);
      }
    }
  }
  ends.forEach(({ core }) => core.client.close());
}

interface End {
  core: Calling;
  line: ServerLine;
  send(message: Message): Promise<void>;
  /** Sends a message to the client, which has to give it to whoever waits for it. */
  expect(message: Message): Promise<void>;
}

async function open(subprotocol?: string): Promise<End> {
  const server = createTestServer({ welcomes: false, pongs: false });
  const clock = createVirtualClock();
  const codec = subprotocol === "openline.v1.msgpack" ? messagePack() : json();
  const core = addCalls(createCore({ url: "ws://test", codec, transports: [server.transport], environment: { ...clock, reportError() {} } }));
  const came: Message[] = [];
  core.client.on("message", (message) => void came.push(message));
  core.client.connect().catch(() => {});
  const line = await server.take();
  line.open();
  /** What became of requests, by the vector's id, and the client's own id for it. */
  const replies = new Map<unknown, { own: unknown; reply: Promise<Reply> }>();
  return {
    core,
    line,
    async send(message) {
      const { id, ...rest } = message;
      if (id === undefined) {
        assert.ok(core.cast(message));
        assert.deepEqual(await line.take(), message);
        return;
      }
      const reply = core.call(rest as { type: string }).then(
        (message): Reply => ({ message }),
        (error: ClientError): Reply => ({ error }),
      );
      const { id: own, ...sent } = await line.take();
      assert.deepEqual(sent, rest);
      assert.notEqual(own, undefined);
      replies.set(id, { own, reply });
    },
    async expect(message) {
      const request = message.id === undefined ? undefined : replies.get(message.id);
      assert.ok(message.id === undefined || request, `nothing was asked under ${message.id}`);
      const sent = request ? { ...message, id: request.own as number } : message;
      line.send(sent);
      assert.deepEqual(came.at(-1), sent);
      if (!request) {
        return;
      }
      const { message: answer, error } = await request.reply;
      if (message.type === "error") {
        assert.equal(error?.code, message["code"]);
        assert.equal(error?.retryAfter, message["retryAfter"]);
      } else {
        assert.deepEqual(answer, sent);
      }
      replies.delete(message.id);
    },
  };
}

const EXAMPLES: Record<string, unknown> = { text: "some text", number: 7, time: Date.now() };

/** A message that matches a pattern. */
function instance(pattern: any, names: Map<string, unknown>): unknown {
  if (Array.isArray(pattern)) {
    return pattern.map((one) => instance(one, names));
  }
  if (typeof pattern !== "object" || pattern === null) {
    return substitute(pattern, names);
  }
  if (pattern.$bytes) {
    return bytes(pattern.$bytes);
  }
  if (pattern.$any) {
    const { $any, contains, as, not } = pattern;
    const value = $any === "position" ? `AAAAAQAAAAAAAA${String(names.size).padStart(4, "A")}AQ` : contains ?? (not ? `not ${names.get(not)}` : EXAMPLES[$any]);
    if (as) {
      names.set(as, value);
    }
    return value;
  }
  if (pattern.$has || pattern.$set || pattern.$or) {
    return pattern.$has ? [instance(pattern.$has, names)] : instance(pattern.$set ?? pattern.$or[0], names);
  }
  return Object.fromEntries(
    Object.keys(pattern)
      .sort()
      .filter((name) => !pattern[name]?.$absent)
      .map((name) => [substitute(name, names), instance(pattern[name], names)]),
  );
}

/** The value with what stands for names and for bytes put in. */
function substitute<T>(value: T, names: Map<string, unknown>): T {
  const text = JSON.stringify(value).replace(/\$\{(\w+)\}/g, (_, name) => String(names.get(name)));
  return JSON.parse(text, (_, field) => (field?.$bytes ? bytes(field.$bytes) : field)) as T;
}

function bytes(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}
