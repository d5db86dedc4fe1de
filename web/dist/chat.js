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
function submitOnEnter(area, form) {
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
}

// src/endpoint.ts
var GENERAL = "general";
function webSocketUrl(page, path) {
  const url = new URL(path, page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
function chatPath(room) {
  return room === GENERAL ? "chat" : `chat/${encodeURIComponent(room)}`;
}
function roomName(input) {
  const name = input.trim();
  return name === "" || name === "." || name === ".." ? GENERAL : name;
}

// src/chat/room-view.ts
var SAME_HEADING_MS = 5 * 6e4;
var FOLLOW_PX = 48;
var HUES = 8;
var RoomView = class {
  #elements;
  #drawn = /* @__PURE__ */ new Map();
  #users;
  #following = true;
  constructor(elements) {
    this.#elements = elements;
    const { messages } = elements;
    messages.addEventListener("scroll", () => {
      this.#following = messages.scrollHeight - messages.scrollTop - messages.clientHeight < FOLLOW_PX;
    });
    new ResizeObserver(() => this.#follow()).observe(messages);
  }
  draw(room) {
    this.#drawLines(room.lines);
    this.#drawUsers(room.users);
    setText(this.#elements.userCount, String(room.userCount));
    setText(this.#elements.typing, typingText([...room.typists.keys()]));
  }
  #drawLines(lines) {
    const { messages } = this.#elements;
    const drawn = /* @__PURE__ */ new Map();
    const added = [];
    lines.forEach((line, at) => {
      const old = this.#drawn.get(line.key);
      const element = old ?? lineElement(messages.ownerDocument, line, lines[at - 1]);
      drawn.set(line.key, element);
      this.#drawn.delete(line.key);
      if (old === void 0) {
        added.push(element);
      }
    });
    this.#drawn.forEach((gone) => gone.remove());
    this.#drawn = drawn;
    messages.append(...added);
    if (added.length > 0) {
      this.#follow();
    }
  }
  /** To the end, unless the reader went up to read something older. */
  #follow() {
    if (this.#following) {
      const { messages } = this.#elements;
      messages.scrollTop = messages.scrollHeight;
    }
  }
  #drawUsers(users) {
    if (users !== this.#users) {
      this.#users = users;
      const { users: list } = this.#elements;
      list.replaceChildren(...users.map((person) => userElement(list.ownerDocument, person)));
    }
  }
};
function typingText(names) {
  const [first, second, ...others] = names;
  if (first === void 0) {
    return "";
  }
  if (second === void 0) {
    return `${first} is typing…`;
  }
  return others.length === 0 ? `${first} and ${second} are typing…` : "Several people are typing…";
}
function hueOf(name) {
  let hash = 0;
  for (const character of name) {
    hash = hash * 31 + (character.codePointAt(0) ?? 0) >>> 0;
  }
  return hash % HUES;
}
function lineElement(page, line, before) {
  const row = page.createElement("div");
  row.className = `line line-${line.kind}`;
  row.dataset["kind"] = line.kind;
  if (line.kind !== "chat") {
    row.append(isolated(textElement(page, "p", "line-text", line.text)), timeElement(page, line.timestamp));
    return row;
  }
  row.dataset["mine"] = String(line.mine);
  row.dataset["continues"] = String(continues(line, before));
  row.append(
    avatar(page, line.username),
    isolated(textElement(page, "span", "line-name", line.username)),
    timeElement(page, line.timestamp),
    isolated(textElement(page, "p", "line-text", line.text))
  );
  return row;
}
function continues(line, before) {
  return line.kind === "chat" && before?.kind === "chat" && before.username === line.username && before.mine === line.mine && line.timestamp - before.timestamp < SAME_HEADING_MS;
}
function userElement(page, person) {
  const item = page.createElement("li");
  item.dataset["status"] = person.status ?? "online";
  item.append(avatar(page, person.username), isolated(textElement(page, "span", "user-name", person.username)));
  if (person.status !== void 0 && person.status !== "online") {
    item.append(isolated(textElement(page, "span", "user-status", person.status)));
  }
  return item;
}
function avatar(page, name) {
  const circle = textElement(page, "span", "avatar", [...name.trim()][0]?.toUpperCase() ?? "?");
  circle.dataset["hue"] = String(hueOf(name));
  circle.setAttribute("aria-hidden", "true");
  return circle;
}
function timeElement(page, timestamp) {
  const date = new Date(timestamp);
  const element = textElement(page, "time", "line-time", "");
  if (!Number.isNaN(date.getTime())) {
    element.textContent = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    element.setAttribute("datetime", date.toISOString());
    element.title = date.toLocaleString();
  }
  return element;
}
function isolated(element) {
  element.dir = "auto";
  return element;
}
function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

// src/backoff.ts
var BASE_MS = 1e3;
var CAP_MS = 3e4;
var FLOOR_MS = 100;
function backoffDelay(attempt, random) {
  const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** attempt);
  return Math.max(FLOOR_MS, random * ceiling);
}

// src/close-policy.ts
var STOP = /* @__PURE__ */ new Set([1e3, 1002, 1003, 1007, 1008, 1009, 1010, 4001, 4002, 4005]);
var WAIT = /* @__PURE__ */ new Set([1013, 4003, 4004]);
var SESSION_EXPIRED = 4e3;
function closePolicy(code) {
  if (STOP.has(code) || code === SESSION_EXPIRED) {
    return "stop";
  }
  return WAIT.has(code) ? "wait" : "retry";
}

// src/chat/message.ts
var SECONDS_MAX = 1e11;
function parseServerMessage(json, now) {
  const top = parseObject(json);
  if (top === void 0) {
    return void 0;
  }
  const fields = { ...isFields(top["data"]) ? top["data"] : {}, ...top };
  switch (fields["type"]) {
    case "welcome":
      return { type: "welcome", clientId: firstText(fields, "clientId") ?? "" };
    case "history":
      return { type: "history", messages: records(fields["messages"]).map((record) => chatMessage(record, now)) };
    case "userList":
      return userList(fields);
    case "chat":
      return { type: "chat", message: chatMessage(fields, now) };
    case "system":
      return { type: "system", text: firstText(fields, "text", "message", "data") ?? "" };
    case "typing":
      return { type: "typing", user: firstText(fields, "user") ?? "", isTyping: fields["isTyping"] === true };
    case "presence":
      return { type: "presence", list: people(fields["list"]) };
    case "error":
      return { type: "error", text: firstText(fields, "message", "error", "text", "detail", "code") ?? "unknown error" };
    default:
      return void 0;
  }
}
function userList(fields) {
  const users = people(fields["users"]);
  const count = fields["count"];
  return { type: "userList", count: typeof count === "number" ? count : users.length, users };
}
function chatMessage(fields, now) {
  const username = firstText(fields, "username", "sender", "from") ?? "?";
  return {
    username,
    clientId: [fields["from"], fields["sender"]].filter(isText).find((value) => value !== username),
    text: firstText(fields, "text") ?? "",
    timestamp: milliseconds(fields["timestamp"]) ?? now
  };
}
function people(value) {
  return (Array.isArray(value) ? value : []).flatMap((entry) => {
    if (isText(entry)) {
      return [{ username: entry, status: void 0 }];
    }
    const username = isFields(entry) ? firstText(entry, "username", "user", "name", "userId", "clientId") : void 0;
    return username !== void 0 && isFields(entry) ? [{ username, status: firstText(entry, "status") }] : [];
  });
}
function milliseconds(value) {
  const time = typeof value === "string" ? Date.parse(value) : value;
  if (typeof time !== "number" || !Number.isFinite(time)) {
    return void 0;
  }
  return time < SECONDS_MAX ? time * 1e3 : time;
}
function parseObject(json) {
  try {
    const value = JSON.parse(json);
    return isFields(value) ? value : void 0;
  } catch {
    return void 0;
  }
}
function records(value) {
  return Array.isArray(value) ? value.filter(isFields) : [];
}
function firstText(fields, ...names) {
  return names.map((name) => fields[name]).find(isText);
}
function isFields(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function isText(value) {
  return typeof value === "string" && value !== "";
}

// src/chat/phase.ts
var TRANSITIONS = {
  closed: { join: "connecting" },
  connecting: { join: "connecting", opened: "open", lost: "waiting", ended: "closed" },
  open: { join: "connecting", lost: "waiting", ended: "closed" },
  waiting: { join: "connecting", due: "connecting", ended: "closed" }
};
function nextPhase(phase, event) {
  return TRANSITIONS[phase][event] ?? phase;
}

// src/chat/room.ts
var EMPTY_ROOM = {
  clientId: void 0,
  lines: [],
  keyNext: 0,
  users: [],
  userCount: 0,
  typists: /* @__PURE__ */ new Map()
};
var LINES_MAX = 500;
var TYPISTS_MAX = 50;
var TYPING_MS = 6e3;
function handleServerMessage(room, message, viewer) {
  switch (message.type) {
    case "welcome":
      return { ...room, clientId: message.clientId };
    case "history":
      return withHistory(room, message.messages, viewer);
    case "userList":
      return { ...room, users: withStatuses(message.users, room.users), userCount: message.count };
    case "chat":
      return withChat(room, message.message, viewer);
    case "system":
      return withNotice(room, "system", message.text, viewer.now);
    case "typing":
      return message.user === viewer.name ? room : withTypist(room, message.user, message.isTyping, viewer.now);
    case "presence":
      return withPresence(room, message.list);
    case "error":
      return withNotice(room, "error", message.text, viewer.now);
  }
}
function handleTypingTimeout(room, now) {
  const typists = new Map([...room.typists].filter(([, until]) => until > now));
  return typists.size === room.typists.size ? room : { ...room, typists };
}
function handleLost(room) {
  return { ...EMPTY_ROOM, lines: room.lines, keyNext: room.keyNext };
}
function withHistory(room, messages, viewer) {
  const cleared = { ...room, lines: [] };
  return messages.slice(-LINES_MAX).reduce((grown, message) => withChatLine(grown, message, viewer), cleared);
}
function withChat(room, message, viewer) {
  return withTypist(withChatLine(room, message, viewer), message.username, false, viewer.now);
}
function withChatLine(room, message, viewer) {
  const { username, text, timestamp } = message;
  return withLine(room, { kind: "chat", key: room.keyNext, text, timestamp, username, mine: isMine(room, message, viewer) });
}
function withNotice(room, kind, text, timestamp) {
  return withLine(room, { kind, key: room.keyNext, text, timestamp });
}
function withLine(room, line) {
  return { ...room, lines: [...room.lines, line].slice(-LINES_MAX), keyNext: room.keyNext + 1 };
}
function withTypist(room, user, isTyping, now) {
  const typists = new Map(room.typists);
  typists.delete(user);
  if (isTyping && typists.size < TYPISTS_MAX) {
    typists.set(user, now + TYPING_MS);
  }
  return { ...room, typists };
}
function withPresence(room, list) {
  const users = room.users.length > 0 ? room.users : list;
  return { ...room, users: withStatuses(users.map(({ username }) => ({ username, status: void 0 })), list) };
}
function withStatuses(people2, known) {
  const statuses = new Map(known.map(({ username, status }) => [username, status]));
  return people2.map((person) => person.status === void 0 ? { ...person, status: statuses.get(person.username) } : person);
}
function isMine(room, message, viewer) {
  return message.clientId === void 0 ? message.username === viewer.name : message.clientId === room.clientId;
}

// src/chat/session.ts
var STABLE_MS = 1e4;
var WAIT_MS = 3e4;
var TYPING_REPEAT_MS = 2500;
var TYPING_PAUSE_MS = 3e3;
var ChatSession = class {
  #phase = "closed";
  #room = EMPTY_ROOM;
  #name = "";
  #roomName = "";
  #away = false;
  #notice = "";
  #attempt = 0;
  #effects = [];
  #retryAt;
  #stableAt;
  #typingSaidAt;
  #typingEndsAt;
  #random;
  constructor(random) {
    this.#random = random;
  }
  get phase() {
    return this.#phase;
  }
  get room() {
    return this.#room;
  }
  get roomName() {
    return this.#roomName;
  }
  /** Why there is no line, in words for people; empty while there is nothing to say. */
  get notice() {
    return this.#notice;
  }
  /** When the next reconnect is due; undefined unless waiting for one. */
  get retryAt() {
    return this.#retryAt;
  }
  pollEffect() {
    return this.#effects.shift();
  }
  /** When `handleTimeout` wants to be called, if nothing else happens first. */
  pollTimeout() {
    const times = [this.#retryAt, this.#stableAt, this.#typingEndsAt, ...this.#room.typists.values()];
    return times.filter((time) => time !== void 0).sort((a, b) => a - b)[0];
  }
  /** A new name on the same line, or a line to another room. */
  handleJoin(name, roomName2) {
    this.#name = name;
    if (this.#phase === "open" && roomName2 === this.#roomName) {
      this.#sendJoin();
      return;
    }
    if (roomName2 !== this.#roomName) {
      this.#room = EMPTY_ROOM;
    }
    this.#roomName = roomName2;
    this.#attempt = 0;
    this.#connect("join");
  }
  handleLeave() {
    this.#effects.push({ type: "disconnect" });
    this.#lose("ended", "You left the room.");
  }
  /** The network came back or the page was shown again: no reason to sit out the wait. */
  handleOnline() {
    if (this.#phase === "waiting") {
      this.#connect("due");
    }
  }
  handleOpen() {
    this.#phase = nextPhase(this.#phase, "opened");
    this.#notice = "";
    this.#sendJoin();
    this.#sendPresence();
  }
  handleMessage(json, now) {
    const message = parseServerMessage(json, now);
    if (message === void 0) {
      return;
    }
    if (message.type === "welcome") {
      this.#stableAt = now + STABLE_MS;
    }
    this.#room = handleServerMessage(this.#room, message, { name: this.#name, now });
  }
  handleClose(code, reason, now) {
    const policy = closePolicy(code);
    const why = reason === "" ? `${code}` : `${code}, ${reason}`;
    if (policy === "stop") {
      this.#lose("ended", `The server closed the line (${why}).`);
      return;
    }
    this.#lose("lost", this.#phase === "open" ? `The line was lost (${why}).` : `No connection (${why}).`);
    this.#retryAt = now + backoffDelay(this.#attempt, this.#random()) + (policy === "wait" ? WAIT_MS : 0);
    this.#attempt += 1;
  }
  handleSubmit(text) {
    if (this.#phase !== "open" || text.trim() === "") {
      return;
    }
    this.#send({ type: "chat", text });
    this.#endTyping();
  }
  /** The composer changed; `text` is all of it. */
  handleComposing(text, now) {
    if (this.#phase !== "open") {
      return;
    }
    if (text === "") {
      this.#endTyping();
      return;
    }
    this.#typingEndsAt = now + TYPING_PAUSE_MS;
    if (this.#typingSaidAt === void 0 || now - this.#typingSaidAt >= TYPING_REPEAT_MS) {
      this.#typingSaidAt = now;
      this.#send({ type: "typing", isTyping: true });
    }
  }
  handleVisibility(hidden) {
    this.#away = hidden;
    if (this.#phase === "open") {
      this.#sendPresence();
    }
  }
  handleTimeout(now) {
    if (isDue(this.#stableAt, now)) {
      this.#stableAt = void 0;
      this.#attempt = 0;
    }
    if (isDue(this.#typingEndsAt, now)) {
      this.#endTyping();
    }
    if (isDue(this.#retryAt, now)) {
      this.#connect("due");
    }
    this.#room = handleTypingTimeout(this.#room, now);
  }
  #connect(event) {
    this.#phase = nextPhase(this.#phase, event);
    this.#retryAt = void 0;
    this.#forgetTimers();
    this.#effects.push({ type: "connect", room: this.#roomName });
  }
  #lose(event, notice) {
    this.#phase = nextPhase(this.#phase, event);
    this.#retryAt = void 0;
    this.#notice = notice;
    this.#forgetTimers();
    this.#room = handleLost(this.#room);
  }
  #forgetTimers() {
    this.#stableAt = void 0;
    this.#typingSaidAt = void 0;
    this.#typingEndsAt = void 0;
  }
  #endTyping() {
    if (this.#typingSaidAt !== void 0) {
      this.#send({ type: "typing", isTyping: false });
    }
    this.#typingSaidAt = void 0;
    this.#typingEndsAt = void 0;
  }
  #sendJoin() {
    this.#send({ type: "join", username: this.#name, room: this.#roomName });
  }
  #sendPresence() {
    this.#send({ type: "setPresence", status: this.#away ? "away" : "online" });
  }
  #send(message) {
    this.#effects.push({ type: "send", text: JSON.stringify(message) });
  }
};
function isDue(time, now) {
  return time !== void 0 && time <= now;
}

// src/chat/socket.ts
var Socket = class {
  #events;
  #current;
  constructor(events) {
    this.#events = events;
  }
  open(url) {
    this.drop();
    const socket = new WebSocket(url);
    this.#current = socket;
    this.#hear(socket, "open", () => this.#events.onOpen());
    this.#hear(socket, "message", ({ data }) => {
      if (typeof data === "string") {
        this.#events.onMessage(data);
      }
    });
    this.#hear(socket, "close", ({ code, reason }) => {
      this.#current = void 0;
      this.#events.onClose(code, reason);
    });
  }
  send(text) {
    if (this.#current?.readyState === WebSocket.OPEN) {
      this.#current.send(text);
    }
  }
  drop() {
    const socket = this.#current;
    this.#current = void 0;
    socket?.close(1e3);
  }
  #hear(socket, name, act) {
    socket.addEventListener(name, (event) => {
      if (socket === this.#current) {
        act(event);
      }
    });
  }
};

// src/chat/page.ts
var STATE_TEXT = {
  closed: "closed",
  connecting: "connecting",
  open: "open",
  waiting: "reconnecting"
};
var DRAW_MS = 16;
var COUNTDOWN_MS = 500;
var NAME_KEY = "openline.chat.name";
var ChatPage = class {
  #page;
  #elements;
  #view;
  #session = new ChatSession(Math.random);
  #socket;
  #drawTimer;
  #sessionTimer;
  constructor(page, view) {
    this.#page = page;
    this.#elements = findElements(page);
    this.#view = new RoomView(this.#elements);
    this.#socket = new Socket({
      onOpen: () => this.#handleOpen(),
      onMessage: (json) => this.#after(() => this.#session.handleMessage(json, Date.now())),
      onClose: (code, reason) => this.#after(() => this.#session.handleClose(code, reason, Date.now()))
    });
    this.#prefill();
    this.#listen(view);
    this.#draw();
  }
  #prefill() {
    const { name, room } = this.#elements;
    name.defaultValue = `Guest ${100 + Math.floor(Math.random() * 900)}`;
    name.value = storedName() ?? name.defaultValue;
    room.value = roomName(new URL(this.#page.location.href).searchParams.get("room") ?? "");
  }
  #listen(view) {
    const { joinForm, leave, reconnect, composeForm, composer } = this.#elements;
    joinForm.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#join();
    });
    reconnect.addEventListener("click", () => this.#join());
    leave.addEventListener("click", () => this.#after(() => this.#session.handleLeave()));
    composeForm.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    submitOnEnter(composer, composeForm);
    composer.addEventListener("input", () => this.#after(() => this.#session.handleComposing(composer.value, Date.now())));
    this.#page.addEventListener(
      "visibilitychange",
      () => this.#after(() => this.#session.handleVisibility(this.#page.hidden))
    );
    for (const name of ["online", "pageshow"]) {
      view.addEventListener(name, () => this.#after(() => this.#session.handleOnline()));
    }
  }
  #join() {
    const { name, room } = this.#elements;
    name.value = name.value.trim() || name.defaultValue;
    room.value = roomName(room.value);
    storeName(name.value);
    this.#after(() => {
      this.#session.handleVisibility(this.#page.hidden);
      this.#session.handleJoin(name.value, room.value);
    });
    const here = new URL(this.#page.location.href);
    here.searchParams.set("room", room.value);
    this.#page.defaultView?.history.replaceState(null, "", here);
  }
  #submit() {
    const { composer } = this.#elements;
    if (this.#session.phase === "open") {
      this.#after(() => this.#session.handleSubmit(composer.value));
      composer.value = "";
    }
    composer.focus();
  }
  #handleOpen() {
    this.#after(() => this.#session.handleOpen());
    this.#draw();
    const { joinForm, composer } = this.#elements;
    if (joinForm.contains(this.#page.activeElement)) {
      composer.focus();
    }
  }
  /** Tells the session something, then does and shows what follows from it. */
  #after(tell) {
    tell();
    for (let effect = this.#session.pollEffect(); effect !== void 0; effect = this.#session.pollEffect()) {
      switch (effect.type) {
        case "connect":
          this.#socket.open(webSocketUrl(this.#page.location.href, chatPath(effect.room)));
          break;
        case "send":
          this.#socket.send(effect.text);
          break;
        case "disconnect":
          this.#socket.drop();
          break;
      }
    }
    this.#schedule();
  }
  #schedule() {
    this.#drawTimer ??= setTimeout(() => this.#draw(), DRAW_MS);
    clearTimeout(this.#sessionTimer);
    const due = this.#session.pollTimeout();
    if (due !== void 0) {
      const wait = Math.max(0, due - Date.now());
      this.#sessionTimer = setTimeout(() => this.#after(() => this.#session.handleTimeout(Date.now())), wait);
    }
  }
  #draw() {
    clearTimeout(this.#drawTimer);
    this.#drawTimer = void 0;
    this.#view.draw(this.#session.room);
    this.#drawPhase();
  }
  #drawPhase() {
    const { phase, notice, retryAt } = this.#session;
    const page = this.#elements;
    page.state.textContent = STATE_TEXT[phase];
    page.state.dataset["state"] = phase;
    page.leave.hidden = phase === "closed";
    page.send.disabled = phase !== "open";
    page.join.textContent = phase === "open" ? "Update" : "Join";
    page.welcome.hidden = this.#session.roomName !== "";
    page.roomTitle.textContent = this.#session.roomName || page.room.value;
    page.notice.hidden = notice === "" || phase === "open";
    if (page.noticeText.textContent !== notice) {
      page.noticeText.textContent = notice;
    }
    page.countdown.textContent = retryAt === void 0 ? "" : `Next try in ${secondsUntil(retryAt)} s.`;
    if (retryAt !== void 0) {
      this.#drawTimer ??= setTimeout(() => this.#draw(), COUNTDOWN_MS);
    }
  }
};
function findElements(page) {
  const element = (id) => byId(page, id, HTMLElement);
  const form = (id) => byId(page, id, HTMLFormElement);
  const input = (id) => byId(page, id, HTMLInputElement);
  const button = (id) => byId(page, id, HTMLButtonElement);
  return {
    joinForm: form("join-form"),
    name: input("name"),
    room: input("room"),
    join: button("join"),
    leave: button("leave"),
    state: element("state"),
    notice: element("notice"),
    noticeText: element("notice-text"),
    countdown: element("countdown"),
    reconnect: button("reconnect"),
    roomTitle: element("room-title"),
    welcome: element("welcome"),
    messages: element("messages"),
    typing: element("typing"),
    composeForm: form("compose-form"),
    composer: byId(page, "composer", HTMLTextAreaElement),
    send: button("send"),
    users: element("users"),
    userCount: element("user-count")
  };
}
function secondsUntil(time) {
  return Math.max(1, Math.ceil((time - Date.now()) / 1e3));
}
function storedName() {
  try {
    return sessionStorage.getItem(NAME_KEY);
  } catch {
    return null;
  }
}
function storeName(name) {
  try {
    sessionStorage.setItem(NAME_KEY, name);
  } catch {
  }
}

// src/chat/main.ts
new ChatPage(document, window);
