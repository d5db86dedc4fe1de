// Builds the package into dist: each module by itself, and its declarations. A bundler leaves out whole modules that a
// page does not use, but not all of what is in them: bundled here, every page would carry `ReconnectingWebSocket`.

import { spawnSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

await rm(dist, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: ["src/**/*.ts"],
  outbase: "src",
  outdir: dist,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  sourcemap: true,
  legalComments: "none",
  logLevel: "warning",
});
const { status } = spawnSync("npx", ["tsc", "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
process.exitCode = status ?? 1;
