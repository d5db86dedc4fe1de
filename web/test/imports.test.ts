import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const source = fileURLToPath(new URL("../src", import.meta.url));

test("importing a module does nothing; only a page's main.ts acts", async () => {
  const before = Object.getOwnPropertyNames(globalThis);
  const timers = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const names = (await readdir(source, { recursive: true })).filter((name) => name.endsWith(".js"));
  assert.ok(names.length > 10);
  for (const name of names.filter((name) => basename(name) !== "main.js")) {
    await import(pathToFileURL(join(source, name)).href);
  }
  assert.deepEqual(Object.getOwnPropertyNames(globalThis), before);
  assert.equal(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length, timers);
});
