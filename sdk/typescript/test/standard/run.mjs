// Runs the assertions of the standard, on Chromium's own WebSocket, on undici's, and on the drop-in over both.
//
//   node test/standard/run.mjs [CHROMIUM]
//
// Also looks what timers in a worker come to under three policies of the page, in Chromium.
// Prints what differs and the counts; exits with 1 if anything fails that is not listed.
// playwright-core comes from conformance/node. A browser that is not there is a failure, not a pass.

import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { startServer } from "./server.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const peers = createRequire(new URL("../../../../conformance/node/package.json", import.meta.url));
const executablePath = process.argv[2] ?? "/usr/bin/chromium";
const folder = await mkdtemp(join(tmpdir(), "openline-standard-"));

/** @type {(entry: string, options: object) => Promise<string>} */
const bundle = async (entry, options) => {
  const { outputFiles } = await build({ absWorkingDir: here, entryPoints: [entry], bundle: true, write: false, logLevel: "warning", ...options });
  return outputFiles?.[0]?.text ?? "";
};

try {
  const script = await bundle("columns.ts", { format: "iife", globalName: "standard", target: "es2022" });
  const server = await startServer('<!doctype html><title>standard</title><script src="/script.js"></script>', script);
  try {
    const { results, timers } = await inChromium(server.http);
    const failures = (await report([...(await inNode(server.http)), ...results])) + reportTimers(timers);
    process.exitCode = failures === 0 ? 0 : 1;
  } finally {
    server.close();
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** @param {string} http */
async function inNode(http) {
  await build({ absWorkingDir: here, entryPoints: ["columns.ts"], bundle: true, format: "esm", platform: "node", outfile: join(folder, "columns.mjs"), logLevel: "warning" });
  const { runColumns } = await import(pathToFileURL(join(folder, "columns.mjs")).href);
  const { WebSocket } = peers("undici");
  return runColumns("undici", WebSocket, http);
}

/** @param {string} http */
async function inChromium(http) {
  const { chromium } = peers("playwright-core");
  const browser = await chromium.launchPersistentContext(join(folder, "profile"), {
    executablePath,
    headless: true,
    timeout: 30_000,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
  });
  try {
    const page = await browser.newPage();
    await page.goto(`${http}/`, { timeout: 20_000 });
    const results = await page.evaluate("standard.runColumns('chromium', WebSocket, location.origin)");
    const timers = [];
    for (const policy of ["worker-src blob:", "worker-src 'none'", "script-src 'self'"]) {
      await page.goto(`${http}/?policy=${encodeURIComponent(policy)}`);
      timers.push({ policy, ...(await page.evaluate("standard.tryTimers()")) });
    }
    return { results, timers };
  } finally {
    await browser.close();
  }
}

/** @param {import("./harness.js").Result[]} results */
async function report(results) {
  const { NOT_RUN } = await import(pathToFileURL(join(folder, "columns.mjs")).href);
  const told = new Set();
  for (const { number, name, column, outcome, text } of results) {
    if (outcome === "holds") continue;
    const line = `${outcome.padEnd(8)} ${String(number).padStart(2)} ${column.padEnd(21)} ${name}: ${text}`;
    if (outcome !== "differs" || !told.has(number)) console.log(line);
    if (outcome === "differs") told.add(number);
  }
  for (const { number, name, why } of NOT_RUN) console.log(`not run  ${number} ${"".padEnd(21)} ${name}: ${why}`);
  console.log(`\n${"".padEnd(22)} holds  differs  deviates  fails  not run`);
  for (const column of new Set(results.map((result) => result.column))) {
    const count = (/** @type {string} */ outcome) => results.filter((result) => result.column === column && result.outcome === outcome).length;
    const numbers = [count("holds"), count("differs"), count("deviates"), count("fails"), NOT_RUN.length].map(String);
    console.log(`${column.padEnd(22)} ${numbers.map((number, index) => number.padStart([5, 8, 9, 6, 8][index] ?? 0)).join(" ")}`);
  }
  return results.filter((result) => result.outcome === "fails").length;
}

/** @param {{ policy: string, kind: string, reason?: string }[]} timers */
function reportTimers(timers) {
  console.log("");
  let failures = 0;
  for (const { policy, kind, reason = "" } of timers) {
    const fails = kind !== (policy.includes("blob:") ? "worker" : "page") || (kind === "page") !== reason.includes("worker-src blob:");
    if (fails) failures += 1;
    console.log(`${fails ? "fails" : "holds"}    timers with "${policy}": ${kind}. ${reason}`);
  }
  return failures;
}
