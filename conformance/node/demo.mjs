// What two people see of the demo, as JSON: two tabs of one Chromium use every
// part of it, by keyboard and mouse, and one of them cuts its line.
//
//   node demo.mjs CHROMIUM PAGE_URL
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [executablePath, pageUrl] = process.argv.slice(2);
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"];
const browser = await chromium.launch({ executablePath, headless: true, args, timeout: 30_000 });
const complaints = [];
const seen = {};

const has = (page, selector) => page.waitForSelector(selector, { state: "attached", timeout: 30_000 });
const text = (page, id) => page.locator(`#${id}`).innerText();
const count = (page, selector) => page.locator(selector).count();
const notes = (page) => page.locator(".entry-note").allInnerTexts();
const texts = async (page) => (await said(page)).map((message) => message.text);

try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 } });
  const ann = await visit(context);
  const bob = await visit(context);
  await rename(ann, "Ann");
  await rename(bob, "Bob");
  for (const part of [people, talk, typing, away, rooms, cursors, echo, cutAndTalk, cutForTwoSeconds, prices, uploads]) {
    seen[part.name] = await part(ann, bob);
  }
  await bob.close();
  seen.someoneLeft = await settled(() => notes(ann), (list) => list.at(-1) === "Bob left", 10_000);
  seen.keyboard = await keyboard(await visit(await browser.newContext({ viewport: { width: 1440, height: 1000 } })));
  seen.narrow = await narrow(browser);
  seen.accessibility = await accessibility(browser);
  seen.complaints = complaints;
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));

async function visit(context) {
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(pageUrl, { waitUntil: "domcontentloaded", timeout: 20_000 });
  await has(page, "#state[data-state=online]");
  return page;
}

/** Reads until the value is as wanted, and gives the last one in any case: the test compares. */
async function settled(read, wanted, milliseconds = 8_000) {
  const end = Date.now() + milliseconds;
  let value = await read();
  while (!wanted(value) && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    value = await read();
  }
  return value;
}

async function rename(page, name) {
  await page.fill("#name", name);
  await page.press("#name", "Enter");
}

async function say(page, message) {
  await page.fill("#composer", message);
  await page.press("#composer", "Enter");
}

/** What was said, oldest first, with how it stands. */
function said(page) {
  return page.locator(".entry-chat").evaluateAll((entries) =>
    entries.map((entry) => ({
      text: entry.querySelector(".entry-text > :first-child").textContent,
      name: entry.querySelector(".entry-name").textContent,
      time: entry.querySelector("time").textContent,
      state: entry.dataset.state,
      recovered: entry.dataset.recovered === "true",
    })),
  );
}

async function people(ann, bob) {
  const names = (page) => page.locator(".person-name").allInnerTexts();
  const both = (list) => list.includes("Ann") && list.includes("Bob");
  return {
    ann: await settled(() => names(ann), both),
    bob: await settled(() => names(bob), both),
    count: Number(await text(ann, "people-count")),
    notes: await settled(() => notes(ann), (list) => list.length > 0),
  };
}

async function talk(ann, bob) {
  await say(ann, "hello <b>Bob</b> 🙂");
  await settled(() => texts(bob), (list) => list.length === 1);
  await say(bob, "hello Ann");
  const two = (list) => list.length === 2 && list.every(({ state }) => state === "delivered");
  return { ann: await settled(() => said(ann), two), bob: await settled(() => said(bob), two) };
}

async function typing(ann, bob) {
  await ann.locator("#composer").pressSequentially("wri");
  const during = await settled(() => text(bob, "typing"), (line) => line !== "");
  await ann.fill("#composer", "");
  const after = await settled(() => text(bob, "typing"), (line) => line === "");
  return { during, after };
}

async function away(ann, bob) {
  const hide = (page, hidden) =>
    page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { value, configurable: true });
      Object.defineProperty(document, "visibilityState", { value: value ? "hidden" : "visible", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  const annSeen = () => bob.locator(".person", { hasText: "Ann" }).getAttribute("data-status");
  await hide(ann, true);
  const hidden = await settled(annSeen, (status) => status === "away");
  await hide(ann, false);
  return { hidden, shown: await settled(annSeen, (status) => status === "online") };
}

async function rooms(ann, bob) {
  for (const page of [ann, bob]) {
    await page.fill("#new-room", "Quiet Corner");
    await page.press("#new-room", "Enter");
  }
  await settled(() => text(ann, "people-count"), (number) => number === "2");
  await ann.click("[data-channel='chat:lobby']");
  await say(bob, "psst");
  const badge = "[data-channel='chat:quiet-corner'] .count";
  await settled(() => count(ann, badge), (number) => number === 1);
  const unread = (await count(ann, badge)) === 1 ? await ann.locator(badge).innerText() : "none";
  await ann.click("[data-channel='chat:quiet-corner']");
  const there = await settled(() => texts(ann), (list) => list.length === 1);
  for (const page of [ann, bob]) {
    await page.click("#leave-room");
  }
  const back = { title: await text(ann, "room-title"), texts: await settled(() => texts(ann), (list) => list.length === 2) };
  return { unread, there, back };
}

async function cursors(ann, bob) {
  await ann.focus("#area");
  for (let press = 0; press < 5; press += 1) await ann.keyboard.press("ArrowRight");
  const place = () =>
    bob.locator("#area .cursor").evaluateAll((all) =>
      // One may be taken away between being found and being looked at.
      all.filter((one) => one.isConnected).map((one) => ({ name: one.textContent, x: new DOMMatrix(getComputedStyle(one).transform).e / one.closest("#area").clientWidth })),
    );
  const byKey = await settled(place, ([one]) => one?.x > 0.62);
  const area = await ann.locator("#area").boundingBox();
  await ann.mouse.move(area.x + area.width * 0.2, area.y + 40, { steps: 5 });
  const byMouse = await settled(place, ([one]) => one?.x < 0.22);
  await ann.mouse.move(5, 5);
  const left = await settled(place, (list) => list.length === 0);
  return { byKey, byMouse, left };
}

async function echo(ann) {
  await ann.fill("#echo-text", "grüß dich");
  await ann.press("#echo-text", "Enter");
  await settled(() => count(ann, ".echo-row[data-direction=in]"), (number) => number === 1);
  return { rows: await ann.locator(".echo-row").allInnerTexts(), median: await text(ann, "echo-median") };
}

async function verdict(page) {
  await settled(() => page.getAttribute("#verdict", "data-phase"), (phase) => phase === "done", 20_000);
  return {
    ...(await page.locator("#verdict").evaluate(({ dataset }) => ({ ...dataset }))),
    title: await text(page, "verdict-title"),
    rows: await page.locator("#verdict-list li").allInnerTexts(),
  };
}

/** Ann is cut and writes; Bob writes meanwhile. Afterwards both have the same conversation. */
async function cutAndTalk(ann, bob) {
  await ann.check("#line input[value='0']", { force: true });
  await ann.click("#cut");
  await settled(() => ann.getAttribute("#state", "data-state"), (state) => state === "waiting");
  await say(ann, "cut 1");
  await say(ann, "cut 2");
  await ann.fill("#echo-text", "into the cut");
  await ann.press("#echo-text", "Enter");
  for (const number of [1, 2, 3]) await say(bob, `meanwhile ${number}`);
  await settled(() => texts(bob), (list) => list.length === 5);
  const during = {
    texts: (await said(ann)).map(({ text: one, state }) => `${state} ${one}`),
    queue: await text(ann, "queue"),
    close: await text(ann, "last-close"),
    button: await text(ann, "cut-text"),
    phase: await ann.getAttribute("#verdict", "data-phase"),
  };
  await ann.click("#cut");
  const result = await verdict(ann);
  const all = (list) => list.length === 7 && list.every(({ state }) => state === "delivered");
  return {
    during,
    verdict: result,
    ann: await settled(() => said(ann), all),
    bob: await settled(() => said(bob), all),
    echoes: await settled(() => count(ann, ".echo-row[data-direction=in]"), (number) => number === 2),
    attempt: await text(ann, "attempt"),
  };
}

async function cutForTwoSeconds(ann) {
  await ann.check("#line input[value='2000']", { force: true });
  await ann.focus("#cut");
  await ann.keyboard.press("Space");
  const cut = await ann.getAttribute("#line", "data-cut");
  await settled(() => ann.getAttribute("#line", "data-cut"), (is) => is === "false");
  return { cut, verdict: await verdict(ann) };
}

async function prices(ann) {
  const first = await settled(() => text(ann, "price"), (price) => price !== "–", 5_000);
  const second = await settled(() => text(ann, "price"), (price) => price !== first, 8_000);
  return { first, second, lines: await count(ann, ".chart-line"), spans: await count(ann, ".chart-span") };
}

/** 20 MB with a pause and a cut on the way; then another that is cancelled. */
async function uploads(ann) {
  const bytes = Buffer.alloc(20_000_000);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE((at * 2654435761) >>> 0, at);
  const share = () => ann.locator("#upload-progress").evaluate(({ value }) => value);
  const state = () => ann.getAttribute("#upload", "data-state");
  await ann.setInputFiles("#file", { name: "twenty.bin", mimeType: "application/octet-stream", buffer: bytes });
  await settled(share, (value) => value > 0.02);
  await ann.click("#upload-pause");
  const paused = { state: await state(), button: await text(ann, "upload-pause") };
  await ann.click("#upload-pause");
  await settled(share, (value) => value > 0.05);
  await ann.check("#line input[value='2000']", { force: true });
  await ann.click("#cut");
  const atCut = await share();
  const during = await settled(state, (now) => now === "waiting");
  const after = await settled(state, (now) => now === "done" || now === "failed", 60_000);
  const hash = after === "done" ? await settled(() => text(ann, "upload-hash"), (line) => line.includes(",")) : await text(ann, "upload-error");
  const got = after === "done" ? await ann.request.get(await ann.getAttribute("#upload-link", "href")) : undefined;
  const sum = (data) => createHash("sha256").update(data).digest("hex");
  const fetched = got === undefined ? "" : sum(await got.body());
  await ann.click("#upload-again");
  await ann.setInputFiles("#file", { name: "twenty.bin", mimeType: "application/octet-stream", buffer: bytes });
  await ann.click("#upload-cancel");
  const cancelled = await settled(state, (now) => now === "cancelled");
  return { paused, atCut, during, after, hash, fetched, sum: sum(bytes), cancelled };
}

/** From the top with Tab alone: what is reached, in order, and whether it shows that it is. */
async function keyboard(page) {
  const reached = [];
  for (let press = 0; press < 60; press += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const { activeElement: at } = document;
      if (at === null || at === document.body) return null;
      const marked = at.matches("input[type=radio], input[type=file]") ? at.closest("label") : at;
      return { id: at.id || at.getAttribute("data-testid") || at.textContent.trim(), outline: getComputedStyle(marked).outlineStyle };
    });
    if (stop === null) break;
    reached.push(stop);
  }
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  const skipped = await page.evaluate(() => document.activeElement?.id || location.hash);
  await page.focus("#composer");
  await page.keyboard.type("by keyboard");
  await page.keyboard.press("Enter");
  await settled(() => texts(page), (list) => list.at(-1) === "by keyboard");
  return { ids: reached.map(({ id }) => id), unmarked: reached.filter(({ outline }) => outline === "none"), skipped, last: (await texts(page)).at(-1) };
}

async function narrow(from) {
  const context = await from.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  const page = await visit(context);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  const atTop = await page.locator("#dock").isVisible();
  await page.locator("#echo-form").scrollIntoViewIfNeeded();
  await page.locator("#dock").waitFor({ state: "visible", timeout: 20_000 });
  await page.tap("#dock-cut");
  const cut = await page.getAttribute("#line", "data-cut");
  const result = await verdict(page);
  await context.close();
  return { wide, atTop, cut, lost: result.lost };
}

/** What axe finds, serious or worse, in both themes, while online and while cut. */
async function accessibility(from) {
  const found = {};
  for (const colorScheme of ["light", "dark"]) {
    const context = await from.newContext({ viewport: { width: 1440, height: 1000 }, colorScheme, reducedMotion: "reduce" });
    const page = await visit(context);
    await say(page, `in the ${colorScheme}`);
    await page.evaluate(axe);
    found[colorScheme] = await violations(page);
    await page.check("#line input[value='0']", { force: true });
    await page.click("#cut");
    await say(page, "pending");
    await settled(() => page.getAttribute("#state", "data-state"), (state) => state === "waiting");
    found[`${colorScheme}, cut`] = await violations(page);
    await page.click("#cut");
    await verdict(page);
    found[`${colorScheme}, back`] = await violations(page);
    await context.close();
  }
  return found;
}

async function violations(page) {
  const all = await page.evaluate(async () => (await globalThis.axe.run()).violations);
  return all
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}
