// What Chromium sees of a server, as JSON: a page of the server's own opens the
// lines, for a browser refuses loopback to pages from elsewhere.
//
//   node browser.mjs CHROMIUM PAGE_URL PROFILE_FOLDER [NETLOG]
//
// PAGE_URL with https:// is visited without a look at its certificate.
import { chromium } from "playwright-core";

const [executablePath, page_url, profile, netlog] = process.argv.slice(2);
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-default-apps",
  "--disable-extensions",
  "--disable-domain-reliability",
  "--disable-features=OptimizationHints,MediaRouter",
  // Whatever it still wants to look up, it does not leave the machine.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];
if (page_url.startsWith("https:")) args.push("--ignore-certificate-errors");
if (netlog) args.push(`--log-net-log=${netlog}`, "--net-log-capture-mode=Everything");

const browser = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args, timeout: 30_000 });
let result;
try {
  const page = await browser.newPage();
  const response = await page.goto(page_url, { waitUntil: "domcontentloaded", timeout: 20_000 });
  result = await page.evaluate(inPage, { url: new URL("/echo", page_url.replace(/^http/, "ws")).href });
  result.pageStatus = response.status();
} finally {
  await browser.close();
}
console.log(JSON.stringify(result));

// Runs in the page: it can use nothing from above.
async function inPage({ url }) {
  const next = (target, type) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${type} in 10 s`)), 10_000);
      target.addEventListener(type, (event) => (clearTimeout(timer), resolve(event)), { once: true });
    });
  const open = async (protocols) => {
    const line = new WebSocket(url, protocols);
    line.binaryType = "arraybuffer";
    await next(line, "open");
    return line;
  };
  const echo = async (line, data) => {
    const reply = next(line, "message");
    line.send(data);
    return (await reply).data;
  };
  const same = (a, b) => a.byteLength === b.byteLength && new Uint8Array(a).every((byte, index) => byte === b[index]);
  const close = async (line, code, reason) => {
    const end = next(line, "close");
    line.close(code, reason);
    const event = await end;
    return { code: event.code, reason: event.reason, wasClean: event.wasClean };
  };

  const line = await open(["second", "first"]);
  const bytes = new Uint8Array(1 << 20).map((_, index) => (index * 2654435761) >>> 13);
  const seen = {
    text: await echo(line, "grüß dich, 世界 🙂"),
    empty: await echo(line, ""),
    binary: same(await echo(line, bytes), bytes),
    blob: new TextDecoder().decode(await echo(line, new Blob(["from a ", "blob"]))),
    longText: (await echo(line, "long ".repeat(200_000))) === "long ".repeat(200_000),
    protocol: line.protocol,
    extensions: line.extensions,
  };
  const order = [];
  const all = new Promise((resolve) => {
    line.addEventListener("message", ({ data }) => order.push(Number(data)) === 1000 && resolve());
  });
  for (let number = 0; number < 1000; number++) line.send(String(number));
  await all;
  seen.inOrder = order.every((value, index) => value === index);
  seen.close4999 = await close(line, 4999, "done");
  seen.close3000 = await close(await open(), 3000);
  seen.closeWithoutCode = await close(await open());
  const missing = new WebSocket(url.replace("/echo", "/nowhere"));
  const { code, wasClean } = await next(missing, "close");
  seen.missing = { code, wasClean };
  seen.pageProtocol = performance.getEntriesByType("navigation")[0].nextHopProtocol;
  return seen;
}
