// Runs the code of docs/clients that is marked `run`, each guide against a server of its own, and holds what it prints
// to the `text` block below it, in which `…` stands for anything on the line.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { transform } from "esbuild";
import type { Block } from "../../scripts/guides.mjs";
import { serve } from "./server.js";

const script = join(process.env["OPENLINE_ROOT"]!, "sdk/typescript/scripts/guides.mjs");
const { blocks } = (await import(pathToFileURL(script).href)) as { blocks(): Block[] };
const folder = fileURLToPath(new URL("../../guides", import.meta.url));
mkdirSync(folder, { recursive: true });

const running = blocks().filter(({ run }) => run);
const guides = new Set(running.map(({ guide }) => guide));

test("there are guides to run", () => {
  assert.ok(guides.size >= 3, `${guides.size} guides have code that runs`);
});

for (const guide of guides) {
  test(`${guide} does what it says`, { timeout: 60_000 }, async () => {
    const mine = running.filter((block) => block.guide === guide);
    const config = mine.find(({ language }) => language === "toml");
    const server = await serve(config?.text);
    try {
      for (const block of mine.filter((block) => block !== config)) {
        assert.ok(block.output !== undefined, `line ${block.line}: a text block has to say what the code prints`);
        assert.match(await printed(block, new URL(server.url).host), pattern(block.output), `line ${block.line}`);
      }
    } finally {
      await server[Symbol.asyncDispose]();
    }
  });
}

/** Runs a block, and gives what it prints. One in TSX prints the text of its page once that is as it should be. */
async function printed({ guide, line, language, text, output }: Block, host: string): Promise<string> {
  const there = text.replaceAll("127.0.0.1:8000", host);
  const { code } = await transform(there, { loader: language as "ts" | "tsx", jsx: "automatic", format: "esm", target: "node20" });
  const file = join(folder, `${guide}.${line}.js`);
  const before = language === "tsx" ? PAGE : "";
  const after = language === "tsx" ? settled(output!.trim()) : "";
  // Node 20 has no sockets of its own. What surrounds the code is imported, for imports run first.
  writeFileSync(`${file}.around.js`, `import WebSocket from "ws";\nglobalThis.WebSocket ??= WebSocket;\n${before}`);
  writeFileSync(file, `import "./${guide}.${line}.js.around.js";\n${code}${after}`);
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "pipe"] });
  const over = new Promise<number | null>((resolve) => child.once("close", resolve));
  const timer = setTimeout(() => child.kill(), 30_000);
  const read = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].on("data", (bytes) => (read[stream] += String(bytes)));
  }
  const status = await over;
  clearTimeout(timer);
  assert.equal(status, 0, `${guide}, line ${line}: it has not ended well: ${read.stdout}${read.stderr}`);
  return read.stdout;
}

function pattern(output: string): RegExp {
  const literal = output.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${literal.replaceAll("…", ".*")}$`);
}

const PAGE = `
import { Window } from "happy-dom";
const window = new Window({ url: "http://localhost/" });
Object.assign(globalThis, { window, document: window.document, navigator: window.navigator });
document.body.innerHTML = '<div id="root"></div>';
`;

function settled(text: string): string {
  return `
for (let tries = 0; ; tries++) {
  const shown = document.body.textContent;
  if (shown === ${JSON.stringify(text)} || tries === 400) {
    console.log(shown);
    process.exit();
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
}
`;
}
