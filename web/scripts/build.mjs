// Builds the pages into web/dist, or into the folder given as the argument.
//
// The output is committed and embedded into the server, so it has to come out
// the same on every machine: pinned esbuild, no hashes in names, no source
// maps, and paths in esbuild's comments relative to this package.

import { cp, mkdir, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build as bundle } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "src");

/** @param {string} target folder that is emptied and then filled */
export async function build(target) {
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  await bundle({
    absWorkingDir: root,
    entryPoints: { bench: "src/bench/main.ts", chat: "src/chat/main.ts" },
    outdir: target,
    bundle: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
  });
  const assets = (await readdir(source)).filter((name) => /\.(html|css|svg)$/.test(name));
  await Promise.all(assets.map((name) => cp(join(source, name), join(target, name))));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await build(resolve(process.argv[2] ?? join(root, "dist")));
}
