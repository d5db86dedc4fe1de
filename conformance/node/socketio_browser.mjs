// `socket.io-client` in Chromium against a server of another origin: every case by
// each way, and what a page of an origin that may not come is told.
//
//   node socketio_browser.mjs CHROMIUM URL URL_WITH_MANY_HEARTBEATS PAGE_PORT PROFILE_FOLDER
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, url, steady, pagePort, profile] = process.argv.slice(2);
const here = fileURLToPath(new URL(".", import.meta.url));
const files = new Map([
  ["/", ["text/html", "<!doctype html><title>socket.io-client</title>"]],
  ["/client.mjs", ["text/javascript", await readFile(`${here}node_modules/socket.io-client/dist/socket.io.esm.min.js`)]],
  ["/cases.mjs", ["text/javascript", await readFile(`${here}socketio_cases.mjs`)]],
]);
const serve = (port) =>
  new Promise((resolve) => {
    const server = createServer((request, response) => {
      const [type, body] = files.get(request.url) ?? [];
      response.writeHead(type ? 200 : 404, { "content-type": type ?? "text/plain" }).end(body);
    });
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
const servers = [await serve(Number(pagePort)), await serve(0)];

const args = [
  "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--disable-default-apps", "--disable-extensions", "--disable-domain-reliability",
  "--disable-features=OptimizationHints,MediaRouter", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];
const browser = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args, timeout: 30_000 });
const seen = {};
try {
  const [allowed, stranger] = await Promise.all(
    servers.map(async (server) => {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${server.address().port}/`, { timeout: 20_000 });
      return page;
    }),
  );
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    seen[transports.join(" then ")] = await allowed.evaluate(runInPage, { url, steady, transports });
  }
  seen.headers = await allowed.evaluate(connectInPage, { url, options: { transports: ["polling"], withCredentials: true, extraHeaders: { "x-own": "1" } } });
  seen.stranger = {};
  for (const name of ["polling", "websocket"]) {
    seen.stranger[name] = await stranger.evaluate(connectInPage, { url, options: { transports: [name] } });
  }
} finally {
  await browser.close();
  for (const server of servers) server.close();
}
console.log(JSON.stringify(seen));

// These two run in the page: they can use nothing from above.
async function runInPage({ url, steady, transports }) {
  const [{ io }, { runCases }] = await Promise.all([import("/client.mjs"), import("/cases.mjs")]);
  // Chromium keeps six connections to a server, and a poll that waits has one.
  return runCases(io, url, steady, transports, transports[0] === "polling" ? 1 : undefined);
}

async function connectInPage({ url, options }) {
  const { io } = await import("/client.mjs");
  const socket = io(url, { ...options, forceNew: true, reconnection: false });
  const outcome = await new Promise((resolve) => {
    socket.on("connect", () => resolve("connected"));
    socket.on("connect_error", (error) => resolve(error.message));
  });
  socket.disconnect();
  return outcome;
}
