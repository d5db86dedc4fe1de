import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Api, ApiError, messageOf } from "../src/dashboard/api.js";
import { CLOSE_CODES } from "../src/dashboard/close-codes.js";
import { healthOf } from "../src/dashboard/health.js";
import { isKey, keyOf } from "../src/dashboard/key.js";
import { Metrics } from "../src/dashboard/metrics-text.js";
import { Pager } from "../src/dashboard/pager.js";
import { PLOTS } from "../src/dashboard/plots.js";
import { expressionOf } from "../src/dashboard/series.js";

const document = (name: string) => readFile(new URL(name, `file://${process.cwd()}/../`), "utf8");

test("the key is read from behind the #", () => {
  assert.equal(keyOf("#key=abc"), "abc");
  assert.equal(keyOf("#key=a%2Bb+c%3D"), "a+b+c=");
  assert.equal(keyOf("#key=100%"), "100%");
  assert.equal(keyOf("#a=1&key=x"), "x");
  for (const hash of ["", "#", "#key", "#key=", "#key=%20", "#monkey=1", "#donkey"]) {
    assert.equal(keyOf(hash), undefined, hash);
  }
});

test("what cannot stand in a header is no key", () => {
  assert.ok(isKey("yYbcP3ynWU-_+/="));
  for (const text of ["", "two words", "schlüssel", "a\nb"]) {
    assert.ok(!isKey(text), text);
  }
});

test("a request has the key in its head and nowhere else", async () => {
  const asked: Request[] = [];
  const fetch = async (...given: Parameters<typeof globalThis.fetch>) => {
    asked.push(new Request(...given));
    return new Response('{"channels":[],"next":"b"}');
  };
  const api = new Api(fetch as typeof globalThis.fetch, "http://127.0.0.1:8000/below/dashboard", "secret");
  assert.deepEqual(await api.channels("a b&c", undefined, 25), { rows: [], next: "b" });
  assert.equal(asked[0]?.url, "http://127.0.0.1:8000/below/api/v1/channels?prefix=a+b%26c&limit=25");
  assert.equal(asked[0]?.headers.get("authorization"), "Bearer secret");
  await api.publish("news", { a: 1 }, undefined);
  assert.deepEqual(await asked[1]?.json(), { channel: "news", data: { a: 1 } });
  assert.ok(asked.every(({ url }) => !url.includes("secret")));
});

test("an error of the server is told as it is, and one that is none of its as its status", async () => {
  const answer = (body: string, status: number) => new Api((async () => new Response(body, { status })) as typeof fetch, "http://a/", "k").info();
  await assert.rejects(answer('{"error":{"code":"not_found","message":"no such client"}}', 404), (error: unknown) => {
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.status, error.code, error.message], [404, "not_found", "no such client"]);
    return true;
  });
  await assert.rejects(answer("<html>", 502), /the answer was 502/);
  assert.equal(messageOf(new DOMException("", "TimeoutError")), "no answer within 5 s");
});

test("a pager goes on and back", () => {
  const pager = new Pager();
  pager.handlePage("b");
  pager.forward();
  assert.deepEqual([pager.after, pager.number, pager.hasPrevious, pager.hasNext], ["b", 2, true, false]);
  pager.forward();
  assert.equal(pager.number, 2);
  pager.back();
  pager.back();
  assert.deepEqual([pager.after, pager.number, pager.hasPrevious], [undefined, 1, false]);
});

test("the worst that the server says is its state", () => {
  const info = { node: "n", version: "0", uptime: 1, sessions: 0, lines: 0, level: "os", history: { channels: 0, messages: 0 }, limits: {}, nodes: [] };
  const word = (text: string) => healthOf({ state: "live", at: 0 }, Metrics.parse(text), info).word;
  assert.equal(word("openline_broker_up 1\n"), "ready");
  assert.equal(word("openline_broker_up 0\nopenline_store_ok 0\n"), "refusing");
  assert.equal(word("openline_broker_up 1\nopenline_store_ok 0\n"), "not stored");
  assert.equal(word("openline_broker_up 1\nopenline_store_damaged 1\n"), "damaged");
  assert.match(healthOf({ state: "live", at: 0 }, Metrics.parse("openline_panics_total 1\n"), info).sentence ?? "", /bug/);
  assert.equal(healthOf({ state: "away", since: 0, nextAt: 0, why: "gone" }, undefined, undefined).sentence, "gone");
});

test("every plot is of series that docs/metrics.md has, with labels that it has", async () => {
  const text = await document("docs/metrics.md");
  for (const { label, reading } of PLOTS.flatMap(({ series }) => series)) {
    const row = text.split("\n").find((line) => line.startsWith(`| \`${reading.name}\` |`));
    assert.ok(row !== undefined, `${label}: ${reading.name}`);
    assert.match(row, { gauge: /\| gauge \|/, rate: /\| counter \|/, quantile: /\| histogram \|/ }[reading.kind], label);
    const labels = Object.entries("labels" in reading ? (reading.labels ?? {}) : {});
    assert.ok(labels.every(([name, value]) => row.includes(`\`${name}\``) && row.includes(`\`${value}\``)), `${label}: ${row}`);
  }
});

test("docs/dashboard.md names each plot, each line and what it is", async () => {
  const text = await document("docs/dashboard.md");
  for (const { title, series } of PLOTS) {
    for (const { label, reading } of series) {
      assert.ok(text.includes(`| ${title} | ${label} | \`${expressionOf(reading)}\` |`), `| ${title} | ${label} | \`${expressionOf(reading)}\` |`);
    }
  }
  const rows = text.split("\n").filter((line) => /^\| .* \| .* \| `.*` \|$/.test(line));
  assert.equal(rows.length, PLOTS.flatMap(({ series }) => series).length);
});

test("no two lines have the same id, and no plot two lines of one colour", () => {
  const all = PLOTS.flatMap(({ series }) => series);
  assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
  assert.ok(PLOTS.every(({ series }) => new Set(series.map(({ hue }) => hue)).size === series.length));
});

test("the close codes are those that the API takes", async () => {
  const api = JSON.parse(await document("spec/openapi.json")) as { components: { schemas: { Disconnect: { properties: { code: { enum: number[]; default: number } } } } } };
  const { enum: codes, default: first } = api.components.schemas.Disconnect.properties.code;
  assert.deepEqual(CLOSE_CODES.map(({ code }) => code).sort(), [...codes].sort());
  assert.equal(CLOSE_CODES[0]?.code, first);
});
