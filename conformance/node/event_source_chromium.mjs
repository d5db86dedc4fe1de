// What Chromium's EventSource gets of a channel until it has so many publications. The page is the
// server's own, because a browser refuses loopback to pages from elsewhere.
//
//   node event_source_chromium.mjs SERVER_URL COUNT CHROMIUM PROFILE_FOLDER
import { chromium } from "playwright-core";

const [server, count, executablePath, profile] = process.argv.slice(2);
const args = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
// Whatever it wants to look up, it does not leave the machine.
args.push("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1");

const browser = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args, timeout: 30_000 });
try {
  const page = await browser.newPage();
  page.on("console", (message) => console.log(message.text()));
  await page.goto(`${server}/`, { waitUntil: "domcontentloaded", timeout: 20_000 });
  const seen = await page.evaluate(inPage, Number(count));
  console.log(`result ${JSON.stringify(seen)}`);
} finally {
  await browser.close();
}

// Runs in the page: it can use nothing from above.
function inPage(count) {
  const seen = { types: [], numbers: [], opened: 0 };
  const source = new EventSource("/sse?channels=es");
  source.onopen = () => ++seen.opened;
  return new Promise((resolve) => {
    source.onmessage = (event) => {
      const message = JSON.parse(event.data);
      seen.types.push(message.type);
      if (message.type === "subscribed") console.log("open");
      if (message.type === "message") console.log(`seen ${seen.numbers.push(message.data)}`);
      if (seen.numbers.length < count) return;
      source.close();
      resolve(seen);
    };
  });
}
