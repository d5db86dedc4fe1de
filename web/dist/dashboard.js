// src/dom.ts
function byId(page, id, type) {
  const found = page.getElementById(id);
  if (!(found instanceof type)) {
    throw new Error(`the page has no ${type.name} with id “${id}”`);
  }
  return found;
}
function textElement(page, tag, className, text) {
  const made = page.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// src/dashboard/api.ts
var ApiError = class extends Error {
  status;
  code;
  constructor(status, code, message) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
  }
};
var ANSWER_MS_MAX = 5e3;
var Api = class {
  #fetch;
  #base;
  #key;
  /** `base` is the page's address: the API stands beside it. */
  constructor(fetch, base, key) {
    this.#fetch = fetch;
    this.#base = base;
    this.#key = key;
  }
  async metrics() {
    return (await this.#ask("metrics")).text();
  }
  info() {
    return this.#read("info", {});
  }
  async channels(prefix, after, limit) {
    const answer = await this.#read("channels", { prefix: prefix || void 0, after, limit });
    return { rows: answer.channels, next: answer.next };
  }
  channel(channel) {
    return this.#read("channel", { channel });
  }
  async presence(channel, limit) {
    return this.#read("presence", { channel, limit });
  }
  /** The newest messages, or those before a position; newest first. */
  history(channel, before, limit) {
    return this.#read("history", { channel, before, limit, reverse: true });
  }
  async clients(filter, after, limit) {
    const query = { user: filter.user || void 0, channel: filter.channel || void 0, after, limit };
    const answer = await this.#read("clients", query);
    return { rows: answer.clients, next: answer.next };
  }
  client(client) {
    return this.#read("client", { client });
  }
  publish(channel, data, event) {
    return this.#do("publish", { channel, data, event });
  }
  clearHistory(channel) {
    return this.#do("history/clear", { channel });
  }
  disconnect(client, code, reason) {
    return this.#do("disconnect", { client, code, reason });
  }
  async #read(name, query) {
    const fields = Object.entries(query).flatMap(([field, value]) => value === void 0 ? [] : [[field, String(value)]]);
    const text = new URLSearchParams(fields).toString();
    return (await this.#ask(`api/v1/${name}${text === "" ? "" : `?${text}`}`)).json();
  }
  async #do(name, body) {
    return (await this.#ask(`api/v1/${name}`, JSON.stringify(body))).json();
  }
  async #ask(path, body) {
    const response = await this.#fetch(new URL(path, this.#base).href, {
      method: body === void 0 ? "GET" : "POST",
      headers: { authorization: `Bearer ${this.#key}` },
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
      ...body === void 0 ? {} : { body }
    });
    if (!response.ok) {
      throw await errorOf(response);
    }
    return response;
  }
};
async function errorOf(response) {
  const { status } = response;
  try {
    const { error } = await response.json();
    return new ApiError(status, String(error.code), String(error.message));
  } catch {
    return new ApiError(status, "unknown", `the answer was ${status} ${response.statusText}`.trim());
  }
}
function messageOf(error) {
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return `no answer within ${ANSWER_MS_MAX / 1e3} s`;
  }
  if (error instanceof TypeError) {
    return "the server cannot be reached";
  }
  return error instanceof Error ? error.message : String(error);
}

// src/format.ts
var UNITS = ["KiB", "MiB", "GiB"];
function formatSize(bytes) {
  let value = bytes;
  let unit = "B";
  for (const next of UNITS) {
    if (value < 1024) {
      break;
    }
    value /= 1024;
    unit = next;
  }
  return `${trimmed(value)} ${unit}`;
}
function preview(text, charactersMax = 2048) {
  if (text.length <= charactersMax) {
    return text;
  }
  const last = text.charCodeAt(charactersMax - 1);
  const end = last >= 55296 && last <= 56319 ? charactersMax - 1 : charactersMax;
  return `${text.slice(0, end)} … ${text.length - end} more`;
}
function trimmed(value) {
  return String(Number(value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)));
}

// src/keyed-list.ts
var KeyedList = class {
  #parent;
  #keyOf;
  #make;
  #update;
  #elements = /* @__PURE__ */ new Map();
  constructor(parent, keyOf2, make, update = () => void 0) {
    this.#parent = parent;
    this.#keyOf = keyOf2;
    this.#make = make;
    this.#update = update;
  }
  draw(items) {
    const wanted = new Set(items.map(this.#keyOf));
    for (const [key, element] of this.#elements) {
      if (!wanted.has(key)) {
        element.remove();
        this.#elements.delete(key);
      }
    }
    let before;
    let next = this.#parent.firstElementChild;
    for (const item of items) {
      const key = this.#keyOf(item);
      const element = this.#elements.get(key) ?? this.#make(item);
      this.#elements.set(key, element);
      this.#update(element, item, before);
      if (element === next) {
        next = next.nextElementSibling;
      } else {
        this.#parent.insertBefore(element, next);
      }
      before = item;
    }
  }
};

// src/dashboard/drawer.ts
var REFRESH_MS = 2e3;
var Drawer = class {
  #page;
  #id;
  #dialog;
  #look;
  #name;
  /** Of the newest look; what an earlier one finds is too late. */
  #round = 0;
  #timer;
  constructor(page, id, look) {
    this.#page = page;
    this.#id = id;
    this.#look = look;
    this.#dialog = byId(page, id, HTMLDialogElement);
    byId(page, `${id}-close`, HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => {
      this.#round += 1;
      this.#name = void 0;
      clearTimeout(this.#timer);
    });
  }
  /** What is looked at; `undefined` while it is closed. */
  get name() {
    return this.#name;
  }
  open(name) {
    this.#name = name;
    byId(this.#page, `${this.#id}-title`, HTMLElement).textContent = name;
    this.showError(void 0);
    this.showFacts([]);
    if (!this.#dialog.open) {
      this.#dialog.showModal();
    }
    this.#dialog.scrollTop = 0;
    this.refresh();
  }
  close() {
    this.#dialog.close();
  }
  refresh() {
    clearTimeout(this.#timer);
    if (this.#name === void 0) {
      return;
    }
    this.#round += 1;
    const round = this.#round;
    const isCurrent = () => round === this.#round;
    this.#look(this.#name, isCurrent).then(
      (next) => {
        if (isCurrent()) {
          this.showError(void 0);
          this.#again(next === "again");
        }
      },
      (error) => {
        if (isCurrent()) {
          this.showError(messageOf(error));
          this.#again(true);
        }
      }
    );
  }
  #again(isWanted) {
    if (isWanted) {
      this.#timer = setTimeout(() => this.refresh(), REFRESH_MS);
    }
  }
  showFacts(facts) {
    const rows = facts.map(([name, value]) => {
      const row = this.#page.createElement("div");
      row.append(textElement(this.#page, "dt", "", name), textElement(this.#page, "dd", "", value));
      return row;
    });
    byId(this.#page, `${this.#id}-facts`, HTMLElement).replaceChildren(...rows);
  }
  showError(text) {
    const shown = byId(this.#page, `${this.#id}-error`, HTMLElement);
    shown.hidden = text === void 0;
    if (shown.textContent !== (text ?? "")) {
      shown.textContent = text ?? "";
    }
  }
};
function chip(page, name, detail, open) {
  const item = page.createElement("li");
  const button = textElement(page, "button", "chip mono", name);
  button.type = "button";
  button.addEventListener("click", open);
  item.append(button);
  if (detail !== "") {
    item.append(textElement(page, "span", "chip-detail", detail));
  }
  return item;
}

// src/dashboard/words.ts
var THOUSANDS = [
  [1e9, "G"],
  [1e6, "M"],
  [1e4, "k"]
];
function formatValue(value, unit) {
  switch (unit) {
    case "count":
    case "perSecond":
      return formatCount(value);
    case "seconds":
      return formatSeconds(value);
    case "bytes":
      return formatSize(value);
    case "cores":
      return `${Number((value * 100).toFixed(1))} %`;
  }
}
function formatCount(value) {
  for (const [size, name] of THOUSANDS) {
    if (value >= size) {
      return `${trimmed2(value / (size === 1e4 ? 1e3 : size))}${name}`;
    }
  }
  return value >= 1e3 ? Math.round(value).toLocaleString("en") : trimmed2(value);
}
function formatSeconds(seconds) {
  return seconds < 1 ? `${trimmed2(seconds * 1e3)} ms` : `${trimmed2(seconds)} s`;
}
function formatAge(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1e3));
  const parts = [
    [Math.floor(seconds / 86400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"]
  ];
  const first = parts.findIndex(([count]) => count > 0);
  const shown = parts.slice(first === -1 ? 3 : first, first === -1 ? 4 : first + 2);
  return shown.filter(([count], index) => index === 0 || count > 0).map(([count, unit]) => `${count} ${unit}`).join(" ");
}
function formatShortAge(milliseconds) {
  return formatAge(milliseconds).replace(/(\d+) (\w)\w*/g, "$1$2");
}
function formatTime(at) {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}
function formatMoment(at) {
  const date = new Date(at);
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
  return `${day} ${formatTime(at)}`;
}
function prettyJson(data) {
  return JSON.stringify(data, null, 2) ?? "nothing";
}
function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
function trimmed2(value) {
  const decimals = value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return String(Number(value.toFixed(decimals)));
}

// src/dashboard/history-view.ts
var PAGE_MESSAGES = 25;
var HistoryView = class {
  #page;
  #list;
  #refresh;
  /** Before it is what is shown; without it the newest. */
  #before;
  #isLive = true;
  #shown;
  constructor(page, refresh) {
    this.#page = page;
    this.#refresh = refresh;
    this.#list = new KeyedList(byId(page, "history", HTMLElement), ({ key }) => key, (row) => this.#make(row.message));
    this.#button("live").addEventListener("click", () => this.#setLive(!this.#isLive || this.#before !== void 0));
    this.#button("older").addEventListener("click", () => {
      this.#before = this.#shown?.rows.at(-1)?.message.position;
      this.#isLive = false;
      this.#shown = void 0;
      this.#refresh();
    });
  }
  /** Whether messages are wanted: those that are not live do not change. */
  get isAsking() {
    return this.#isLive || this.#shown === void 0;
  }
  reset() {
    this.#before = void 0;
    this.#isLive = true;
    this.#shown = void 0;
    this.#list.draw([]);
    this.#note("");
  }
  async load(api, channel) {
    const { messages, more } = await api.history(channel, this.#before, PAGE_MESSAGES);
    return { rows: messages.map((message, index) => ({ key: message.position ?? String(index), message })), more };
  }
  /** `loaded` is missing when nothing was asked for. */
  draw(loaded, hasHistory) {
    this.#button("live").setAttribute("aria-pressed", String(this.#isLive));
    this.#button("live").disabled = !hasHistory;
    this.#button("clear").disabled = !hasHistory;
    this.#button("older").disabled = !(loaded ?? this.#shown)?.more;
    if (!hasHistory) {
      this.#list.draw([]);
      this.#note("The channel keeps no history.");
      return;
    }
    if (loaded === void 0) {
      return;
    }
    this.#note(this.#noteOf(loaded));
    this.#shown = loaded;
    this.#list.draw(loaded.rows);
  }
  #noteOf({ rows, more }) {
    if (rows.length === 0) {
      return "Nothing is kept.";
    }
    if (this.#before !== void 0) {
      return "Older messages. Live shows the newest again.";
    }
    const before = this.#shown?.rows ?? [];
    const isJoined = before.length === 0 || rows.some(({ key }) => key === before[0]?.key);
    return isJoined || !more ? "" : `More than ${PAGE_MESSAGES} came at once: some between are only in “Older”.`;
  }
  #setLive(isLive) {
    this.#isLive = isLive;
    this.#before = void 0;
    this.#button("live").setAttribute("aria-pressed", String(isLive));
    this.#refresh();
  }
  #make({ type, data, encoding, position, timestamp, from }) {
    const item = this.#page.createElement("li");
    const head = textElement(this.#page, "p", "message-head", "");
    const by = from === void 0 ? "" : ` from ${from.user ?? from.clientId}`;
    head.append(
      textElement(this.#page, "b", "", `${type}${encoding === void 0 ? "" : ` (${encoding})`}`),
      textElement(this.#page, "span", "", `${formatMoment(timestamp)}${by}`),
      textElement(this.#page, "span", "mono message-position", position ?? "")
    );
    item.append(head, textElement(this.#page, "pre", "mono", preview(prettyJson(data), 4096)));
    return item;
  }
  #note(text) {
    const note = byId(this.#page, "history-note", HTMLElement);
    if (note.textContent !== text) {
      note.textContent = text;
    }
  }
  #button(name) {
    return byId(this.#page, `history-${name}`, HTMLButtonElement);
  }
};

// src/dashboard/channel-drawer.ts
var MEMBERS_MAX = 50;
var ChannelDrawer = class {
  #page;
  #api;
  #confirm;
  #drawer;
  #history;
  #members;
  constructor(page, api, confirm, openClient) {
    this.#page = page;
    this.#api = api;
    this.#confirm = confirm;
    this.#drawer = new Drawer(page, "channel", (name, isCurrent) => this.#load(name, isCurrent));
    this.#history = new HistoryView(page, () => this.#drawer.refresh());
    this.#members = new KeyedList(
      byId(page, "members", HTMLElement),
      ({ clientId }) => clientId,
      ({ clientId, user, status }) => {
        const detail = [user, status].filter((part) => part !== void 0).join(", ");
        return chip(page, clientId, detail, () => {
          this.#drawer.close();
          openClient(clientId);
        });
      }
    );
    byId(page, "publish-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#publish();
    });
    byId(page, "history-clear", HTMLButtonElement).addEventListener("click", () => void this.#clear());
  }
  open(channel) {
    this.#members.draw([]);
    this.#history.reset();
    this.#result("");
    byId(this.#page, "members-note", HTMLElement).textContent = "";
    this.#drawer.open(channel);
  }
  close() {
    this.#drawer.close();
  }
  async #load(name, isCurrent) {
    const api = this.#api();
    const channel = await api.channel(name);
    if (!isCurrent()) {
      return "again";
    }
    this.#drawer.showFacts(factsOf(channel));
    const hasHistory = channel.history !== void 0;
    const [presence, history] = await Promise.all([
      channel.members === void 0 ? void 0 : api.presence(name, MEMBERS_MAX),
      hasHistory && this.#history.isAsking ? this.#history.load(api, name) : void 0
    ]);
    if (!isCurrent()) {
      return "again";
    }
    this.#members.draw(presence?.members ?? []);
    byId(this.#page, "members-note", HTMLElement).textContent = membersNote(presence);
    this.#history.draw(history, hasHistory);
    return "again";
  }
  async #publish() {
    const channel = this.#drawer.name;
    const event = byId(this.#page, "publish-event", HTMLInputElement).value.trim();
    if (channel === void 0) {
      return;
    }
    let data;
    try {
      data = JSON.parse(byId(this.#page, "publish-data", HTMLTextAreaElement).value);
    } catch (error) {
      this.#result(`Not published, the data is no JSON: ${messageOf(error)}. Text is JSON in quotes.`);
      return;
    }
    try {
      const { position } = await this.#api().publish(channel, data, event === "" ? void 0 : event);
      this.#result(position === void 0 ? "Published. The channel keeps no history." : `Published at ${position}.`);
      this.#drawer.refresh();
    } catch (error) {
      this.#result(`Not published: ${messageOf(error)}`);
    }
  }
  async #clear() {
    const channel = this.#drawer.name;
    if (channel === void 0) {
      return;
    }
    const isSure = await this.#confirm.ask({
      title: "Clear the history?",
      text: `All that ${channel} keeps is forgotten and cannot be brought back. Clients that come back and have missed some of it are told so.`,
      action: "Clear history"
    });
    if (!isSure) {
      return;
    }
    try {
      await this.#api().clearHistory(channel);
      this.#history.reset();
      this.#drawer.refresh();
    } catch (error) {
      this.#drawer.showError(`Not cleared: ${messageOf(error)}`);
    }
  }
  #result(text) {
    byId(this.#page, "publish-result", HTMLElement).textContent = text;
  }
};
function factsOf({ subscribers, history }) {
  const facts = [["Subscribers", String(subscribers)]];
  if (history === void 0) {
    return [...facts, ["History", "none"]];
  }
  facts.push(["History", `${counted(history.messages, "message")}, about ${formatSize(history.bytes)}`]);
  if (history.newest !== void 0) {
    facts.push(["Newest", formatMoment(history.newest)]);
  }
  return [...facts, ["Position", history.position]];
}
function membersNote(presence) {
  if (presence === void 0) {
    return "The channel keeps no presence.";
  }
  const { members, count } = presence;
  return count === 0 ? "Nobody." : members.length < count ? `The first ${members.length} of ${counted(count, "member")}.` : "";
}

// src/dashboard/close-codes.ts
var CLOSE_CODES = [
  { code: 4005, name: "kicked", effect: "The client stays away." },
  { code: 4e3, name: "session expired", effect: "The client asks for a new token and comes back at once." },
  { code: 1012, name: "restart", effect: "The client comes back after about a second." },
  { code: 1013, name: "try later", effect: "The client comes back after about 30 seconds." },
  { code: 4003, name: "rate limited", effect: "The client comes back after about 30 seconds." },
  { code: 4004, name: "maintenance", effect: "The client comes back after about 30 seconds." },
  { code: 4001, name: "duplicate", effect: "The client stays away." },
  { code: 4002, name: "invalid auth", effect: "The client stays away." },
  { code: 1008, name: "policy", effect: "The client stays away." },
  { code: 1e3, name: "done", effect: "The client stays away." }
];

// src/dashboard/client-drawer.ts
var ClientDrawer = class {
  #page;
  #api;
  #confirm;
  #now;
  #drawer;
  #channels;
  #codes;
  #isHere = false;
  constructor(page, api, confirm, now, openChannel) {
    this.#page = page;
    this.#api = api;
    this.#confirm = confirm;
    this.#now = now;
    this.#drawer = new Drawer(page, "client", (name, isCurrent) => this.#load(name, isCurrent));
    this.#channels = new KeyedList(
      byId(page, "client-channels", HTMLElement),
      (channel) => channel,
      (channel) => chip(page, channel, "", () => {
        this.#drawer.close();
        openChannel(channel);
      })
    );
    this.#codes = byId(page, "disconnect-code", HTMLSelectElement);
    this.#codes.append(...CLOSE_CODES.map(({ code, name }) => new Option(`${code} ${name}`, String(code))));
    this.#codes.addEventListener("change", () => this.#drawEffect());
    this.#drawEffect();
    byId(page, "disconnect-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#disconnect();
    });
  }
  open(client) {
    this.#channels.draw([]);
    this.#codes.selectedIndex = 0;
    this.#drawEffect();
    byId(this.#page, "disconnect-reason", HTMLInputElement).value = "";
    byId(this.#page, "client-channels-note", HTMLElement).textContent = "";
    this.#result("");
    this.#setHere(false);
    this.#drawer.open(client);
  }
  close() {
    this.#drawer.close();
  }
  async #load(name, isCurrent) {
    try {
      const client = await this.#api().client(name);
      if (isCurrent()) {
        this.#setHere(true);
        this.#drawer.showFacts(factsOf2(client, this.#now()));
        this.#channels.draw(client.channels);
        byId(this.#page, "client-channels-note", HTMLElement).textContent = channelsNote(client);
      }
      return "again";
    } catch (error) {
      if (isCurrent() && error instanceof ApiError && error.code === "not_found") {
        byId(this.#page, "client-channels-note", HTMLElement).textContent = "";
        this.#setHere(false);
        this.#drawer.showFacts([["State", "not connected any more"]]);
        this.#channels.draw([]);
        return "gone";
      }
      throw error;
    }
  }
  async #disconnect() {
    const client = this.#drawer.name;
    const chosen = CLOSE_CODES[this.#codes.selectedIndex];
    const reason = byId(this.#page, "disconnect-reason", HTMLInputElement).value.trim();
    if (client === void 0 || chosen === void 0 || !this.#isHere) {
      return;
    }
    const isSure = await this.#confirm.ask({
      title: "Disconnect this client?",
      text: `${client} is ended with ${chosen.code} ${chosen.name}${reason === "" ? "" : `, “${reason}”`}. ${chosen.effect}`,
      action: "Disconnect"
    });
    if (!isSure) {
      this.#result("Nothing was done.");
      return;
    }
    try {
      const { lines } = await this.#api().disconnect(client, chosen.code, reason === "" ? void 0 : reason);
      this.#result(lines === 0 ? "It was not connected any more: no line was ended." : `${counted(lines, "line")} ended with ${chosen.code}.`);
      this.#drawer.refresh();
    } catch (error) {
      this.#result(`Not disconnected: ${messageOf(error)}`);
    }
  }
  #drawEffect() {
    byId(this.#page, "disconnect-hint", HTMLElement).textContent = CLOSE_CODES[this.#codes.selectedIndex]?.effect ?? "";
  }
  #setHere(isHere) {
    this.#isHere = isHere;
    byId(this.#page, "disconnect", HTMLButtonElement).disabled = !isHere;
  }
  #result(text) {
    byId(this.#page, "disconnect-result", HTMLElement).textContent = text;
  }
};
function factsOf2(client, now) {
  const facts = [
    ["User", client.user ?? (client.authenticated ? "token without a user" : "without a token")],
    ["Transport", client.transport],
    ["Address", client.address],
    ["Connected", `${formatMoment(client.connectedAt)}, ${formatAge(now - client.connectedAt)} ago`]
  ];
  if (client.lastHeard !== void 0) {
    facts.push(["Last heard", `${formatAge(now - client.lastHeard)} ago`]);
  }
  facts.push(["Queue", formatSize(client.queuedBytes)]);
  return client.expiresAt === void 0 ? facts : [...facts, ["Token ends", formatMoment(client.expiresAt)]];
}
function channelsNote({ channels, subscriptions }) {
  return subscriptions === 0 ? "Nothing." : channels.length < subscriptions ? `The first ${channels.length} of ${counted(subscriptions, "channel")}.` : "";
}

// src/dashboard/confirm.ts
var Confirm = class {
  #page;
  #dialog;
  constructor(page) {
    this.#page = page;
    this.#dialog = byId(page, "confirm", HTMLDialogElement);
    byId(page, "confirm-no", HTMLButtonElement).addEventListener("click", () => this.#dialog.close("no"));
    byId(page, "confirm-yes", HTMLButtonElement).addEventListener("click", () => this.#dialog.close("yes"));
  }
  ask({ title, text, action }) {
    byId(this.#page, "confirm-title", HTMLElement).textContent = title;
    byId(this.#page, "confirm-text", HTMLElement).textContent = text;
    byId(this.#page, "confirm-yes", HTMLButtonElement).textContent = action;
    this.#dialog.returnValue = "no";
    this.#dialog.showModal();
    byId(this.#page, "confirm-no", HTMLButtonElement).focus();
    return new Promise((resolve) => {
      this.#dialog.addEventListener("close", () => resolve(this.#dialog.returnValue === "yes"), { once: true });
    });
  }
};

// src/dashboard/feed-view.ts
var FeedView = class {
  #page;
  #state = "starting";
  constructor(page) {
    this.#page = page;
  }
  draw(feed, health, node, now) {
    byId(this.#page, "board", HTMLElement).dataset["state"] = feed.state;
    byId(this.#page, "node-name", HTMLElement).textContent = node ?? "Dashboard";
    const badge = byId(this.#page, "state", HTMLElement);
    badge.textContent = health.word;
    badge.dataset["tone"] = health.tone;
    badge.dataset["state"] = feed.state;
    const isPaused = feed.state === "paused";
    const pause = byId(this.#page, "pause", HTMLButtonElement);
    pause.setAttribute("aria-pressed", String(isPaused));
    this.#drawBanner(feed, health, now);
    this.#announce(feed);
  }
  #drawBanner(feed, { sentence, tone }, now) {
    const isAway = feed.state === "away";
    byId(this.#page, "banner", HTMLElement).hidden = !isAway && sentence === void 0;
    byId(this.#page, "banner", HTMLElement).dataset["tone"] = tone;
    byId(this.#page, "try-now", HTMLButtonElement).hidden = !isAway;
    this.#text("banner-title", isAway ? `No answer since ${formatTime(feed.since)}` : sentence ?? "");
    this.#text("banner-text", isAway ? `for ${formatAge(now - feed.since)}: ${feed.why}. ${nextText(feed.nextAt, now)}` : "");
  }
  /** Only what changed, once: counting seconds would talk without end. */
  #announce(feed) {
    if (feed.state === this.#state) {
      return;
    }
    const before = this.#state;
    this.#state = feed.state;
    switch (feed.state) {
      case "away":
        return this.#text("announcer", `The server gives no answer since ${formatTime(feed.since)}.`);
      case "paused":
        return this.#text("announcer", "Paused.");
      case "live":
        return this.#text("announcer", before === "away" ? "The server answers again." : "The server answers.");
      case "starting":
      case "refused":
        return void 0;
    }
  }
  #text(id, text) {
    const shown = byId(this.#page, id, HTMLElement);
    if (shown.textContent !== text) {
      shown.textContent = text;
    }
  }
};
function nextText(nextAt, now) {
  const seconds = Math.ceil((nextAt - now) / 1e3);
  return seconds > 0 ? `Next attempt in ${seconds} s.` : "Asking.";
}

// src/dashboard/health.ts
var GIVEN_UP = ["lines are not compressed", "there are no new lines, and the oldest history gives way", "lines that do not keep up are ended", "publications are refused"];
function healthOf(feed, metrics, info) {
  if (feed.state === "away") {
    return { word: "away", tone: "bad", sentence: feed.why };
  }
  if (feed.state === "paused") {
    return { word: "paused", tone: "quiet", sentence: void 0 };
  }
  if (metrics === void 0 || info === void 0) {
    return { word: "asking", tone: "warm", sentence: void 0 };
  }
  if (metrics.sum("openline_broker_up") === 0) {
    return { word: "refusing", tone: "bad", sentence: info.history.ailment ?? "Publications are refused; the log says why." };
  }
  if (metrics.sum("openline_store_ok") === 0) {
    return { word: "not stored", tone: "bad", sentence: info.history.ailment ?? "The store takes no records; the log says why." };
  }
  const level = metrics.sum("openline_overload_level") ?? 0;
  if (level > 0) {
    return { word: "overloaded", tone: level > 2 ? "bad" : "warm", sentence: `Memory is short: ${GIVEN_UP[level - 1]} (level ${level}).` };
  }
  if (metrics.sum("openline_draining") === 1) {
    return { word: "draining", tone: "warm", sentence: "It is about to end, and sends its clients elsewhere." };
  }
  if (metrics.sum("openline_store_damaged") === 1) {
    return { word: "damaged", tone: "warm", sentence: "A file of the store does not read back. The next start sets it aside." };
  }
  if ((metrics.sum("openline_panics_total") ?? 0) > 0) {
    return { word: "ready", tone: "warm", sentence: "Lines ended because of a bug of the server. That is worth a report." };
  }
  return { word: "ready", tone: "good", sentence: void 0 };
}

// src/dashboard/pager.ts
var Pager = class {
  /** Where the pages up to this one begin; the first is without. */
  #starts = [void 0];
  #next;
  get after() {
    return this.#starts.at(-1);
  }
  /** From one. */
  get number() {
    return this.#starts.length;
  }
  get hasNext() {
    return this.#next !== void 0;
  }
  get hasPrevious() {
    return this.#starts.length > 1;
  }
  handlePage(next) {
    this.#next = next;
  }
  forward() {
    if (this.#next !== void 0) {
      this.#starts.push(this.#next);
      this.#next = void 0;
    }
  }
  back() {
    if (this.#starts.length > 1) {
      this.#starts.pop();
      this.#next = void 0;
    }
  }
  reset() {
    this.#starts = [void 0];
    this.#next = void 0;
  }
};

// src/dashboard/list-panel.ts
var PAGE_ROWS = 25;
var TYPING_MS = 250;
var ListPanel = class {
  #page;
  #options;
  #pager = new Pager();
  #list;
  /** Of the newest question: answers to earlier ones are too late. */
  #round = 0;
  #isAsking = false;
  #timer;
  constructor(page, options) {
    this.#page = page;
    this.#options = options;
    this.#list = new KeyedList(byId(page, options.id, HTMLElement), options.keyOf, (row) => this.#make(row), (line2, row) => this.#update(line2, row));
    this.#button("back").addEventListener("click", () => this.#leaf(() => this.#pager.back()));
    this.#button("next").addEventListener("click", () => this.#leaf(() => this.#pager.forward()));
    for (const filter of options.filters) {
      byId(page, filter, HTMLInputElement).addEventListener("input", () => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#leaf(() => this.#pager.reset()), TYPING_MS);
      });
    }
    byId(page, `${options.id}-form`, HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
  }
  /** Asks anew for the page that is shown, unless it is being asked for. */
  refresh() {
    if (!this.#isAsking) {
      void this.#load();
    }
  }
  clear() {
    this.#round += 1;
    this.#isAsking = false;
    this.#pager.reset();
    this.#list.draw([]);
    this.#note("");
  }
  #leaf(move) {
    move();
    void this.#load();
  }
  async #load() {
    this.#round += 1;
    const round = this.#round;
    this.#isAsking = true;
    try {
      const { rows, next } = await this.#options.load(this.#pager.after, PAGE_ROWS);
      if (round === this.#round) {
        this.#pager.handlePage(next);
        this.#list.draw(rows);
        this.#note(rows.length === 0 ? this.#options.empty() : "");
      }
    } catch (error) {
      if (round === this.#round) {
        this.#note(`Not up to date: ${messageOf(error)}`);
      }
    }
    if (round === this.#round) {
      this.#isAsking = false;
      this.#drawPager();
    }
  }
  #drawPager() {
    const { hasPrevious, hasNext, number } = this.#pager;
    const focused = this.#page.activeElement;
    this.#button("back").disabled = !hasPrevious;
    this.#button("next").disabled = !hasNext;
    if (focused instanceof HTMLButtonElement && focused.disabled && focused.id.startsWith(`${this.#options.id}-`)) {
      (hasPrevious ? this.#button("back") : this.#button("next")).focus();
    }
    byId(this.#page, `${this.#options.id}-page`, HTMLElement).textContent = `page ${number}`;
    this.#button("back").parentElement?.toggleAttribute("hidden", !hasPrevious && !hasNext);
  }
  #make(row) {
    const key = this.#options.keyOf(row);
    const line2 = this.#page.createElement("tr");
    const head = this.#page.createElement("th");
    head.scope = "row";
    const open = textElement(this.#page, "button", "row-button mono", key);
    open.type = "button";
    open.title = key;
    open.addEventListener("click", () => this.#options.open(key));
    head.append(open);
    line2.append(head, ...this.#options.numbers.map((isNumber2) => textElement(this.#page, "td", isNumber2 ? "number" : "", "")));
    return line2;
  }
  #update(line2, row) {
    this.#options.cells(row).forEach((cell, index) => {
      const shown = line2.children[index + 1];
      if (shown !== void 0 && shown.textContent !== cell) {
        shown.textContent = cell;
      }
    });
  }
  #note(text) {
    byId(this.#page, `${this.#options.id}-note`, HTMLElement).textContent = text;
  }
  #button(name) {
    return byId(this.#page, `${this.#options.id}-${name}`, HTMLButtonElement);
  }
};

// src/dashboard/metrics-text.ts
var TEXT_MAX = 1 << 20;
var SAMPLES_MAX = 1e4;
var NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
var LABEL = /^\s*([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"\s*(,|(?=\}))/;
var Metrics = class _Metrics {
  #families = /* @__PURE__ */ new Map();
  /** Throws a `RangeError` for a text beyond the limits and a `SyntaxError` that names the line that is no sample. */
  static parse(text) {
    if (text.length > TEXT_MAX) {
      throw new RangeError(`/metrics has ${text.length} characters; at most ${TEXT_MAX} are read`);
    }
    const metrics = new _Metrics();
    let count = 0;
    for (const [index, line2] of text.split("\n").entries()) {
      if (line2.trim() === "" || line2.startsWith("#")) {
        continue;
      }
      count += 1;
      if (count > SAMPLES_MAX) {
        throw new RangeError(`/metrics has more than ${SAMPLES_MAX} samples`);
      }
      metrics.#add(line2, index + 1);
    }
    return metrics;
  }
  /** The samples of a family that have these labels, in the order of the text. */
  samples(name, labels = {}) {
    const wanted = Object.entries(labels);
    const all = this.#families.get(name) ?? [];
    return all.filter((sample) => wanted.every(([label, value]) => sample.labels[label] === value));
  }
  /** What these samples add up to; `undefined` where there is none, for that is not zero. */
  sum(name, labels = {}) {
    const found = this.samples(name, labels);
    return found.length === 0 ? void 0 : found.reduce((total2, { value }) => total2 + value, 0);
  }
  #add(line2, number) {
    const name = NAME.exec(line2)?.[0];
    let rest = line2.slice(name?.length ?? 0);
    const labels = /* @__PURE__ */ Object.create(null);
    if (rest.startsWith("{")) {
      rest = rest.slice(1);
      for (let pair = LABEL.exec(rest); pair !== null; pair = LABEL.exec(rest)) {
        labels[pair[1] ?? ""] = unescaped(pair[2] ?? "");
        rest = rest.slice(pair[0].length);
      }
      rest = rest.startsWith("}") ? rest.slice(1) : "broken";
    }
    const value = numberOf(rest.trim().split(/\s+/)[0] ?? "");
    if (name === void 0 || value === void 0) {
      throw new SyntaxError(`line ${number} of /metrics is no sample: ${line2.slice(0, 80)}`);
    }
    const family = this.#families.get(name);
    if (family === void 0) {
      this.#families.set(name, [{ labels, value }]);
    } else {
      family.push({ labels, value });
    }
  }
};
function seriesName(name, labels = {}) {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
}
function unescaped(text) {
  return text.replace(/\\(.)/g, (_, character) => character === "n" ? "\n" : character);
}
function numberOf(text) {
  switch (text) {
    case "+Inf":
      return Number.POSITIVE_INFINITY;
    case "-Inf":
      return Number.NEGATIVE_INFINITY;
    case "NaN":
      return Number.NaN;
    default:
      return /^[+-]?(\d|\.\d)/.test(text) && !Number.isNaN(Number(text)) ? Number(text) : void 0;
  }
}

// src/dashboard/nodes-view.ts
var NodesView = class {
  #list;
  constructor(page) {
    this.#list = new KeyedList(
      byId(page, "nodes", HTMLElement),
      ({ key }) => key,
      (row) => {
        const line2 = page.createElement("tr");
        const name = textElement(page, "th", "", row.name);
        name.scope = "row";
        line2.append(name, page.createElement("td"));
        line2.lastElementChild?.append(textElement(page, "span", "badge", ""));
        line2.append(...row.cells.map((_, index) => textElement(page, "td", isNumber(index, row) ? "number" : "", "")));
        return line2;
      },
      (line2, { cells, health }) => {
        const badge = line2.querySelector(".badge");
        if (badge !== null) {
          badge.textContent = health.word;
          badge.dataset["tone"] = health.tone;
        }
        cells.forEach((cell, index) => {
          const shown = line2.children[index + 2];
          if (shown !== void 0 && shown.textContent !== cell) {
            shown.textContent = cell;
          }
        });
      }
    );
  }
  draw(timeline, info, health) {
    const others = (info?.nodes ?? []).slice(1).map(otherRow);
    this.#list.draw(info === void 0 ? [] : [rowOf(timeline, info, health), ...others]);
  }
};
function rowOf(timeline, info, health) {
  const metrics = timeline.poll?.metrics;
  const number = (name, format) => {
    const value = metrics?.sum(name);
    return value === void 0 ? "n/a" : format(value);
  };
  const cpu = timeline.points.at(-1)?.values.get("cpu");
  const places = info.limits.connections;
  return {
    key: "this",
    name: info.node,
    health,
    cells: [
      info.version,
      formatAge(info.uptime),
      places === void 0 ? formatCount(info.lines) : `${formatCount(info.lines)} of ${formatCount(places)}`,
      typeof cpu === "number" ? formatValue(cpu, "cores") : cpu === "missing" ? "n/a" : "–",
      number("process_resident_memory_bytes", formatSize),
      `${number("process_open_fds", formatCount)} of ${number("process_max_fds", formatCount)}`,
      `${counted(info.history.messages, "message")} in ${counted(info.history.channels, "channel")}`
    ]
  };
}
function otherRow(node) {
  return {
    key: node.id,
    name: node.name,
    health: { word: "heard", tone: "good", sentence: void 0 },
    cells: [node.version, formatAge(node.uptime), formatCount(node.clients), "–", "–", "–", counted(node.channels, "channel")]
  };
}
function isNumber(index, { cells }) {
  return index > 0 && index < cells.length - 1;
}

// src/dashboard/scale.ts
var TOP_MIN = { count: 4, perSecond: 1, seconds: 1e-3, bytes: 1 << 20, cores: 0.1 };
var STEPS = [1, 2, 2.5, 5, 10];
function axisOf(max, unit, count = 3) {
  const reach = Math.max(Number.isFinite(max) ? max : 0, TOP_MIN[unit]);
  const step = unit === "bytes" ? byteStep(reach / count) : decimalStep(reach / count, unit === "count");
  const steps = Math.ceil(reach / step - 1e-9);
  return { top: steps * step, marks: Array.from({ length: steps + 1 }, (_, index) => Number((index * step).toPrecision(12))) };
}
function decimalStep(rough, isWhole) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = (STEPS.find((one) => one * power >= rough - power * 1e-9) ?? 10) * power;
  return isWhole ? Math.max(1, Math.ceil(step)) : Number(step.toPrecision(12));
}
function byteStep(rough) {
  return 2 ** Math.ceil(Math.log2(rough));
}
function timeMarks(from, to) {
  const step = to - from > 15e4 ? 6e4 : to - from > 75e3 ? 3e4 : 15e3;
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const time = formatTime(at);
    found.push({ at, label: step < 6e4 ? time : time.slice(0, 5) });
  }
  return found;
}

// src/ring.ts
var Ring = class {
  capacity;
  #values = [];
  #oldest = 0;
  constructor(capacity) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError("capacity must be a whole number above zero");
    }
    this.capacity = capacity;
  }
  get size() {
    return this.#values.length;
  }
  /** Returns the value that had to go, if one had to. */
  push(value) {
    if (this.#values.length < this.capacity) {
      this.#values.push(value);
      return void 0;
    }
    const evicted = this.#values[this.#oldest];
    this.#values[this.#oldest] = value;
    this.#oldest = (this.#oldest + 1) % this.capacity;
    return evicted;
  }
  /** All values, oldest first. */
  toArray() {
    return [...this.#values.slice(this.#oldest), ...this.#values.slice(0, this.#oldest)];
  }
  clear() {
    this.#values = [];
    this.#oldest = 0;
  }
};

// src/dashboard/plots.ts
var PLOTS = [
  {
    id: "connections",
    title: "Connections",
    unit: "count",
    isFilled: true,
    series: [
      line("sessions-websocket", "WebSocket", 0, gauge("openline_sessions", { transport: "websocket" })),
      line("sessions-sse", "SSE", 2, gauge("openline_sessions", { transport: "sse" })),
      line("sessions-poll", "polling", 5, gauge("openline_sessions", { transport: "poll" }))
    ]
  },
  {
    id: "messages",
    title: "Messages per second",
    unit: "perSecond",
    isFilled: true,
    series: [
      line("received", "in", 1, rate("openline_received_messages_total")),
      line("sent", "out", 0, rate("openline_sent_messages_total")),
      line("published", "published", 2, rate("openline_publications_total", { result: "accepted" }))
    ]
  },
  {
    id: "channels",
    title: "Channels and subscriptions",
    unit: "count",
    isFilled: true,
    series: [
      line("channels", "channels", 6, gauge("openline_channels")),
      line("subscriptions", "subscriptions", 0, gauge("openline_subscriptions"))
    ]
  },
  {
    id: "latency",
    title: "Delivery latency",
    unit: "seconds",
    isFilled: false,
    series: [
      line("p50", "p50", 0, quantile("openline_delivery_latency_seconds", 0.5)),
      line("p95", "p95", 2, quantile("openline_delivery_latency_seconds", 0.95)),
      line("p99", "p99", 3, quantile("openline_delivery_latency_seconds", 0.99))
    ]
  },
  {
    id: "drops",
    title: "Drops per second",
    unit: "perSecond",
    isFilled: false,
    series: [
      line("full", "queue full", 3, rate("openline_line_batches_total", { result: "full" })),
      line("slow", "slow, ended", 6, rate("openline_lines_closed_total", { code: "4006" })),
      line("overloaded", "overloaded", 2, rate("openline_publications_total", { result: "overloaded" })),
      line("webhook", "webhooks", 5, rate("openline_webhook_events_dropped_total"))
    ]
  },
  {
    id: "errors",
    title: "Errors per second",
    unit: "perSecond",
    isFilled: false,
    series: [
      line("errors", "answers", 2, rate("openline_errors_total")),
      line("turned-away", "turned away", 5, rate("openline_turned_away_total")),
      line("panics", "panics", 3, rate("openline_panics_total"))
    ]
  },
  {
    id: "cpu",
    title: "Processor",
    unit: "cores",
    isFilled: true,
    series: [line("cpu", "in use", 1, rate("process_cpu_seconds_total"))]
  },
  {
    id: "memory",
    title: "Memory",
    unit: "bytes",
    isFilled: true,
    series: [
      line("resident", "resident", 6, gauge("process_resident_memory_bytes")),
      line("history", "history", 2, gauge("openline_history_bytes"))
    ]
  }
];
function line(id, label, hue, reading) {
  return { id, label, hue, reading };
}
function gauge(name, labels = {}) {
  return { kind: "gauge", name, labels };
}
function rate(name, labels = {}) {
  return { kind: "rate", name, labels };
}
function quantile(name, share) {
  return { kind: "quantile", name, quantile: share };
}

// src/dashboard/quantile.ts
function quantileOf(q, buckets) {
  const total2 = buckets.at(-1)?.count ?? 0;
  if (!(total2 > 0)) {
    return void 0;
  }
  const rank = q * total2;
  const index = buckets.findIndex(({ count }) => count >= rank);
  const found = buckets[index];
  const before = buckets[index - 1] ?? { bound: 0, count: 0 };
  if (found === void 0 || found.bound === Number.POSITIVE_INFINITY) {
    return before.bound;
  }
  const inside = found.count - before.count;
  return inside === 0 ? found.bound : before.bound + (found.bound - before.bound) * ((rank - before.count) / inside);
}
function increaseOf(before, after) {
  if (before.length !== after.length) {
    return void 0;
  }
  const increase = after.map(({ bound, count }, index) => ({ bound, count: count - (before[index]?.count ?? 0) }));
  const isSame = increase.every(({ bound, count }, index) => count >= 0 && before[index]?.bound === bound);
  return isSame ? increase : void 0;
}

// src/dashboard/series.ts
var STARTED = "process_start_time_seconds";
function read(reading, before, now) {
  const earlier = before !== void 0 && isSameRun(before, now) ? before : void 0;
  switch (reading.kind) {
    case "gauge":
      return now.metrics.sum(reading.name, reading.labels) ?? "missing";
    case "rate":
      return rateOf(reading.name, reading.labels, earlier, now);
    case "quantile":
      return quantileBetween(reading.name, reading.quantile, earlier, now);
  }
}
function expressionOf(reading) {
  switch (reading.kind) {
    case "gauge":
      return seriesName(reading.name, reading.labels);
    case "rate":
      return `rate(${seriesName(reading.name, reading.labels)})`;
    case "quantile":
      return `histogram_quantile(${reading.quantile}, rate(${reading.name}_bucket))`;
  }
}
function rawSeries(reading) {
  return reading.kind === "quantile" ? `${reading.name}_count` : seriesName(reading.name, reading.labels);
}
function rawValue(reading, metrics) {
  return reading.kind === "quantile" ? metrics.sum(`${reading.name}_count`) : metrics.sum(reading.name, reading.labels);
}
function rateOf(name, labels, before, now) {
  const value = now.metrics.sum(name, labels);
  if (value === void 0) {
    return "missing";
  }
  const earlier = before?.metrics.sum(name, labels);
  if (before === void 0 || earlier === void 0 || value < earlier || now.at <= before.at) {
    return "unknown";
  }
  return (value - earlier) / ((now.at - before.at) / 1e3);
}
function quantileBetween(name, quantile2, before, now) {
  const after = bucketsOf(name, now.metrics);
  if (after.length === 0) {
    return "missing";
  }
  const increase = before === void 0 ? void 0 : increaseOf(bucketsOf(name, before.metrics), after);
  return (increase === void 0 ? void 0 : quantileOf(quantile2, increase)) ?? "unknown";
}
function bucketsOf(name, metrics) {
  const buckets = metrics.samples(`${name}_bucket`).map(({ labels, value }) => ({ bound: boundOf(labels["le"]), count: value }));
  return buckets.sort((a, b) => a.bound - b.bound);
}
function boundOf(le) {
  return le === void 0 || le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le);
}
function isSameRun(before, now) {
  return before.metrics.sum(STARTED) === now.metrics.sum(STARTED);
}

// src/dashboard/timeline.ts
var WINDOW_MS = 5 * 6e4;
var POINTS_MAX = 302;
var GAPS_MAX = 40;
var Timeline = class {
  #points = new Ring(POINTS_MAX);
  #gaps = new Ring(GAPS_MAX);
  #last;
  #open;
  /** Oldest first. */
  get points() {
    return this.#points.toArray();
  }
  get gaps() {
    return this.#open === void 0 ? this.#gaps.toArray() : [...this.#gaps.toArray(), this.#open];
  }
  /** The newest answer. */
  get poll() {
    return this.#last;
  }
  handlePoll(poll) {
    const before = this.#open === void 0 ? this.#last : void 0;
    if (this.#open !== void 0) {
      this.#gaps.push({ ...this.#open, to: poll.at });
      this.#open = void 0;
    }
    const all = PLOTS.flatMap(({ series }) => series);
    const point = { at: poll.at, values: new Map(all.map(({ id, reading }) => [id, read(reading, before, poll)])) };
    this.#points.push(point);
    this.#last = poll;
    return point;
  }
  clear() {
    this.#points.clear();
    this.#gaps.clear();
    this.#last = void 0;
    this.#open = void 0;
  }
  /** From the last answer on nothing is known, until there is another. */
  handleGap(reason, now) {
    this.#open = { from: this.#open?.from ?? this.#last?.at ?? now, to: void 0, reason };
  }
};
function runsOf(points, gaps, id) {
  const runs = [];
  let before;
  for (const point of points) {
    const value = point.values.get(id);
    const run = runs.at(-1);
    const earlier = before;
    const isCut = earlier === void 0 || gaps.some(({ from, to }) => from < point.at && (to ?? Number.POSITIVE_INFINITY) > earlier.at);
    if (typeof value !== "number") {
      before = void 0;
      continue;
    }
    if (run === void 0 || isCut) {
      runs.push([{ at: point.at, value }]);
    } else {
      run.push({ at: point.at, value });
    }
    before = point;
  }
  return runs;
}
function nearestPoint(points, at) {
  let best;
  for (const point of points) {
    if (best === void 0 || Math.abs(point.at - at) < Math.abs(best.at - at)) {
      best = point;
    }
  }
  return best;
}

// src/dashboard/chart.ts
var SVG = "http://www.w3.org/2000/svg";
var [LEFT, RIGHT, TOP, BOTTOM] = [52, 6, 8, 18];
var LABEL_WIDTH = 70;
var TIME_ROOM = 24;
var WORDS = { away: "no answer", paused: "paused" };
var Chart = class {
  #page;
  #plot;
  #svg;
  #width = 0;
  #height = 0;
  constructor(page, plot, box, onResize) {
    this.#page = page;
    this.#plot = plot;
    this.#svg = this.#element("svg", { "aria-hidden": "true" });
    box.append(this.#svg);
    new ResizeObserver(() => {
      this.#width = box.clientWidth;
      this.#height = box.clientHeight;
      this.#svg.setAttribute("viewBox", `0 0 ${this.#width} ${this.#height}`);
      onResize();
    }).observe(box);
  }
  /** The time at a distance from the left edge. */
  timeAt(x, { from, to }) {
    const share = (x - LEFT) / Math.max(1, this.#width - LEFT - RIGHT);
    return from + (to - from) * Math.min(1, Math.max(0, share));
  }
  draw(scene) {
    if (this.#width === 0) {
      return;
    }
    const values = scene.points.flatMap(
      ({ at: at2, values: values2 }) => at2 < scene.from ? [] : this.#plot.series.map(({ id }) => values2.get(id)).filter((value) => typeof value === "number")
    );
    const axis = axisOf(Math.max(0, ...values), this.#plot.unit);
    const at = new Projection(this.#width, this.#height, scene, axis);
    const note = scene.note === void 0 ? [] : [this.#text("plot-note", at.middle, this.#height / 2, scene.note)];
    this.#svg.replaceChildren(
      ...this.#grid(at, scene, axis),
      ...this.#gaps(at, scene),
      ...[...this.#plot.series].reverse().flatMap((series) => this.#lines(at, scene, series.id, series.hue)),
      ...this.#cross(at, scene),
      ...note
    );
  }
  #grid(at, scene, axis) {
    const rows = axis.marks.flatMap((mark) => {
      const y = at.y(mark);
      const line2 = this.#element("line", { class: mark === 0 ? "plot-floor" : "plot-grid", x1: at.left, x2: at.right, y1: y, y2: y });
      return [line2, this.#text("plot-mark", LEFT - 8, y + 4, formatValue(mark, this.#plot.unit))];
    });
    const times = timeMarks(scene.from, scene.to).filter((time) => at.x(time.at) > at.left + TIME_ROOM && at.x(time.at) < at.right - TIME_ROOM).map((time) => this.#text("plot-time", at.x(time.at), this.#height - 3, time.label));
    return [...rows, ...times];
  }
  #gaps(at, scene) {
    return scene.gaps.flatMap(({ from, to, reason }) => {
      const [x, end] = [Math.max(at.left, at.x(from)), Math.min(at.right, at.x(to ?? scene.to))];
      if (end <= x) {
        return [];
      }
      const rect = this.#element("rect", { class: "plot-gap", "data-reason": reason, x, y: TOP, width: end - x, height: at.floor - TOP });
      return end - x < LABEL_WIDTH ? [rect] : [rect, this.#text("plot-gap-label", (x + end) / 2, TOP + 14, WORDS[reason])];
    });
  }
  #lines(at, scene, id, hue) {
    return runsOf(scene.points, scene.gaps, id).flatMap((all) => {
      const first = Math.max(0, all.findIndex((point) => point.at >= scene.from) - 1);
      const run = (all.at(-1)?.at ?? 0) < scene.from ? [] : all.slice(first);
      const [start, end] = [run[0], run.at(-1)];
      if (start === void 0 || end === void 0) {
        return [];
      }
      if (run.length === 1) {
        return [this.#element("circle", { class: "plot-dot", "data-hue": hue, cx: at.x(start.at), cy: at.y(start.value), r: 2.5 })];
      }
      const path = run.map((point, index) => `${index === 0 ? "M" : "L"}${at.x(point.at)} ${at.y(point.value)}`).join("");
      const line2 = this.#element("path", { class: "plot-line", "data-hue": hue, d: path });
      const fill = this.#element("path", { class: "plot-fill", "data-hue": hue, d: `${path}V${at.floor}H${at.x(start.at)}Z` });
      return this.#plot.isFilled ? [fill, line2] : [line2];
    });
  }
  #cross(at, { pointed, from }) {
    if (pointed === void 0 || pointed.at < from) {
      return [];
    }
    const x = at.x(pointed.at);
    const dots = this.#plot.series.flatMap(({ id, hue }) => {
      const value = pointed.values.get(id);
      return typeof value === "number" ? [this.#element("circle", { class: "plot-pointed", "data-hue": hue, cx: x, cy: at.y(value), r: 4 })] : [];
    });
    return [this.#element("line", { class: "plot-cross", x1: x, x2: x, y1: TOP, y2: at.floor }), ...dots];
  }
  #text(name, x, y, content) {
    const text = this.#element("text", { class: name, x, y });
    text.textContent = content;
    return text;
  }
  #element(tag, attributes) {
    const made = this.#page.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) {
      made.setAttribute(name, String(value));
    }
    return made;
  }
};
var Projection = class {
  left = LEFT;
  right;
  floor;
  #scene;
  #top;
  constructor(width, height, scene, { top }) {
    this.right = width - RIGHT;
    this.floor = height - BOTTOM;
    this.#scene = scene;
    this.#top = top;
  }
  get middle() {
    return (this.left + this.right) / 2;
  }
  x(time) {
    const { from, to } = this.#scene;
    return rounded(this.left + (this.right - this.left) * Math.max(0, (time - from) / (to - from)));
  }
  y(value) {
    return rounded(this.floor - (this.floor - TOP) * Math.min(1, value / this.#top));
  }
};
function rounded(value) {
  return Math.round(value * 10) / 10;
}

// src/dashboard/crosshair.ts
var Crosshair = class {
  #onChange;
  #at;
  constructor(onChange) {
    this.#onChange = onChange;
  }
  get at() {
    return this.#at;
  }
  set(at) {
    if (at !== this.#at) {
      this.#at = at;
      this.#onChange();
    }
  }
};

// src/dashboard/plots-view.ts
var WINDOW_MS_MIN = 6e4;
var PAGE_STEP = 10;
var PlotsView = class {
  #page;
  #timeline;
  #cards;
  #crosshair;
  #to = 0;
  constructor(page, timeline) {
    this.#page = page;
    this.#timeline = timeline;
    this.#crosshair = new Crosshair(() => this.#draw());
    const box = byId(page, "plots", HTMLElement);
    this.#cards = PLOTS.map((plot) => new Card(page, plot, () => this.#draw()));
    box.replaceChildren(...this.#cards.map((card) => card.element));
    for (const card of this.#cards) {
      this.#listen(card);
    }
    page.addEventListener("pointerdown", ({ target }) => {
      if (!(target instanceof Element) || target.closest(".plot-area") === null) {
        this.#crosshair.set(void 0);
      }
    });
  }
  /** `to` is the right edge: now while the server is away, else the newest answer. */
  draw(to) {
    this.#to = to;
    this.#draw();
  }
  #draw() {
    const points = this.#timeline.points;
    const first = points[0]?.at ?? this.#to;
    const from = Math.max(this.#to - WINDOW_MS, Math.min(first, this.#to - WINDOW_MS_MIN));
    const pointed = this.#crosshair.at === void 0 ? void 0 : nearestPoint(points, this.#crosshair.at);
    for (const card of this.#cards) {
      card.draw({ points, gaps: this.#timeline.gaps, from, to: this.#to, pointed, note: void 0 }, this.#timeline);
    }
    const time = byId(this.#page, "cross-time", HTMLElement);
    time.textContent = pointed === void 0 ? "" : `at ${formatTime(pointed.at)}`;
  }
  #listen({ area, timeAt }) {
    const point = ({ clientX }) => {
      const at = timeAt(clientX);
      this.#crosshair.set(at === void 0 ? void 0 : nearestPoint(this.#timeline.points, at)?.at);
    };
    area.addEventListener("pointermove", point);
    area.addEventListener("pointerdown", point);
    area.addEventListener("pointerleave", ({ pointerType }) => pointerType !== "touch" && this.#crosshair.set(void 0));
    area.addEventListener("focus", () => {
      if (area.matches(":focus-visible")) {
        this.#crosshair.set(this.#timeline.points.at(-1)?.at);
      }
    });
    area.addEventListener("blur", () => this.#crosshair.set(void 0));
    area.addEventListener("keydown", (event) => {
      if (this.#handleKey(event.key)) {
        event.preventDefault();
      }
    });
  }
  #handleKey(key) {
    const points = this.#timeline.points.filter(({ at: at2 }) => at2 >= this.#to - WINDOW_MS);
    const last = points.length - 1;
    const at = this.#crosshair.at;
    const now = at === void 0 ? last : points.indexOf(nearestPoint(points, at));
    const moves = {
      ArrowLeft: now - 1,
      ArrowDown: now - 1,
      ArrowRight: now + 1,
      ArrowUp: now + 1,
      PageDown: now - PAGE_STEP,
      PageUp: now + PAGE_STEP,
      Home: 0,
      End: last
    };
    if (key === "Escape" && at !== void 0) {
      this.#crosshair.set(void 0);
      return true;
    }
    const next = moves[key];
    if (next === void 0 || last < 0) {
      return false;
    }
    this.#crosshair.set(points[Math.min(last, Math.max(0, next))]?.at);
    return true;
  }
};
var Card = class {
  element;
  area;
  #page;
  #plot;
  #chart;
  #legend = /* @__PURE__ */ new Map();
  #raw = /* @__PURE__ */ new Map();
  #scene;
  constructor(page, plot, onResize) {
    this.#page = page;
    this.#plot = plot;
    this.element = page.createElement("section");
    this.element.className = "card plot";
    this.element.dataset["plot"] = plot.id;
    const title = textElement(page, "h3", "plot-title", plot.title);
    title.id = `plot-${plot.id}`;
    this.element.setAttribute("aria-labelledby", title.id);
    const [button, table] = this.#makeRaw();
    const head = page.createElement("div");
    head.className = "plot-head";
    head.append(title, button);
    this.area = this.#makeArea();
    this.element.append(head, this.area, this.#makeLegend(), table);
    this.#chart = new Chart(page, plot, this.area, onResize);
  }
  /** The time below a place of the window. */
  timeAt = (clientX) => this.#scene === void 0 ? void 0 : this.#chart.timeAt(clientX - this.area.getBoundingClientRect().left, this.#scene);
  draw(scene, timeline) {
    const newest = scene.points.at(-1);
    const shown = scene.pointed ?? newest;
    const values = this.#plot.series.map(({ id }) => newest?.values.get(id));
    const note = values.every((value) => value === "missing") ? "The server does not report this." : noteOf(scene, this.#plot, newest);
    this.#scene = { ...scene, note };
    this.#chart.draw(this.#scene);
    this.element.dataset["at"] = String(newest?.at ?? "");
    for (const series of this.#plot.series) {
      this.#drawValue(series, shown?.values.get(series.id), newest?.values.get(series.id));
      this.#drawRaw(series, timeline);
    }
    this.#drawForReaders(shown, newest);
  }
  #drawValue({ id }, shown, newest) {
    const row = this.#legend.get(id);
    const text = row?.querySelector(".legend-value");
    if (row !== void 0 && text !== null && text !== void 0) {
      text.textContent = wordOf(shown, this.#plot);
      row.dataset["value"] = String(newest ?? "");
      row.classList.toggle("is-missing", shown === "missing");
    }
  }
  #drawRaw({ id, reading }, timeline) {
    const cell = this.#raw.get(id);
    if (cell !== void 0) {
      const value = timeline.poll === void 0 ? void 0 : rawValue(reading, timeline.poll.metrics);
      cell.textContent = value === void 0 ? "not reported" : String(value);
      cell.dataset["raw"] = String(value ?? "");
    }
  }
  #drawForReaders(shown, newest) {
    if (shown === void 0 || newest === void 0) {
      return;
    }
    const parts = this.#plot.series.map(({ id, label }) => `${label} ${wordOf(shown.values.get(id), this.#plot)}`);
    this.area.setAttribute("aria-valuenow", String(Math.round((shown.at - newest.at) / 1e3)));
    this.area.setAttribute("aria-valuetext", `${formatTime(shown.at)}: ${parts.join(", ")}`);
  }
  #makeArea() {
    const area = this.#page.createElement("div");
    area.className = "plot-area";
    area.tabIndex = 0;
    const attributes = { role: "slider", "aria-label": `${this.#plot.title}, seconds before now`, "aria-valuemin": String(-WINDOW_MS / 1e3), "aria-valuemax": "0", "aria-valuenow": "0" };
    for (const [name, value] of Object.entries(attributes)) {
      area.setAttribute(name, value);
    }
    return area;
  }
  #makeLegend() {
    const list = this.#page.createElement("ul");
    list.className = "legend";
    for (const { id, label, hue } of this.#plot.series) {
      const row = this.#page.createElement("li");
      row.dataset["series"] = id;
      const swatch = textElement(this.#page, "span", "swatch", "");
      swatch.dataset["hue"] = String(hue);
      row.append(swatch, textElement(this.#page, "span", "legend-label", label), textElement(this.#page, "span", "legend-value", "–"));
      this.#legend.set(id, row);
      list.append(row);
    }
    return list;
  }
  #makeRaw() {
    const list = this.#page.createElement("dl");
    list.className = "raw";
    list.id = `raw-${this.#plot.id}`;
    list.hidden = true;
    for (const { id, label, reading } of this.#plot.series) {
      const name = textElement(this.#page, "dt", "", `${label}: ${expressionOf(reading)}`);
      const value = textElement(this.#page, "dd", "", "–");
      value.dataset["series"] = rawSeries(reading);
      value.dataset["of"] = id;
      this.#raw.set(id, value);
      list.append(name, value);
    }
    const button = textElement(this.#page, "button", "raw-button", "raw");
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-controls", list.id);
    button.setAttribute("aria-label", `Raw series of: ${this.#plot.title}`);
    button.addEventListener("click", () => {
      list.hidden = !list.hidden;
      button.setAttribute("aria-expanded", String(!list.hidden));
    });
    return [button, list];
  }
};
function noteOf(scene, plot, newest) {
  if (newest === void 0) {
    return "Waiting for the first answer";
  }
  const isEmpty = !scene.points.some(({ values }) => plot.series.some(({ id }) => typeof values.get(id) === "number"));
  if (!isEmpty) {
    return void 0;
  }
  return plot.id === "latency" ? "Nothing was delivered yet" : "Waiting for the second answer";
}
function wordOf(value, { unit }) {
  if (value === "missing") {
    return "not reported";
  }
  return typeof value === "number" ? formatValue(value, unit) : "–";
}

// src/backoff.ts
var BASE_MS = 1e3;
var CAP_MS = 3e4;
var FLOOR_MS = 100;
function backoffDelay(attempt, random) {
  const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** attempt);
  return Math.max(FLOOR_MS, random * ceiling);
}

// src/dashboard/poller.ts
var ATTEMPT_MAX = 3;
var Poller = class {
  #ask;
  #onFeed;
  #around;
  #interval;
  #feed = { state: "starting" };
  #timer;
  /** Of the question under way; one that is not of this round is not heard. */
  #round = 0;
  #attempt = 0;
  #answeredAt;
  constructor(ask, onFeed, around, interval) {
    this.#ask = ask;
    this.#onFeed = onFeed;
    this.#around = around;
    this.#interval = interval;
  }
  get feed() {
    return this.#feed;
  }
  start() {
    this.#attempt = 0;
    this.#poll();
  }
  /** Nothing is asked or heard any more. */
  stop() {
    this.#round += 1;
    this.#setTimer(void 0);
  }
  pause() {
    this.stop();
    this.#show({ state: "paused" });
  }
  setInterval(milliseconds) {
    this.#interval = milliseconds;
    if (this.#feed.state === "live") {
      this.stop();
      this.#poll();
    }
  }
  #poll() {
    this.#setTimer(void 0);
    this.#round += 1;
    const round = this.#round;
    const begun = this.#around.now();
    this.#ask().then(
      () => round === this.#round && this.#handleAnswer(begun),
      (error) => round === this.#round && this.#handleFailure(error, begun)
    );
  }
  #handleAnswer(begun) {
    this.#attempt = 0;
    const now = this.#around.now();
    this.#answeredAt = now;
    this.#show({ state: "live", at: now });
    this.#setTimer(Math.max(0, begun + this.#interval - now));
  }
  #handleFailure(error, begun) {
    if (error instanceof ApiError && error.status === 401) {
      this.#show({ state: "refused", why: error.message });
      return;
    }
    const delay = backoffDelay(Math.min(this.#attempt, ATTEMPT_MAX), this.#around.random());
    this.#attempt += 1;
    const since = this.#feed.state === "away" ? this.#feed.since : this.#answeredAt ?? begun;
    this.#show({ state: "away", since, nextAt: this.#around.now() + delay, why: messageOf(error) });
    this.#setTimer(delay);
  }
  #show(feed) {
    this.#feed = feed;
    this.#onFeed(feed);
  }
  #setTimer(delay) {
    if (this.#timer !== void 0) {
      this.#around.clearTimeout(this.#timer);
    }
    this.#timer = delay === void 0 ? void 0 : this.#around.setTimeout(() => this.#poll(), delay);
  }
};

// src/dashboard/tiles.ts
var Tiles = class {
  #page;
  #parts = /* @__PURE__ */ new Map();
  constructor(page) {
    this.#page = page;
  }
  draw(timeline, info, health) {
    for (const { id, value, detail, tone } of tilesOf(timeline, info, health)) {
      const [first, second] = this.#parts.get(id) ?? this.#make(id, timeline, info, health);
      first.textContent = value;
      second.textContent = detail;
      first.dataset["tone"] = tone ?? "";
    }
  }
  #make(id, ...facts) {
    const title = tilesOf(...facts).find((tile) => tile.id === id)?.title ?? id;
    const box = textElement(this.#page, "div", "tile", "");
    box.dataset["tile"] = id;
    const parts = [textElement(this.#page, "dd", "tile-value", ""), textElement(this.#page, "dd", "tile-detail", "")];
    box.append(textElement(this.#page, "dt", "", title), ...parts);
    byId(this.#page, "tiles", HTMLElement).append(box);
    this.#parts.set(id, parts);
    return parts;
  }
};
function tilesOf(timeline, info, health) {
  const point = timeline.points.at(-1);
  const metrics = timeline.poll?.metrics;
  const value = (id) => point?.values.get(id);
  const count = (given, unit = "") => typeof given === "number" ? formatCount(given) + unit : wordFor(given);
  const seconds = (given) => typeof given === "number" ? formatSeconds(given) : wordFor(given);
  const places = metrics?.sum("openline_lines_max");
  const drops = total("drops", timeline);
  const queued = metrics?.sum("openline_shard_messages_waiting");
  return [
    { id: "node", title: "State", value: health.word, detail: health.sentence ?? (info === void 0 ? "" : `kept: ${info.level}`), tone: health.tone },
    { id: "connections", title: "Connections", value: count(total("connections", timeline)), detail: places === void 0 ? "no limit" : `of ${formatCount(places)} places` },
    { id: "in", title: "Messages in", value: count(value("received"), "/s"), detail: `${count(value("published"), "/s")} published` },
    { id: "out", title: "Messages out", value: count(value("sent"), "/s"), detail: queued === void 0 ? "" : `${formatCount(queued)} waiting` },
    { id: "channels", title: "Channels", value: count(value("channels")), detail: "with subscribers" },
    { id: "subscriptions", title: "Subscriptions", value: count(value("subscriptions")), detail: "of all clients" },
    { id: "delivery", title: "Delivery", value: seconds(value("p50")), detail: `p99 ${seconds(value("p99"))}` },
    { id: "drops", title: "Drops", value: count(drops, "/s"), detail: `${count(total("errors", timeline), "/s")} errors`, ...typeof drops === "number" && drops > 0 ? { tone: "bad" } : {} },
    { id: "uptime", title: "Uptime", value: info === void 0 ? "–" : formatShortAge(info.uptime), detail: timeline.poll === void 0 ? "" : `asked ${formatTime(timeline.poll.at)}` }
  ];
}
function total(plot, timeline) {
  const series = PLOTS.find(({ id }) => id === plot)?.series ?? [];
  const values = series.map(({ id }) => timeline.points.at(-1)?.values.get(id));
  const numbers = values.filter((value) => typeof value === "number");
  return numbers.length === 0 ? values[0] : numbers.reduce((sum, one) => sum + one, 0);
}
function wordFor(value) {
  return value === "missing" ? "n/a" : "–";
}

// src/dashboard/board.ts
var INTERVAL_MS = 2e3;
var LISTS_MS = 4e3;
var SECOND_MS = 1e3;
var Board = class {
  #page;
  #view;
  #onRefused;
  #tiles;
  #nodes;
  #feedView;
  #channelDrawer;
  #clientDrawer;
  #channels;
  #clients;
  #poller;
  #timeline = new Timeline();
  #plots;
  #api;
  #info;
  #listsAt = 0;
  #second;
  constructor(page, view, onRefused) {
    this.#page = page;
    this.#view = view;
    this.#onRefused = onRefused;
    this.#tiles = new Tiles(page);
    this.#nodes = new NodesView(page);
    this.#feedView = new FeedView(page);
    this.#plots = new PlotsView(page, this.#timeline);
    const confirm = new Confirm(page);
    const api = () => this.#required();
    const openClient = (client) => this.#clientDrawer.open(client);
    const openChannel = (channel) => this.#channelDrawer.open(channel);
    this.#channelDrawer = new ChannelDrawer(page, api, confirm, openClient);
    this.#clientDrawer = new ClientDrawer(page, api, confirm, () => this.#now(), openChannel);
    this.#channels = this.#makeChannels(openChannel);
    this.#clients = this.#makeClients(openClient);
    const around = {
      now: () => this.#now(),
      random: () => Math.random(),
      setTimeout: (then, milliseconds) => view.setTimeout(then, milliseconds),
      clearTimeout: (timer) => view.clearTimeout(timer)
    };
    this.#poller = new Poller(() => this.#poll(), (feed) => this.#handleFeed(feed), around, INTERVAL_MS);
    this.#listen();
  }
  start(api) {
    this.stop();
    this.#api = api;
    this.#poller.start();
    this.#second = this.#view.setInterval(() => this.#handleSecond(), SECOND_MS);
    this.#draw();
  }
  /** Nothing of what the key gave to see is kept. */
  stop() {
    this.#poller.stop();
    this.#view.clearInterval(this.#second);
    this.#api = void 0;
    this.#info = void 0;
    this.#listsAt = 0;
    this.#timeline.clear();
    this.#channels.clear();
    this.#clients.clear();
    this.#channelDrawer.close();
    this.#clientDrawer.close();
  }
  async #poll() {
    const api = this.#required();
    const metrics = api.metrics().then((text) => ({ at: this.#now(), metrics: Metrics.parse(text) }));
    const [poll, info] = await Promise.all([metrics, api.info()]);
    if (api === this.#api) {
      this.#timeline.handlePoll(poll);
      this.#info = info;
    }
  }
  #handleFeed(feed) {
    if (feed.state === "refused") {
      this.#onRefused(feed.why);
      return;
    }
    if (feed.state === "away" || feed.state === "paused") {
      this.#timeline.handleGap(feed.state, this.#now());
    }
    if (feed.state === "live" && this.#now() - this.#listsAt >= LISTS_MS) {
      this.#listsAt = this.#now();
      this.#channels.refresh();
      this.#clients.refresh();
    }
    this.#draw();
  }
  /** While there are no answers, only time goes on. */
  #handleSecond() {
    if (this.#poller.feed.state === "away") {
      this.#draw();
    }
  }
  #draw() {
    const { feed } = this.#poller;
    const health = healthOf(feed, this.#timeline.poll?.metrics, this.#info);
    this.#feedView.draw(feed, health, this.#info?.node, this.#now());
    this.#tiles.draw(this.#timeline, this.#info, health);
    this.#nodes.draw(this.#timeline, this.#info, health);
    this.#plots.draw(feed.state === "live" ? this.#timeline.poll?.at ?? this.#now() : this.#now());
  }
  #listen() {
    byId(this.#page, "pause", HTMLButtonElement).addEventListener("click", () => {
      if (this.#poller.feed.state === "paused") {
        this.#poller.start();
      } else {
        this.#poller.pause();
      }
    });
    byId(this.#page, "try-now", HTMLButtonElement).addEventListener("click", () => this.#poller.start());
    byId(this.#page, "interval", HTMLElement).addEventListener("change", ({ target }) => {
      if (target instanceof HTMLInputElement) {
        this.#poller.setInterval(Number(target.value));
      }
    });
  }
  #makeChannels(open) {
    const prefix = byId(this.#page, "channels-prefix", HTMLInputElement);
    byId(this.#page, "channels-form", HTMLFormElement).addEventListener("submit", () => {
      if (prefix.value.trim() !== "") {
        open(prefix.value.trim());
      }
    });
    return new ListPanel(this.#page, {
      id: "channels",
      filters: ["channels-prefix"],
      keyOf: ({ channel }) => channel,
      cells: ({ subscribers }) => [String(subscribers)],
      numbers: [true],
      load: (after, limit) => this.#required().channels(prefix.value.trim(), after, limit),
      open,
      empty: () => prefix.value.trim() === "" ? "No channel has subscribers." : "No channel with subscribers begins so. “Look into” opens one without."
    });
  }
  #makeClients(open) {
    const [user, channel] = ["clients-user", "clients-channel"].map((id) => byId(this.#page, id, HTMLInputElement));
    return new ListPanel(this.#page, {
      id: "clients",
      filters: ["clients-user", "clients-channel"],
      keyOf: ({ clientId }) => clientId,
      cells: (row) => [
        row.user ?? "–",
        row.transport,
        row.address,
        formatAge(this.#now() - row.connectedAt),
        String(row.subscriptions),
        formatSize(row.queuedBytes)
      ],
      numbers: [false, false, false, true, true, true],
      load: (after, limit) => this.#required().clients({ user: user.value.trim(), channel: channel.value.trim() }, after, limit),
      open,
      empty: () => user.value + channel.value === "" ? "Nobody is connected." : "No client is of that user and channel. Names have to be complete."
    });
  }
  #required() {
    if (this.#api === void 0) {
      throw new Error("there is no key");
    }
    return this.#api;
  }
  /** It never goes back, as a clock may that is set. */
  #now() {
    return this.#view.performance.timeOrigin + this.#view.performance.now();
  }
};

// src/dashboard/key.ts
var STORED = "openline.dashboard.key";
function keyOf(hash) {
  const given = /^#(?:.*&)?key=([^&]*)/.exec(hash)?.[1] ?? "";
  const key = decoded(given).trim();
  return key === "" ? void 0 : key;
}
function isKey(text) {
  return /^[\x21-\x7e]+$/.test(text);
}
var KeyKeeper = class {
  #view;
  constructor(view) {
    this.#view = view;
  }
  /** The key from the address, which is then without it, or that from before. */
  take() {
    const { location, history } = this.#view;
    const given = keyOf(location.hash);
    if (given === void 0) {
      return this.#storage?.getItem(STORED) ?? void 0;
    }
    history.replaceState(history.state, "", location.pathname + location.search);
    this.keep(given);
    return given;
  }
  keep(key) {
    this.#storage?.setItem(STORED, key);
  }
  forget() {
    this.#storage?.removeItem(STORED);
  }
  /** A browser that forbids storage asks again after a reload. */
  get #storage() {
    try {
      return this.#view.sessionStorage;
    } catch {
      return void 0;
    }
  }
};
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// src/dashboard/page.ts
var DashboardPage = class {
  #page;
  #view;
  #keeper;
  #board;
  constructor(page, view) {
    this.#page = page;
    this.#view = view;
    this.#keeper = new KeyKeeper(view);
    this.#board = new Board(page, view, (why) => this.#leave(`The server does not take this key: ${why}.`));
    byId(page, "entry-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    byId(page, "forget", HTMLButtonElement).addEventListener("click", () => this.#leave(void 0));
    view.addEventListener("hashchange", () => {
      const key2 = keyOf(view.location.hash) === void 0 ? void 0 : this.#keeper.take();
      if (key2 !== void 0) {
        this.#enter(key2);
      }
    });
    const key = this.#keeper.take();
    if (key === void 0) {
      this.#ask(void 0);
    } else {
      this.#enter(key);
    }
  }
  #submit() {
    const key = byId(this.#page, "key", HTMLInputElement).value.trim();
    this.#keeper.keep(key);
    this.#enter(key);
    if (isKey(key)) {
      byId(this.#page, "main", HTMLElement).focus();
    }
  }
  #enter(key) {
    if (!isKey(key)) {
      this.#leave("A key has letters, digits and signs, and no spaces between them.");
      return;
    }
    byId(this.#page, "key", HTMLInputElement).value = "";
    byId(this.#page, "entry", HTMLElement).hidden = true;
    byId(this.#page, "board", HTMLElement).hidden = false;
    this.#board.start(new Api(this.#view.fetch.bind(this.#view), this.#page.baseURI, key));
  }
  /** The key is not used any more: it is none that the server takes, or it is to be forgotten. */
  #leave(why) {
    this.#keeper.forget();
    this.#board.stop();
    this.#ask(why);
  }
  #ask(why) {
    byId(this.#page, "board", HTMLElement).hidden = true;
    byId(this.#page, "entry", HTMLElement).hidden = false;
    const error = byId(this.#page, "entry-error", HTMLElement);
    error.hidden = why === void 0;
    error.textContent = why ?? "";
    const key = byId(this.#page, "key", HTMLInputElement);
    key.focus();
    key.select();
  }
};

// src/dashboard/main.ts
new DashboardPage(document, window);
