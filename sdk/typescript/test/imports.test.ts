import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const source = fileURLToPath(new URL("../src", import.meta.url));

test("importing a module does nothing", async () => {
  const before = Object.getOwnPropertyNames(globalThis);
  const timers = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const names = (await readdir(source, { recursive: true })).filter((name) => name.endsWith(".js"));
  assert.ok(names.length > 25);
  for (const name of names) {
    await import(pathToFileURL(join(source, name)).href);
  }
  assert.deepEqual(Object.getOwnPropertyNames(globalThis), before);
  assert.equal(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length, timers);
});
