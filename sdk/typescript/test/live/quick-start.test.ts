import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { serve } from "./server.js";

const root = process.env["OPENLINE_ROOT"]!;
const example = fileURLToPath(new URL("../../examples/quick-start.js", import.meta.url));

test("the example of the README is the file that is tested here", () => {
  const source = readFileSync(join(root, "sdk/typescript/examples/quick-start.ts"), "utf8");
  assert.ok(readFileSync(join(root, "sdk/typescript/README.md"), "utf8").includes(`\`\`\`ts\n${source}\`\`\``));
});

test("the quick start publishes and prints what it gets", { timeout: 60_000 }, async () => {
  const server = await serve();
  // The example is for a server at its usual address, and for programs that have WebSockets of their own.
  const there = join(example, "../quick-start-here.js");
  const text = readFileSync(example, "utf8").replace("ws://127.0.0.1:8000", server.url);
  writeFileSync(there, `import WebSocket from "ws";\nglobalThis.WebSocket = WebSocket;\n${text}`);
  const child = spawn(process.execPath, [there], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    let printed = "";
    for await (const chunk of child.stdout) {
      printed += String(chunk);
      if (printed.includes("\n")) {
        break;
      }
    }
    assert.equal(printed, "somebody { text: 'hi' }\n");
  } finally {
    child.kill();
    await server[Symbol.asyncDispose]();
  }
});
