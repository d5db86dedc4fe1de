// A page of the tests: clients, and one list of all that happens to them and to the page.
import { createClient, workerTimers } from "@openline/client";

const log = [];
const note = (what, more = {}) => log.push({ what, at: Date.now(), ...more });

// Before any client listens, so that what a client does follows what it does it for.
document.addEventListener("visibilitychange", () => note(document.visibilityState));
for (const type of ["pagehide", "pageshow"]) addEventListener(type, ({ persisted }) => note(type, { persisted }));
for (const type of ["online", "offline"]) addEventListener(type, () => note(`network ${type}`));

const clients = new Map();

/** Connects a client and joins the channel. Its entries in the list have its name. */
async function begin(name, channelName, { worker = false, random, ...options } = {}) {
  const environment = worker ? workerTimers() : {};
  if (random !== undefined) environment.random = () => random;
  const client = createClient({ url: "/", ...options, environment });
  clients.set(name, client);
  client.subscribeStatus(({ state, delay, reason }) => note(state, { name, delay, reason }));
  const channel = client.channel(channelName);
  channel.on("publication", ({ data, replayed }) => note("publication", { name, data, replayed }));
  channel.on("gap", ({ reason }) => note("gap", { name, reason }));
  channel.on("recovered", ({ count }) => note("recovered", { name, count }));
  await client.connect();
  await channel.subscribe();
  if (worker) {
    while (environment.kind !== "worker") await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A client in a module worker; what it says is in the list too. */
function beginWorker(channelName) {
  const worker = new Worker(`/page_life_worker.mjs?${new URLSearchParams({ channel: channelName })}`, { type: "module" });
  worker.onmessage = ({ data: { what, ...more } }) => note(what, { name: "worker", ...more });
  worker.onerror = ({ message }) => note("worker failed", { message });
  globalThis.worker = worker;
}

Object.assign(globalThis, { log, note, clients, begin, beginWorker });
