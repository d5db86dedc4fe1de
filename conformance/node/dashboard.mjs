// What an operator sees of the dashboard, as JSON. Clients of ours make the traffic; the server is started here,
// because it is ended and started again while the page looks on.
//
//   node dashboard.mjs CHROMIUM OPENLINE FOLDER
import { spawn } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { WebSocket } from "ws";

const [executablePath, openline, folder] = process.argv.slice(2);
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"];
const HOSTILE = "room:<img/src=x/onerror=globalThis.hacked=1>";
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const state = (page, wanted) => settled(() => page.getAttribute("#board", "data-state"), (now) => now === wanted, 20_000);
const text = (page, id) => page.locator(`#${id}`).innerText();
/** The messages that are listed, newest first. */
const history = (page) => page.locator("#history pre").allInnerTexts();
const look = (page, list, name) => page.locator(`#${list} .row-button`).filter({ hasText: name }).first().click();

await mkdir(folder, { recursive: true });
const port = await freePort();
const site = `http://127.0.0.1:${port}`;
let server = await startServer();
const key = (await readFile(join(folder, "data/api-key"), "utf8")).trim();
const complaints = [];
/** What the browser itself writes to the console because of what is being tried. */
let expected;
const seen = {};
const browser = await chromium.launch({ executablePath, headless: true, args, timeout: 30_000 });
try {
  seen.wrongKey = await wrongKey();
  const lines = await connectClients();
  const page = await visit({ viewport: { width: 1440, height: 1000 } });
  seen.address = await page.evaluate(() => ({ hash: location.hash, href: location.href, stored: Object.keys(sessionStorage).length }));
  for (const part of [rounds, crosshair, raw, channel, clear, lists, disconnect, pause]) {
    seen[part.name] = await part(page, lines);
  }
  seen.reload = await reload(page);
  seen.keyboard = await keyboard();
  seen.narrow = await narrow();
  seen.accessibility = await accessibility(lines);
  seen.restart = await restart(page);
  seen.hostile = await page.evaluate(() => ({ hacked: globalThis.hacked ?? 0, images: document.querySelectorAll("main img, dialog img, dialog script, dialog b:not(p b)").length }));
  seen.complaints = complaints;
} finally {
  await browser.close();
  server.kill("SIGKILL");
}
// Lines of clients may still be open; what was said goes out whole before the end.
process.stdout.write(JSON.stringify(seen), () => process.exit(0));

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function startServer() {
  const flags = ["serve", "--listen", `127.0.0.1:${port}`, "--threads", "1", "--data-dir", join(folder, "data")];
  const program = spawn(openline, flags, { cwd: folder, stdio: "ignore" });
  await settled(() => fetch(`${site}/health/ready`).then(({ ok }) => ok, () => false), (ready) => ready, 15_000);
  return program;
}

/** Reads until the value is as wanted, and gives the last one in any case: the test compares. */
async function settled(read, wanted, milliseconds = 10_000) {
  const end = Date.now() + milliseconds;
  let value = await read();
  while (!wanted(value) && Date.now() < end) {
    await sleep(30);
    value = await read();
  }
  return value;
}

async function open(options, hash = "") {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complain = (text) => expected?.test(text) || complaints.push(text);
  page.on("console", (message) => message.type() === "error" && complain(message.text()));
  page.on("pageerror", (error) => complain(String(error)));
  await page.goto(`${site}/dashboard${hash}`, { waitUntil: "domcontentloaded", timeout: 20_000 });
  return page;
}

async function visit(options) {
  const page = await open(options, `#key=${key}`);
  await state(page, "live");
  await page.waitForSelector("#channels tr, #channels-note:not(:empty)", { timeout: 10_000 });
  return page;
}

async function wrongKey() {
  const page = await open({ viewport: { width: 1440, height: 1000 } });
  const asks = await page.locator("#entry").isVisible();
  await page.keyboard.type("not a key");
  await page.keyboard.press("Enter");
  const noKey = await settled(() => text(page, "entry-error"), (error) => error !== "");
  expected = /401/;
  await page.keyboard.type("not-the-key");
  await page.keyboard.press("Enter");
  await settled(() => text(page, "entry-error"), (error) => error !== noKey);
  const refused = {
    error: await text(page, "entry-error"),
    board: await page.locator("#board").isVisible(),
    focus: await page.evaluate(() => document.activeElement.id),
    stored: await page.evaluate(() => Object.values(sessionStorage)),
  };
  expected = undefined;
  await page.fill("#key", key);
  await page.keyboard.press("Enter");
  const then = await state(page, "live");
  await page.click("#forget");
  const forgotten = { entry: await page.locator("#entry").isVisible(), stored: await page.evaluate(() => sessionStorage.length) };
  await page.context().close();
  return { asks, noKey, refused, then, forgotten };
}

/** Lines of each transport, which say what they are called. */
async function connectClients() {
  const lines = [];
  for (let number = 0; number < 4; number += 1) {
    lines.push(await connect(["room:one", HOSTILE]));
  }
  lines[0].send({ type: "setPresence", channel: HOSTILE, status: "<b>here</b>" });
  const many = await connect(Array.from({ length: 60 }, (_, index) => `topic:${String(index).padStart(2, "0")}`));
  const stream = await fetch(`${site}/sse?channels=room:one`);
  lines.stream = stream.body.getReader();
  return Object.assign(lines, { many });
}

async function connect(channels) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  const line = { got: [], closed: undefined, send: (message) => socket.send(JSON.stringify(message)) };
  socket.on("message", (data) => line.got.push(JSON.parse(String(data))));
  socket.on("close", (code, reason) => (line.closed = { code, reason: String(reason) }));
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  line.send({ type: "subscribe", id: 1, channels });
  await settled(() => line.got, (got) => got.some(({ type }) => type === "subscribed"));
  line.clientId = line.got.find(({ type }) => type === "welcome")?.clientId ?? line.got.find(({ type }) => type === "welcome")?.data?.clientId;
  line.types = line.got.map(({ type }) => type);
  return line;
}

async function metrics() {
  const answer = await fetch(`${site}/metrics`, { headers: { authorization: `Bearer ${key}` } });
  return answer.text();
}

/** What the plots show of the newest answer, and what that answer had. */
function shown(page) {
  return page.evaluate(() => {
    const plots = [...document.querySelectorAll("[data-plot]")];
    const rows = (selector, field, name) => plots.flatMap((plot) => [...plot.querySelectorAll(selector)].map((row) => [row.dataset[name], row.dataset[field]]));
    const expressions = plots.flatMap((plot) => [...plot.querySelectorAll(".raw dd")].map((row) => [row.dataset.of, { series: row.dataset.series, expression: row.previousElementSibling.textContent.split(": ").slice(1).join(": ") }]));
    return {
      at: new Set(plots.map((plot) => plot.dataset.at)).size === 1 ? Number(plots[0].dataset.at) : "not the same for all plots",
      values: Object.fromEntries(rows(".legend li", "value", "series")),
      raw: Object.fromEntries(rows(".raw dd", "raw", "of")),
      expressions: Object.fromEntries(expressions),
      text: Object.fromEntries(plots.flatMap((plot) => [...plot.querySelectorAll(".legend li")].map((row) => [row.dataset.series, row.querySelector(".legend-value").textContent]))),
      plots: plots.map((plot) => plot.dataset.plot),
    };
  });
}

/**
 * For a few polls: what /metrics said just before, what the page shows, and what /metrics said just after. Traffic
 * comes in bursts between polls and is over before the next, so that the three can be compared to the last digit.
 */
async function rounds(page, lines) {
  const found = [];
  let { at } = await shown(page);
  for (let round = 0; round < 4; round += 1) {
    for (let number = 0; number < 20 * (round + 1); number += 1) {
      lines[number % 4].send({ type: "publish", id: number + 10, channel: "room:one", data: { round, number } });
    }
    lines[0].send({ type: "nonsense", id: 1_000 + round });
    const before = await quiet();
    const last = at;
    const now = await settled(() => shown(page), (value) => value.at !== last);
    at = now.at;
    found.push({ before, ...now, after: await metrics() });
  }
  return found;
}

/** The text once it says the same twice, but for what the asking itself changes. */
async function quiet() {
  const steady = (all) => all.split("\n").filter((line) => /^openline_(received|sent|pub|err|deliv)/.test(line)).join("\n");
  let before = await metrics();
  for (let attempt = 0; attempt < 20; attempt += 1) {
    await sleep(80);
    const now = await metrics();
    if (steady(now) === steady(before)) return now;
    before = now;
  }
  return before;
}

async function crosshair(page) {
  const area = page.locator("[data-plot=messages] .plot-area");
  const box = await area.boundingBox();
  // The newest point is at the right edge.
  await page.mouse.move(box.x + box.width - 8, box.y + 50);
  const byMouse = { crosses: await page.locator(".plot-cross").count(), time: await text(page, "cross-time") };
  await page.mouse.move(5, 5);
  const gone = await page.locator(".plot-cross").count();
  await page.locator("[data-plot=connections] .raw-button").focus();
  await page.keyboard.press("Tab");
  const role = await page.evaluate(() => document.activeElement.getAttribute("role"));
  const said = () => page.evaluate(() => document.activeElement.getAttribute("aria-valuetext"));
  const newest = await said();
  await page.keyboard.press("ArrowLeft");
  const earlier = await said();
  const byKey = await page.locator(".plot-cross").count();
  await page.keyboard.press("Home");
  const first = await said();
  await page.keyboard.press("Escape");
  const escaped = await page.locator(".plot-cross").count();
  return { byMouse, gone, role, newest, earlier, first, byKey, escaped };
}

async function raw(page) {
  await page.click("[data-plot=drops] .raw-button");
  const result = await page.locator("#raw-drops").innerText();
  await page.click("[data-plot=drops] .raw-button");
  return { text: result, hiddenAgain: !(await page.locator("#raw-drops").isVisible()) };
}

async function channel(page, lines) {
  await settled(() => page.locator("#channels .row-button").allInnerTexts(), (names) => names.includes(HOSTILE));
  lines[1].send({ type: "publish", id: 1, channel: HOSTILE, event: "<i>ev</i>", data: { text: "<img src=x onerror='globalThis.hacked=1'>" } });
  await look(page, "channels", "room:<img");
  const first = await settled(() => history(page), (list) => list.length === 1);
  lines[2].send({ type: "publish", id: 1, channel: HOSTILE, data: "by itself" });
  const live = await settled(() => history(page), (list) => list.length === 2);
  await page.fill("#publish-data", "{no json");
  await page.click("[data-testid=publish-send]");
  const broken = await settled(() => text(page, "publish-result"), (now) => now !== "");
  await page.fill("#publish-data", '{"from":"the operator"}');
  await page.fill("#publish-event", "note");
  await page.click("[data-testid=publish-send]");
  const published = await settled(() => text(page, "publish-result"), (now) => now.startsWith("Published"));
  const third = await settled(() => history(page), (list) => list.length === 3);
  const got = await settled(() => lines[3].got.at(-1), (message) => message.type === "note");
  const seen = {
    title: await text(page, "channel-title"),
    facts: await text(page, "channel-facts"),
    members: await page.locator("#members .chip").allInnerTexts(),
    details: await page.locator("#members .chip-detail").allInnerTexts(),
    heads: await page.locator(".message-head b").allInnerTexts(),
  };
  await page.keyboard.press("Escape");
  return { first, live, broken, published, third, got, ...seen, ids: lines.map(({ clientId }) => clientId) };
}

async function clear(page) {
  await look(page, "channels", "room:<img");
  await settled(() => history(page), (list) => list.length === 3);
  await page.click("#history-clear");
  const question = await page.locator("#confirm").innerText();
  const focus = await page.evaluate(() => document.activeElement.id);
  await page.keyboard.press("Enter");
  await sleep(300);
  const kept = await history(page);
  await page.click("#history-clear");
  await page.click("#confirm-yes");
  const cleared = await settled(() => text(page, "history-note"), (note) => note === "Nothing is kept.");
  await page.click("#channel-close");
  return { question, focus, kept: kept.length, cleared };
}

async function lists(page, lines) {
  const names = (id) => page.locator(`#${id} .row-button`).allInnerTexts();
  await page.fill("#channels-prefix", "topic:");
  const first = await settled(() => names("channels"), (list) => list[0] === "topic:00");
  await page.click("#channels-next");
  const second = await settled(() => names("channels"), (list) => list[0] !== "topic:00");
  await page.click("#channels-next");
  const third = await settled(() => names("channels"), (list) => list[0] !== second[0]);
  const focus = await page.evaluate(() => document.activeElement.id);
  await page.click("#channels-back");
  await page.click("#channels-back");
  const back = await settled(() => names("channels"), (list) => list[0] === "topic:00");
  await page.fill("#channels-prefix", "");
  await page.fill("#clients-channel", "topic:07");
  const filtered = await settled(() => names("clients"), (list) => list.length === 1);
  await page.fill("#clients-user", "nobody");
  const none = await settled(() => text(page, "clients-note"), (note) => note !== "");
  await page.fill("#clients-user", "");
  await page.fill("#clients-channel", "");
  const all = await settled(() => names("clients"), (list) => list.length === 6);
  const transports = await page.locator("#clients td:nth-child(3)").allInnerTexts();
  return { first, second, third, focus, back, filtered, none, all: all.length, transports: transports.sort(), many: lines.many.clientId };
}

async function disconnect(page, lines) {
  const line = lines[3];
  await settled(() => page.locator("#clients .row-button").allInnerTexts(), (names) => names.includes(line.clientId));
  await look(page, "clients", line.clientId);
  const facts = await settled(() => text(page, "client-facts"), (now) => now.includes("websocket"));
  const channels = await page.locator("#client-channels .chip").allInnerTexts();
  await page.selectOption("#disconnect-code", "4004");
  const effect = await text(page, "disconnect-hint");
  await page.fill("#disconnect-reason", "moving house");
  await page.click("#disconnect");
  const question = await page.locator("#confirm").innerText();
  await page.keyboard.press("Enter");
  await sleep(500);
  const cancelled = { closed: line.closed ?? null, result: await text(page, "disconnect-result") };
  // The page finds out that the client is gone by asking for it.
  expected = /404/;
  await page.click("#disconnect");
  await page.click("#confirm-yes");
  const closed = await settled(() => line.closed, (end) => end !== undefined);
  const result = await settled(() => text(page, "disconnect-result"), (now) => now.includes("ended"));
  const after = await settled(() => text(page, "client-facts"), (now) => now.includes("not connected"));
  const disabled = await page.locator("#disconnect").isDisabled();
  await page.click("#client-close");
  expected = undefined;
  return { facts, channels, effect, question, cancelled, closed, result, after, disabled, others: lines.slice(0, 3).map((one) => one.closed ?? null) };
}

async function pause(page) {
  await page.click("#pause");
  const { at } = await shown(page);
  await sleep(2_500);
  const still = (await shown(page)).at === at;
  const badge = await text(page, "state");
  await page.click("#pause");
  await state(page, "live");
  await page.locator("#interval input[value='1000']").check({ force: true });
  const times = [];
  for (let count = 0; count < 4; count += 1) {
    const last = times.at(-1);
    times.push(await settled(async () => (await shown(page)).at, (now) => now !== last));
  }
  return { still, badge, gaps: await page.locator("[data-plot=messages] .plot-gap[data-reason=paused]").count(), times };
}

async function reload(page) {
  await page.reload();
  return { state: await state(page, "live"), hash: await page.evaluate(() => location.hash) };
}

async function keyboard() {
  const page = await visit({ viewport: { width: 1440, height: 1000 } });
  const reached = [];
  for (let press = 0; press < 80; press += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const { activeElement: at } = document;
      if (at === null || at === document.body) return null;
      const marked = at.matches("input[type=radio]") ? at.closest("label") : at;
      const plot = at.closest("[data-plot]")?.dataset.plot;
      return { id: at.id || (plot && `${plot} ${at.className}`) || at.getAttribute("aria-labelledby") || at.textContent.trim(), outline: getComputedStyle(marked).outlineStyle };
    });
    if (stop === null) break;
    reached.push(stop);
  }
  await page.focus("#channels .row-button");
  const opener = await page.evaluate(() => document.activeElement.textContent);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#channel[open]");
  const inside = await page.evaluate(() => document.activeElement.closest("dialog")?.id);
  await page.keyboard.press("Escape");
  const back = await page.evaluate(() => document.activeElement.textContent);
  await page.context().close();
  return { ids: reached.map(({ id }) => id), unmarked: reached.filter(({ outline }) => outline === "none"), opener, inside, back };
}

async function narrow() {
  const page = await visit({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  await page.locator("#channels .row-button").first().tap();
  await page.waitForSelector("#channel[open] #channel-facts dd");
  const drawer = await page.evaluate(() => document.getElementById("channel").scrollWidth);
  await page.context().close();
  return { wide, drawer };
}

/** What axe finds, serious or worse, in both themes and with each part open. */
async function accessibility() {
  const found = {};
  for (const colorScheme of ["light", "dark"]) {
    const options = { viewport: { width: 1440, height: 1000 }, colorScheme, reducedMotion: "reduce" };
    const asking = await open(options);
    await asking.evaluate(axe);
    found[`${colorScheme}, no key`] = await violations(asking);
    await asking.context().close();
    const page = await visit(options);
    await page.evaluate(axe);
    await page.click("[data-plot=latency] .raw-button");
    found[colorScheme] = await violations(page);
    await look(page, "channels", "room:one");
    await settled(() => history(page), (list) => list.length > 0);
    found[`${colorScheme}, channel`] = await violations(page);
    await page.keyboard.press("Escape");
    await page.locator("#clients .row-button").first().click();
    await settled(() => page.locator("#disconnect").isDisabled(), (off) => !off);
    found[`${colorScheme}, client`] = await violations(page);
    await page.click("#disconnect");
    found[`${colorScheme}, question`] = await violations(page);
    await page.context().close();
  }
  return found;
}

async function violations(page) {
  const all = await page.evaluate(async () => (await globalThis.axe.run()).violations);
  return all
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`);
}

async function restart(page) {
  expected = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED/;
  const before = (await shown(page)).at;
  server.kill("SIGKILL");
  const away = await state(page, "away");
  await sleep(2_500);
  const during = {
    banner: await text(page, "banner"),
    badge: await text(page, "state"),
    said: await page.locator("#announcer").textContent(),
    gaps: await page.locator("#plots .plot-gap[data-reason=away]").count(),
    width: Number(await page.locator("[data-plot=cpu] .plot-gap[data-reason=away]").getAttribute("width")),
  };
  await page.evaluate(axe);
  during.axe = await violations(page);
  server = await startServer();
  const back = await state(page, "live");
  expected = undefined;
  const { at, values } = await settled(() => shown(page), (now) => now.values.received === "0");
  return {
    away, during, back, said: await page.locator("#announcer").textContent(), banner: await page.locator("#banner").isVisible(),
    gap: at - before, values, gaps: await page.locator("#plots .plot-gap[data-reason=away]").count(),
    pieces: await page.locator("[data-plot=memory] .plot-line[data-hue='6'], [data-plot=memory] .plot-dot[data-hue='6']").count(),
  };
}
