// Runs the unit tests, or with the argument `live` those that need a server. Node 20 cannot load TypeScript, so
// src and test are first transpiled, file by file, into a folder of their own: unbundled, because one test imports
// every module by itself to prove that importing does nothing.

import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { ENTRIES } from "./entries.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = await mkdtemp(join(tmpdir(), "openline-sdk-test-"));
const [folder = ".", ...only] = process.argv.slice(2);

try {
  await build({
    absWorkingDir: root,
    entryPoints: ["src/**/*.ts", "test/**/*.ts", "src/**/*.tsx", "test/**/*.tsx", "examples/**/*.ts"],
    outbase: root,
    outdir: out,
    format: "esm",
    target: "node20",
    jsx: "automatic",
    sourcemap: "inline",
    logLevel: "error",
  });
  // With its name the package can be imported by the examples and the guides as others do.
  const exports = ENTRIES.map(({ name, source }) => [`./${name}`.replace(/\/?index$/, ""), `./${source.replace(/ts$/, "js")}`]);
  await writeFile(join(out, "package.json"), JSON.stringify({ name: "@openline/client", type: "module", exports: Object.fromEntries(exports) }));
  await symlink(join(root, "node_modules"), join(out, "node_modules"));
  const tests = (await readdir(join(out, "test", folder))).filter((name) => name.endsWith(".test.js"));
  const paths = tests.sort().filter((name) => only.length === 0 || only.some((part) => name.includes(part)));
  const { status } = spawnSync(
    process.execPath,
    ["--enable-source-maps", "--test", ...paths.map((name) => join(out, "test", folder, name))],
    { stdio: "inherit", env: { ...process.env, OPENLINE_ROOT: join(root, "..", "..") } },
  );
  process.exitCode = status ?? 1;
} finally {
  await rm(out, { recursive: true, force: true });
}
