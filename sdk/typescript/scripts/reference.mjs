// Writes docs/clients/reference.md: what each entry of the package exports, with signatures and comments, from the
// declarations that the compiler makes of src. With --check it fails if the file says something else.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { ENTRIES } from "./entries.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const target = join(root, "../../docs/clients/reference.md");

/**
 * What is declared under a name: its comment, as text, and its code. One name may be a value and a type.
 * @typedef {{ comment: string, code: string, isType: boolean }} Declaration
 * @typedef {Map<string, Declaration[]>} Exports
 */

/**
 * The statements of a file of declarations, each with the comment in front of it.
 * @param {string} source
 * @returns {{ comment: string, code: string }[]}
 */
function statements(source) {
  const found = [];
  const lines = source.split("\n");
  let comment = "";
  for (let at = 0; at < lines.length; at++) {
    const from = at;
    const line = lines[at] ?? "";
    if (line.startsWith("/**")) {
      while (!lines[at]?.includes("*/")) {
        at++;
      }
      comment = lines.slice(from, at + 1).join("\n");
    } else if (line.trim() !== "") {
      // A statement goes on until a line that is neither indented nor opens a block.
      while (!/^\S.*;$|^\}$|^\S.*\{\s*\}$/.test(lines[at] ?? "") && at < lines.length - 1) {
        at++;
      }
      found.push({ comment, code: lines.slice(from, at + 1).join("\n") });
      comment = "";
    }
  }
  return found;
}

/**
 * What a module exports.
 * @param {string} file
 * @returns {Exports}
 */
function exportsOf(file) {
  /** @type {Exports} */
  const all = new Map();
  const put = (/** @type {string} */ name, /** @type {Declaration[]} */ declared) => all.set(name, [...(all.get(name) ?? []), ...declared]);
  for (const { comment, code } of statements(readFileSync(file, "utf8"))) {
    const from = /from "(.*)\.js";$/.exec(code)?.[1];
    const declared = /^export (?:declare )?(?:abstract )?(interface|type|class|function|const) (\w+)/.exec(code);
    if (from !== undefined && code.startsWith("export ")) {
      const there = exportsOf(join(dirname(file), `${from}.d.ts`));
      const isTypes = code.startsWith("export type ");
      const names = /\{(.*)\}/s.exec(code)?.[1];
      const wanted = names?.split(",").map((name) => name.trim().replace(/^type /, "")) ?? [...there.keys()];
      for (const name of wanted.filter((name) => name !== "")) {
        const declarations = (there.get(name) ?? []).filter(({ isType }) => isType || !isTypes);
        if (names !== undefined && declarations.length === 0) {
          throw new Error(`${relative(root, file)} exports ${name}, which ${from} does not declare in a way that is known here`);
        }
        if (declarations.length > 0) {
          put(name, declarations);
        }
      }
    } else if (declared) {
      const [, kind = "", name = ""] = declared;
      put(name, [{ comment: prose(comment), code: code.replace(/^export (declare )?/, "").replace(/^ *#private;\n/m, ""), isType: kind !== "function" && kind !== "const" }]);
    }
  }
  return all;
}

/**
 * The text of a comment.
 * @param {string} comment
 */
function prose(comment) {
  const lines = comment.replace(/^\/\*\*|\*\/$/g, "").split("\n");
  const text = lines.map((line) => line.trim().replace(/^\* ?/, "").trim()).join("\n").trim();
  return text.replace(/@default\s+/g, "Default: ").replace(/@example\s+(.*)/g, "Example: `$1`").replace(/^@module$/gm, "").trim();
}

/**
 * The page.
 * @param {string} declarations the folder of the declarations
 */
function page(declarations) {
  const parts = [
    "# Reference",
    "What each entry of the TypeScript package exports. Written by `npm run reference` from the comments in " +
      "`sdk/typescript/src`: change it there. The Rust client's is what `make doc` builds.",
  ];
  /** Where a declaration was shown first. @type {Map<string, string>} */
  const shown = new Map();
  for (const { name } of ENTRIES) {
    const all = exportsOf(join(declarations, `${name}.d.ts`));
    const title = `@openline/client/${name}`.replace(/\/index$/, "");
    parts.push(`## ${title}`);
    /** @type {Map<string, string[]>} */
    const known = new Map();
    for (const [name, declared] of [...all].sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))) {
      const key = JSON.stringify([name, declared]);
      const before = shown.get(key);
      if (before !== undefined) {
        known.set(before, [...(known.get(before) ?? []), `\`${name}\``]);
        continue;
      }
      shown.set(key, title);
      parts.push(`### \`${name}\``);
      for (const { comment, code } of declared) {
        parts.push(...(comment ? [comment] : []), `\`\`\`typescript\n${code}\n\`\`\``);
      }
    }
    for (const [before, names] of known) {
      parts.push(`As in \`${before}\`: ${names.join(", ")}.`);
    }
  }
  return `${parts.join("\n\n")}\n`;
}

const folder = mkdtempSync(join(tmpdir(), "openline-reference-"));
try {
  const { status } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json", "--outDir", folder], { cwd: root, stdio: "inherit" });
  if (status !== 0) {
    throw new Error("the declarations could not be made; see above");
  }
  const text = page(folder);
  if (!process.argv.includes("--check")) {
    writeFileSync(target, text);
  } else if (readFileSync(target, "utf8") !== text) {
    console.error("docs/clients/reference.md is not what src says: run `npm run reference` and commit it");
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
