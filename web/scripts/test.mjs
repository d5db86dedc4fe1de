// Runs the unit tests. Node 20 cannot load TypeScript, so src and test are
// first transpiled, file by file, into a temporary folder: unbundled, because
// one test imports every module by itself to prove that importing does nothing.

import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { client } from "./build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = await mkdtemp(join(tmpdir(), "openline-web-test-"));

try {
  await build({
    absWorkingDir: root,
    entryPoints: ["src/**/*.ts", "test/**/*.ts"],
    outbase: root,
    outdir: out,
    format: "esm",
    target: "node20",
    sourcemap: "inline",
    logLevel: "warning",
  });
  await writeFile(join(out, "package.json"), '{"type":"module"}');
  // Here the SDK is a package as it is to its users.
  const sdk = join(out, "node_modules/@openline/client");
  await build({
    entryPoints: { index: client["@openline/client"], websocket: client["@openline/client/websocket"] },
    outdir: sdk,
    bundle: true,
    splitting: true,
    format: "esm",
    logLevel: "warning",
  });
  const entries = { ".": "./index.js", "./websocket": "./websocket.js" };
  await writeFile(join(sdk, "package.json"), JSON.stringify({ type: "module", exports: entries }));
  const tests = (await readdir(join(out, "test"))).filter((name) => name.endsWith(".test.js"));
  const paths = tests.sort().map((name) => join(out, "test", name));
  const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...paths], { stdio: "inherit" });
  process.exitCode = status ?? 1;
} finally {
  await rm(out, { recursive: true, force: true });
}
