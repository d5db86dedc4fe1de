import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, defineContract, type Publication, type Schema } from "../src/index.js";
import { createTestServer } from "../src/testing/index.js";
import { online } from "./support.js";

/** A schema as the libraries make them. */
function schema<T>(name: string, is: (value: any) => boolean): Schema<T> {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => (is(value) ? { value: value as T } : { issues: [{ message: `not ${name}` }] }),
    },
  };
}
const text = schema<string>("text", (value) => typeof value === "string");
const number = schema<number>("a number", (value) => typeof value === "number");

const contract = defineContract({
  events: { "order.updated": number },
  requests: { roll: { in: number, out: number } },
  channels: { "room:*": { chat: text, count: number }, lobby: { message: text } },
});

/** Compiles only where both types are the same. */
function same<A, B>(..._: [A] extends [B] ? ([B] extends [A] ? [] : ["not the same"]) : ["not the same"]): void {}

test("the types of all calls follow from the contract", () => {
  const client = createClient({ url: "ws://test", contract, transports: [createTestServer().transport] });
  client.on("order.updated", (data) => same<typeof data, number>());
  client.on("connected", (event) => same<typeof event.clientId, string>());
  // @ts-expect-error: the server pushes no such type
  client.on("order.upated", () => {});
  const roll = () => client.request("roll", 6);
  same<Awaited<ReturnType<typeof roll>>, number>();
  // @ts-expect-error: a number is asked for
  void (() => client.request("roll", "six"));
  // @ts-expect-error: nothing answers to this
  void (() => client.request("rol", 6));
  const room = client.channel("room:1");
  room.on("publication", (publication) => same<typeof publication, Publication<string | number>>());
  room.on("event:chat", ({ data }) => same<typeof data, string>());
  // @ts-expect-error: there is no such event in rooms
  room.on("event:chta", () => {});
  client.channel("lobby").on("event:message", ({ data }) => same<typeof data, string>());
  client.close();
});

test("without a contract everything may be said", () => {
  const client = createClient({ url: "ws://test", transports: [createTestServer().transport] });
  client.on("anything", (data) => data.of.any.shape);
  client.channel("room").on("event:anything", ({ data }) => data.of.any.shape);
  void (async () => (await client.request("anything", { of: "any shape" })).of.any.shape);
  client.close();
});

test("what comes and does not conform is an error and is not delivered", async () => {
  const { client, server, errors, clock } = await online(
    { contract },
    {
      answer: ({ type, id, data }: any) =>
        type === "subscribe" ? { type: "subscribed", id, channels: ["room:1"], data: { "room:1": {} } } : type === "roll" ? { type, id, data: data === 6 ? 4 : "four" } : undefined,
    },
  );
  const seen: unknown[] = [];
  client.on("order.updated", (data) => void seen.push(data));
  client.on("free", (data) => void seen.push(data));
  const room = client.channel("room:1");
  room.on("publication", ({ data }: any) => void seen.push(data));
  await room.subscribe();
  server.line.send({ type: "order.updated", data: "one" });
  server.line.send({ type: "order.updated", data: 2 });
  server.line.send({ type: "free", data: "anything" });
  server.line.send({ type: "chat", channel: "room:1", data: 3 });
  server.line.send({ type: "chat", channel: "room:1", data: "four" });
  server.line.send({ type: "other", channel: "room:1", data: 5 });
  await clock.settle();
  assert.deepEqual(seen, [2, "anything", "four", 5]);
  assert.deepEqual(errors.map(({ code, message }) => [code, message]), [
    ["invalid", "order.updated: not a number"],
    ["invalid", "room:1: not text"],
  ]);
  assert.equal(await client.request("roll", 6), 4);
  await assert.rejects(client.request("roll", 7), { code: "invalid" });
  client.close();
});
