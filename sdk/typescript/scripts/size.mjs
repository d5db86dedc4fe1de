// Fails when what a page has to load is larger than its budget.

import { gzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { BUDGETS } from "./budgets.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
let isOver = false;

console.log("what a page imports                                         min B   gzip B   budget");
for (const { what, source, budget } of BUDGETS) {
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
  const row = [what.padEnd(56), String(contents.length).padStart(8), String(size).padStart(8), String(budget).padStart(8)];
  console.log(row.join(" ") + (size > budget ? "  too large" : ""));
}
if (isOver) {
  console.error("Make it smaller, or say in scripts/budgets.mjs why it has to be larger.");
  process.exitCode = 1;
}
