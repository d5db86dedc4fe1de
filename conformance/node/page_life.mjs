// What only a page in a real browser goes through, as JSON: it is hidden, put away
// and brought back, without a network, in a worker, rendered by React.
//
//   node page_life.mjs CHROMIUM XVFB SERVER_URL PART
import { evaluator, openStage, until } from "./page_stage.mjs";

const HEARTBEAT = { interval: 3_000, timeout: 2_000 };
/** After how long in the background, in seconds, Chromium holds timers back for up to a minute. Five minutes, if not set. */
const GRACE = 5;
/** After that it still waits until a chain of timers has five links: two come with each heartbeat. In milliseconds. */
const PATIENCE = 20_000;

const [executablePath, xvfb, serverUrl, name] = process.argv.slice(2);
const parts = { demo, hidden, longHidden, putAway, network, networkSoon, react, worker };
/** Chooses what a client of the list did. */
const state = (who, what) => (entry) => entry.name === who && entry.what === what;
const text = (wanted) => ({ what, data }) => what === "publication" && data.text === wanted;
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const features = name === "longHidden" ? `IntensiveWakeUpThrottling:grace_period_seconds/${GRACE}` : "";
const stage = await openStage(executablePath, xvfb, serverUrl, features);
const { context, front, talker } = stage;
let seen;
try {
  seen = await parts[name]();
} finally {
  await stage.close();
}
console.log(JSON.stringify(seen));

async function visit(url) {
  const page = await context.newPage();
  const tab = { page, ...(await evaluator(context, page)) };
  await page.goto(url, { waitUntil: "load", timeout: 60_000 });
  return tab;
}

/** A page of the tests with its list. */
async function visitTab() {
  const tab = await visit(`${front.url}/tab`);
  const log = () => tab.evaluate("log");
  const sees = (wanted, what, milliseconds) => until(log, (list) => list.some(wanted), what, milliseconds);
  return { ...tab, log, sees };
}

/** Another tab before this one. */
async function hide(tab) {
  const other = await visit(`${front.url}/other`);
  await until(() => tab.evaluate("document.visibilityState"), (state) => state === "hidden", "the page is hidden");
  return { state: await tab.evaluate("document.visibilityState"), other };
}

/** The demo, really hidden: what its neighbour sees of it, and what it hears. */
async function demo() {
  const member = talker.channel("chat:lobby");
  const statuses = [];
  member.presence.subscribe(() => {
    const status = [...member.presence.members.values()].find(({ clientId }) => clientId !== talker.status.clientId)?.status;
    if (status !== undefined && status !== statuses.at(-1)) statuses.push(status);
  });
  await member.subscribe();
  const tab = await visit(`${serverUrl}/`);
  await until(() => statuses, (all) => all.at(-1) === "online", "the demo is there");
  const { state: visibility } = await hide(tab);
  await until(() => statuses, (all) => all.at(-1) === "away", "the demo is away");
  await member.publish({ id: "elsewhere-1", tab: "0123456789abcdef", name: "Somebody", text: "while hidden" }, { event: "chat" });
  const texts = () => tab.evaluate(`[...document.querySelectorAll(".entry-chat .entry-text > :first-child")].map((one) => one.textContent)`);
  const there = await until(texts, (all) => all.includes("while hidden"), "the message has come");
  const still = await tab.evaluate("document.visibilityState");
  await tab.page.bringToFront();
  await until(() => statuses, (all) => all.at(-1) === "online", "the demo is back");
  return { visibility, still, texts: there, statuses };
}

/** Hidden for a short time, with the page's own timers. */
async function hidden() {
  const tab = await visitTab();
  await tab.evaluate(`begin("page", "chat:hidden", { heartbeat: ${JSON.stringify(HEARTBEAT)} })`);
  const { state: visibility } = await hide(tab);
  const channel = talker.channel("chat:hidden");
  for (const one of ["1", "2", "3"]) await channel.publish({ text: one });
  await tab.sees(text("3"), "messages come");
  const cut = Date.now();
  front.silence();
  await channel.publish({ text: "into the silence" });
  await tab.sees(state("page", "waiting"), "the dead line is noticed", 60_000);
  await tab.sees(text("into the silence"), "what was lost has come", 60_000);
  const still = await tab.evaluate("document.visibilityState");
  await until(() => tab.evaluate(`clients.get("page").status.state`), (now) => now === "online", "the client is online");
  await tab.page.bringToFront();
  await tab.sees(({ what }) => what === "visible", "the page is shown");
  await until(async () => (await tab.log()).at(-1).what, (last) => last === "online", "the probe is answered");
  return { visibility, still, cut, log: await tab.log() };
}

/** Hidden for so long that the page's timers come once a minute. One client has them, one those of a worker. */
async function longHidden() {
  const tab = await visitTab();
  const heartbeat = JSON.stringify(HEARTBEAT);
  await tab.evaluate(`begin("worker", "chat:long", { heartbeat: ${heartbeat}, worker: true })`);
  await tab.evaluate(`begin("page", "chat:long", { heartbeat: ${heartbeat} })`);
  const { state: visibility } = await hide(tab);
  await wait(PATIENCE);
  const cut = Date.now();
  front.silence();
  await tab.sees(state("worker", "waiting"), "the dead line is noticed", 60_000);
  await until(() => tab.evaluate(`clients.get("worker").status.state`), (now) => now === "online", "the client is back");
  const still = await tab.evaluate("document.visibilityState");
  const before = await tab.log();
  await tab.page.bringToFront();
  await tab.sees(state("page", "waiting"), "the page's timers notice it too", 60_000);
  return { visibility, still, cut, before, log: await tab.log() };
}

/** Gone to another page and back, twice. */
async function putAway() {
  const tab = await visitTab();
  await tab.evaluate(`begin("page", "chat:away", { backoff: { base: 20_000 } })`);
  const channel = talker.channel("chat:away");
  await channel.publish({ text: "before" });
  await tab.sees(text("before"), "messages come");
  const reasons = [];
  for (const round of [1, 2]) {
    await tab.session.send("Page.navigate", { url: `${front.url}/other` });
    await until(() => tab.evaluate("document.title"), (title) => title === "elsewhere", "the other page is there");
    await until(() => front.lines().open, (open) => open === 0, "the line has ended");
    for (const one of ["a", "b"]) await channel.publish({ text: `${one}${round}` });
    await tab.evaluate("void setTimeout(() => history.back(), 0)");
    await until(() => tab.evaluate("document.title").catch(() => ""), (title) => title !== "elsewhere" && title !== "", "the page is back");
    reasons.push(await tab.evaluate(`performance.getEntriesByType("navigation")[0].notRestoredReasons?.toJSON() ?? null`));
    await tab.sees(text(`b${round}`), "what was missed has come");
    await channel.publish({ text: `after${round}` });
    await tab.sees(text(`after${round}`), "messages come again");
  }
  return { reasons, log: await tab.log(), lines: front.lines().opened };
}

function offline(tab, isOffline) {
  return tab.session.send("Network.emulateNetworkConditions", { offline: isOffline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
}

/** The network goes and comes back; the line may live on or not. */
async function network() {
  const tab = await visitTab();
  await tab.session.send("Network.enable");
  await tab.evaluate(`begin("page", "chat:network", { heartbeat: { interval: 600_000 } })`);
  front.silence();
  await offline(tab, true);
  await tab.sees(state("page", "waiting"), "the line is given up");
  await talker.channel("chat:network").publish({ text: "meanwhile" });
  await offline(tab, false);
  await tab.sees(text("meanwhile"), "what was missed has come");
  return { log: await tab.log() };
}

/** The line breaks before the network is said to be gone, and the network is back a moment later. */
async function networkSoon() {
  const tab = await visitTab();
  await tab.session.send("Network.enable");
  await tab.evaluate(`begin("page", "chat:soon", { random: 0.999 })`);
  front.shut(true);
  // Delays are as long as may be, so that no attempt is due by chance when the network is back.
  await tab.sees(({ what, delay }) => what === "waiting" && delay > 7_000, "the delay is long", 60_000);
  await offline(tab, true);
  await tab.sees(({ what }) => what === "network offline", "the network is gone");
  front.shut(false);
  await offline(tab, false);
  await tab.sees(({ what }) => what === "recovered", "the client is back", 60_000);
  return { log: await tab.log() };
}

async function react() {
  const tab = await visit(`${front.url}/react`);
  const channel = talker.channel("chat:react");
  const view = () => tab.evaluate("view()");
  const joined = ({ joined }) => joined === "subscribed";
  const shows = (...texts) => (now) => now.texts?.join() === texts.join();
  const seen = { rendered: await tab.evaluate("rendered") };
  await until(view, joined, "joined");
  for (const one of ["one", "two"]) await channel.publish({ text: one });
  seen.first = { ...(await until(view, shows("one", "two"), "both messages")), lines: front.lines() };
  await tab.evaluate("unmount()");
  await tab.evaluate("mount()");
  await channel.publish({ text: "three" });
  seen.again = { ...(await until(view, shows("three"), "the third message")), lines: front.lines() };
  await tab.evaluate("unmount()");
  await until(() => front.lines().open, (open) => open === 0, "nobody needs the line");
  seen.gone = { ...(await view()), client: await tab.evaluate("client.status.state") };
  await tab.evaluate("mount()");
  await until(view, joined, "joined again");
  await channel.publish({ text: "five" });
  seen.later = { ...(await until(view, (now) => now.texts?.includes("five"), "the fifth message")), lines: front.lines() };
  return { ...seen, complaints: await tab.evaluate("complaints") };
}

async function worker() {
  const tab = await visitTab();
  await tab.evaluate(`beginWorker("chat:worker")`);
  await tab.sees(state("worker", "subscribed"), "the worker has joined");
  await talker.channel("chat:worker").publish({ text: "to the worker" });
  await tab.sees(text("to the worker"), "messages come");
  await tab.evaluate(`worker.postMessage({ text: "from the worker" })`);
  await tab.sees(state("worker", "published"), "the worker's message is taken");
  front.shut(true);
  front.shut(false);
  await talker.channel("chat:worker").publish({ text: "meanwhile" });
  await tab.sees(text("meanwhile"), "what was missed has come");
  return { log: await tab.log() };
}
