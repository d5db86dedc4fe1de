// The example chat as people see it: three pages on three kinds of clients and one
// that reads events, in one room. What each shows when all have spoken, as JSON.
//
//   node chat_example.mjs CHROMIUM URL PROFILE_FOLDER
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, url, profile] = process.argv.slice(2);
const client = await readFile(fileURLToPath(new URL("node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url)));
const args = [
  "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--disable-default-apps", "--disable-extensions", "--disable-domain-reliability",
  "--disable-features=OptimizationHints,MediaRouter", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];
const browser = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args, timeout: 30_000 });
const seen = { errors: [] };
try {
  // The page loads the published file; here it comes from the package of the same name.
  await browser.route("https://cdn.socket.io/**", (route) => route.fulfill({ contentType: "text/javascript", body: client }));
  const pages = {};
  for (const [kind, path] of [["events", "events"], ["openline", "openline?name=Ann"], ["socketio", "socketio?name=Ben"], ["plain", "plain?name=Cid"]]) {
    const page = (pages[kind] = await browser.newPage());
    page.on("pageerror", (error) => seen.errors.push(`${kind}: ${error.message}`));
    page.on("console", (message) => message.type() === "error" && seen.errors.push(`${kind}: ${message.text()}`));
    const reads = kind === "events" ? page.waitForResponse((response) => response.url().includes("/sse")) : undefined;
    await page.goto(new URL(path, url).href, { timeout: 20_000 });
    await reads;
    const joined = { openline: "Ann", socketio: "Ben", plain: "Cid" }[kind];
    if (joined) {
      // Each is in the room before the next comes.
      await pages.events.getByText(`${joined} joined`).waitFor({ timeout: 15_000 });
    }
  }
  const speakers = { openline: "Ann", socketio: "Ben", plain: "Cid" };
  for (const kind of Object.keys(speakers)) {
    await pages[kind].getByLabel("Say").pressSequentially(`hello from ${kind}`);
    for (const [other, page] of Object.entries(pages)) {
      const sees = other === kind || other === "events" ? undefined : page.getByText(`${speakers[kind]} types`);
      await sees?.waitFor({ timeout: 10_000 });
    }
    await pages[kind].getByRole("button").click();
    for (const page of Object.values(pages)) {
      await page.getByText(`${speakers[kind]}: hello from ${kind}`).waitFor({ timeout: 10_000 });
    }
    await pages[kind].getByText("delivered").waitFor({ timeout: 10_000 });
  }
  for (const [kind, page] of Object.entries(pages)) {
    seen[kind] = await page.locator("li").allTextContents();
  }
  await pages.plain.close();
  await pages.events.getByText("Cid left").waitFor({ timeout: 10_000 });
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
