// The code of the guides in docs/clients: gives the blocks to the live tests, which run those that are marked `run`,
// and called as a program checks the types of all that are TypeScript against src.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ENTRIES } from "./entries.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
export const FOLDER = join(root, "../../docs/clients");

/**
 * A block of code. `output` is the `text` block that follows it, where nothing but blank lines stands between.
 * @typedef {{ guide: string, line: number, language: string, run: boolean, text: string, output: string | undefined }} Block
 */

/**
 * The blocks of all guides, in order. The reference is no guide: its code is the compiler's.
 * @returns {Block[]}
 */
export function blocks() {
  const guides = readdirSync(FOLDER).filter((name) => name.endsWith(".md") && name !== "reference.md");
  return guides.sort().flatMap((guide) => blocksOf(guide, readFileSync(join(FOLDER, guide), "utf8")));
}

/**
 * @param {string} guide
 * @param {string} source
 * @returns {Block[]}
 */
export function blocksOf(guide, source) {
  /** @type {Block[]} */
  const found = [];
  let end = 0;
  for (const match of source.matchAll(/^```(\w+)([^\n]*)\n(.*?)^```$/gms)) {
    const [whole, language = "", marks = "", text = ""] = match;
    const last = found.at(-1);
    if (language === "text" && last && source.slice(end, match.index).trim() === "") {
      last.output = text;
    }
    end = match.index + whole.length;
    const line = source.slice(0, match.index).split("\n").length;
    found.push({ guide, line, language, run: marks.trim() === "run", text, output: undefined });
  }
  return found;
}

/** Checks types; gives the exit code of tsc. */
function check() {
  const folder = mkdtempSync(join(tmpdir(), "openline-guides-"));
  try {
    const code = blocks().filter(({ language }) => language === "ts" || language === "tsx");
    for (const { guide, line, language, text } of code) {
      // Blank lines in front, so that what tsc says names the line of the guide.
      writeFileSync(join(folder, `${guide}.${line}.${language}`), "\n".repeat(line) + text);
    }
    const paths = ENTRIES.map(({ name, source }) => [`@openline/client/${name}`.replace(/\/index$/, ""), [join(root, source)]]);
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: join(root, "test/tsconfig.json"),
        compilerOptions: { jsx: "react-jsx", noUnusedLocals: false, noUnusedParameters: false, paths: Object.fromEntries(paths) },
        include: ["*.ts", "*.tsx"],
      }),
    );
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    const { status } = spawnSync(join(root, "node_modules/.bin/tsc"), ["--noEmit", "-p", folder], { cwd: folder, stdio: "inherit" });
    console.log(`${code.length} blocks of ${new Set(code.map(({ guide }) => guide)).size} guides checked`);
    return code.length > 0 ? (status ?? 1) : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  process.exitCode = check();
}
