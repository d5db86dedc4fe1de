// Fails when what a page has to load is larger than its budget. The target is where it is to get.
// What is measured is what a bundler makes of dist, because that is what pages get.

import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { BUDGETS } from "./budgets.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
let isOver = false;

console.log("what a page imports                                         min B   gzip B   budget   target");
for (const { what, source, budget, target } of BUDGETS) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents: source, resolveDir: root, loader: "ts" },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    logLevel: "error",
  });
  const contents = outputFiles[0]?.contents ?? new Uint8Array();
  const size = gzipSync(contents, { level: 9 }).length;
  isOver ||= size > budget;
  const numbers = [contents.length, size, budget, target].map((number) => String(number).padStart(8));
  console.log([what.padEnd(52), ...numbers].join(" ") + (size > budget ? "  too large" : ""));
}
if (isOver) {
  console.error("Make it smaller, or say in scripts/budgets.mjs why it has to be larger.");
  process.exitCode = 1;
}
