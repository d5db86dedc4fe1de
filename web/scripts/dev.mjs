// Serves the pages as they are in web/src, and passes everything else on to a
// running server: `npm run dev`, with the server's address as the argument if it
// is not http://127.0.0.1:8000. Reload the page to see a change.

import { createServer, request } from "node:http";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { build } from "./build.mjs";

const server = new URL(process.argv[2] ?? "http://127.0.0.1:8000");
const port = Number(process.argv[3] ?? 5173);
const KINDS = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml" };
/** Pages at a name without an ending, as the server has them. */
const PAGES = /** @type {Readonly<Record<string, string>>} */ ({ "/": "index.html", "/bench": "bench.html", "/dashboard": "dashboard.html" });
/** The policies that the server sends with its pages, so that what they forbid fails here too. */
const POLICY = "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'";
const STRICT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const folder = await mkdtemp(join(tmpdir(), "openline-dev-"));
/** One build at a time; pages that come meanwhile wait for it. */
let building = Promise.resolve();

const pages = createServer(async (incoming, response) => {
  const path = new URL(incoming.url ?? "/", "http://localhost").pathname;
  const name = PAGES[path] ?? path.slice(1);
  const kind = KINDS[/** @type {keyof typeof KINDS} */ (extname(name))];
  if (kind === undefined || name.includes("/")) {
    return passOn(incoming, response);
  }
  try {
    if (kind === "text/html") {
      building = building.catch(() => undefined).then(() => build(folder));
    }
    await building;
    const content = await readFile(join(folder, name));
    response.writeHead(200, { "content-type": `${kind}; charset=utf-8`, "content-security-policy": name === "dashboard.html" ? STRICT_POLICY : POLICY });
    response.end(content);
  } catch (error) {
    response.writeHead(500, { "content-type": "text/plain; charset=utf-8" });
    response.end(String(error));
  }
});

pages.on("upgrade", (incoming, socket, head) => {
  const upstream = connect(Number(server.port || 80), server.hostname, () => {
    upstream.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${headerLines(incoming)}\r\n`);
    upstream.write(head);
    socket.pipe(upstream).pipe(socket);
  });
  upstream.on("error", () => socket.destroy());
  socket.on("error", () => upstream.destroy());
});

pages.listen(port, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${port}/ with ${server.href} behind it`);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => void rm(folder, { recursive: true, force: true }).then(() => process.exit(0)));
}

/**
 * @param {import("node:http").IncomingMessage} incoming
 * @param {import("node:http").ServerResponse} response
 */
function passOn(incoming, response) {
  const outgoing = request(
    { hostname: server.hostname, port: server.port, method: incoming.method, path: incoming.url, headers: incoming.headers },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    },
  );
  outgoing.on("error", (error) => {
    response.writeHead(502, { "content-type": "text/plain; charset=utf-8" });
    response.end(`no answer from ${server.href}: ${error.message}`);
  });
  incoming.pipe(outgoing);
}

/** @param {import("node:http").IncomingMessage} incoming */
function headerLines({ rawHeaders }) {
  let lines = "";
  for (let at = 0; at < rawHeaders.length; at += 2) {
    lines += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`;
  }
  return lines;
}
