// Where pages are watched: Chromium with a window, as people use it, and a small
// server that gives it the SDK's pages and carries its lines to the real server.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import WebSocket from "ws";

const sdk = fileURLToPath(new URL("../../sdk/typescript/", import.meta.url));
const { build } = createRequire(join(sdk, "package.json"))("esbuild");

/** Starts all of it. What it returns has to be closed. */
export async function openStage(executablePath, xvfb, serverUrl, features = "") {
  const folder = await mkdtemp(join(tmpdir(), "openline-page-"));
  const ends = [() => rm(folder, { recursive: true, force: true, maxRetries: 5 })];
  const close = async () => {
    for (const end of ends.reverse()) await end();
  };
  try {
    await bundle(folder);
    const front = await openFront(folder, new URL(serverUrl));
    ends.push(front.close);
    const display = await start(xvfb, ["-displayfd", "3", "-screen", "0", "1280x1000x24", "-nolisten", "tcp"], { stdio: ["ignore", "ignore", "ignore", "pipe"] }, 3, /^(\d+)\n/);
    ends.push(display.end);
    // Playwright's own start turns off what is looked at here: timers that are held back, and pages that are put away.
    const program = await start(
      executablePath,
      [
        "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--disable-default-apps", "--disable-extensions", "--password-store=basic", "--use-mock-keychain",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", `--user-data-dir=${join(folder, "profile")}`,
        "--remote-debugging-port=0", ...(features ? [`--enable-features=${features}`] : []), "about:blank",
      ],
      { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, DISPLAY: `:${display.found}` } },
      2,
      /DevTools listening on (\S+)/,
    );
    ends.push(program.end);
    // With its defaults Playwright has every page believe that it is shown.
    const browser = await chromium.connectOverCDP(program.found, { noDefaults: true, timeout: 60_000 });
    ends.push(() => browser.close());
    const talker = await openTalker(folder, serverUrl);
    ends.push(() => talker.close());
    return { context: browser.contexts()[0], front, talker, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Evaluates in the page as it is now, which need not be the one that Playwright knows of: it may have come back. */
export async function evaluator(context, page) {
  const session = await context.newCDPSession(page);
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await session.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  return { session, evaluate };
}

/** Reads until the value is as wanted. */
export async function until(read, wanted, what, milliseconds = 30_000) {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await read();
    if (wanted(value)) return value;
    if (Date.now() > end) throw new Error(`not in ${milliseconds} ms: ${what}; it is ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A program that says on `stream`, a file number, what it was started for. */
async function start(path, args, options, stream, pattern) {
  const child = spawn(path, args, { ...options, detached: true });
  const ended = new Promise((resolve) => child.once("close", resolve).once("error", resolve));
  const end = async () => {
    // The whole group: Chromium is many programs.
    for (const signal of ["SIGTERM", "SIGKILL"]) {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // It is gone.
      }
      if (await Promise.race([ended.then(() => true), new Promise((resolve) => setTimeout(resolve, 5_000, false))])) return;
    }
  };
  let said = "";
  const found = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${path} did not say in 60 s that it runs; it said: ${said}`)), 60_000);
    child.stdio[stream].on("data", (data) => {
      said += data;
      const [, match] = said.match(pattern) ?? [];
      if (match !== undefined) resolve(match), clearTimeout(timer);
    });
    child.once("error", reject);
  }).catch(async (error) => {
    await end();
    throw error;
  });
  return { found, end };
}

/** The SDK for pages, for a worker, for React on both sides, and for the talker. */
async function bundle(folder) {
  const here = fileURLToPath(new URL(".", import.meta.url));
  const common = {
    absWorkingDir: here,
    bundle: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    logLevel: "warning",
    nodePaths: [join(sdk, "node_modules")],
    define: { "process.env.NODE_ENV": '"development"' },
    alias: { "@openline/client": join(sdk, "src/index.ts"), "@openline/client/react": join(sdk, "src/react/index.ts") },
  };
  await build({ ...common, entryPoints: ["page_life_tab.mjs", "page_life_worker.mjs", "page_react_tab.jsx"], outdir: folder, outExtension: { ".js": ".mjs" } });
  // React's server part is CommonJS, and asks for Node's modules with `require`.
  await build({ ...common, entryPoints: ["page_react_server.jsx"], outdir: folder, platform: "node", format: "cjs", outExtension: { ".js": ".cjs" } });
  await build({ ...common, entryPoints: [join(sdk, "src/index.ts")], outfile: join(folder, "talker.mjs"), platform: "node" });
}

/** Somebody else, who has no page. */
async function openTalker(folder, serverUrl) {
  const { createClient } = await import(pathToFileURL(join(folder, "talker.mjs")).href);
  const talker = createClient({ url: serverUrl, environment: { WebSocket } });
  await talker.connect();
  return talker;
}

/** Pages, and lines that can be made to die without a word. */
async function openFront(folder, { hostname, port }) {
  const { readFile } = await import("node:fs/promises");
  const { html } = createRequire(import.meta.url)(join(folder, "page_react_server.cjs"));
  const tunnels = new Set();
  let opened = 0;
  let isShut = false;
  const page = (script, body = "") => `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>${script}</title><body>${body}<script type="module" src="/${script}"></script>`;
  const pages = new Map([
    ["/tab", page("page_life_tab.mjs")],
    ["/react", page("page_react_tab.mjs", `<div id="root">${html()}</div>`)],
    ["/other", "<!doctype html><title>elsewhere</title>"],
  ]);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://front");
    if (pages.has(pathname)) {
      response.setHeader("content-type", "text/html; charset=utf-8").end(pages.get(pathname));
    } else {
      response.setHeader("content-type", "text/javascript");
      readFile(join(folder, pathname.slice(1).replaceAll("/", ""))).then((data) => response.end(data), () => response.writeHead(404).end());
    }
  });
  server.on("upgrade", (request, socket, head) => {
    if (isShut) {
      socket.destroy();
      return;
    }
    opened += 1;
    const onward = connect(Number(port), hostname);
    const tunnel = { socket, onward, isDead: false };
    tunnels.add(tunnel);
    const headers = request.rawHeaders.map((part, at) => (at % 2 === 0 ? `${part}: ` : `${part}\r\n`)).join("");
    onward.write(`${request.method} ${request.url} HTTP/1.1\r\n${headers}\r\n`);
    onward.write(head);
    for (const [from, to] of [[socket, onward], [onward, socket]]) {
      from.on("data", (data) => tunnel.isDead || to.write(data));
      from.on("error", () => {});
      from.on("close", () => {
        tunnels.delete(tunnel);
        if (!tunnel.isDead) to.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** How many lines were ever opened, and how many are. */
    lines: () => ({ opened, open: tunnels.size }),
    /** The lines that there are stay open, and nothing comes through any more. */
    silence() {
      for (const tunnel of tunnels) tunnel.isDead = true;
    },
    /** Ends the lines, and whether new ones are refused. */
    shut(shut) {
      isShut = shut;
      if (shut) for (const { socket, onward } of tunnels) socket.destroy(), onward.destroy();
    },
    async close() {
      for (const { socket, onward } of tunnels) socket.destroy(), onward.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
