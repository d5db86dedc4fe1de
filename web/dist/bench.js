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
function webSocketUrl(page, path) {
  const url = new URL(path, page);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
function parseSubprotocols(input) {
  return input.split(/[\s,]+/).filter((name) => name !== "");
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
function formatDuration(milliseconds) {
  const decimals = milliseconds < 10 ? 2 : milliseconds < 100 ? 1 : 0;
  return `${milliseconds.toFixed(decimals)} ms`;
}
function formatClock(date) {
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits);
  return `${hours}:${minutes}:${seconds}.${String(date.getMilliseconds()).padStart(3, "0")}`;
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
function twoDigits(value) {
  return String(value).padStart(2, "0");
}

// src/hex.ts
function parseHex(text) {
  const groups = text.split(/[\s,:-]+/).filter((group) => group !== "");
  const digits = groups.map((group) => group.replace(/^0x/i, ""));
  for (const group of digits) {
    const stray = /[^0-9a-f]/i.exec(group);
    if (stray !== null) {
      return { ok: false, error: `“${stray[0]}” is not a hex digit` };
    }
    if (group.length % 2 !== 0) {
      return { ok: false, error: `“${group}” has an odd number of digits` };
    }
  }
  return { ok: true, bytes: decode(digits.join("")) };
}
function formatHex(bytes, bytesMax = 64) {
  const pairs = Array.from(bytes.subarray(0, bytesMax), (byte) => byte.toString(16).padStart(2, "0"));
  const left = bytes.length - pairs.length;
  return left > 0 ? `${pairs.join(" ")} … ${left} more` : pairs.join(" ");
}
function decode(digits) {
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at += 1) {
    bytes[at] = Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16);
  }
  return bytes;
}

// src/random-bytes.ts
var CHUNK_BYTES_MAX = 65536;
function randomBytes(size, fill) {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += CHUNK_BYTES_MAX) {
    fill(bytes.subarray(at, at + CHUNK_BYTES_MAX));
  }
  return bytes;
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

// src/bench/exchange.ts
var Exchange = class {
  #pending = [];
  #roundTrips;
  #last;
  #sent = { messages: 0, bytes: 0 };
  #received = { messages: 0, bytes: 0 };
  #pendingMax;
  constructor(pendingMax = 1e4, roundTripsMax = 500) {
    this.#pendingMax = pendingMax;
    this.#roundTrips = new Ring(roundTripsMax);
  }
  get sent() {
    return this.#sent;
  }
  get received() {
    return this.#received;
  }
  get roundTrips() {
    if (this.#last === void 0) {
      return void 0;
    }
    const sorted = this.#roundTrips.toArray().sort((a, b) => a - b);
    const best = sorted[0] ?? this.#last;
    const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? this.#last;
    return { last: this.#last, best, median };
  }
  handleSent(kind, size, now) {
    this.#sent = added(this.#sent, size);
    if (this.#pending.length === this.#pendingMax) {
      this.#pending.shift();
    }
    this.#pending.push({ kind, size, sentAt: now });
  }
  /** Returns the round trip in milliseconds when this looks like an echo. */
  handleReceived(kind, size, now) {
    this.#received = added(this.#received, size);
    const at = this.#pending.findIndex((sent2) => sent2.kind === kind && sent2.size === size);
    const sent = this.#pending[at];
    if (sent === void 0) {
      return void 0;
    }
    this.#pending.splice(0, at + 1);
    this.#last = now - sent.sentAt;
    this.#roundTrips.push(this.#last);
    return this.#last;
  }
  /** What was out on the old line will not come back on the new one. */
  handleClosed() {
    this.#pending = [];
  }
  /** Back to zero; messages in flight are still waited for. */
  clear() {
    this.#sent = { messages: 0, bytes: 0 };
    this.#received = { messages: 0, bytes: 0 };
    this.#roundTrips.clear();
    this.#last = void 0;
  }
};
function added(total, size) {
  return { messages: total.messages + 1, bytes: total.bytes + size };
}

// src/bench/line.ts
var STATES = ["connecting", "open", "closing", "closed"];
var Line = class {
  #socket;
  /** Throws what the browser throws on a bad URL or subprotocol. */
  constructor(url, subprotocols, events) {
    const socket = new WebSocket(url, [...subprotocols]);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => events.onOpen(socket.protocol, socket.extensions));
    socket.addEventListener(
      "message",
      ({ data }) => events.onMessage(typeof data === "string" ? data : new Uint8Array(data))
    );
    socket.addEventListener("error", () => events.onError());
    socket.addEventListener("close", (event) => events.onClose(event));
    this.#socket = socket;
  }
  get state() {
    return STATES[this.#socket.readyState] ?? "closed";
  }
  get bufferedAmount() {
    return this.#socket.bufferedAmount;
  }
  send(data) {
    this.#socket.send(data);
  }
  /**
   * Throws what the browser throws on a code or reason that a page may not send.
   * Without both the close frame is empty. A reason alone goes with 1000, as the
   * standard has it; Chromium takes the missing code for 0 and refuses.
   */
  close(code, reason) {
    if (code === void 0 && reason === "") {
      this.#socket.close();
    } else {
      this.#socket.close(code ?? 1e3, reason);
    }
  }
};
function kindOf(data) {
  return typeof data === "string" ? "text" : "binary";
}

// src/bench/log-view.ts
var ROWS_MAX = 500;
var FLUSH_MS = 16;
var FOLLOW_PX = 24;
var ARROWS = { in: "↓", out: "↑", event: "•" };
var SPOKEN = { in: "received", out: "sent", event: "event" };
var LogView = class {
  #log;
  #rows = new Ring(ROWS_MAX);
  #timer;
  constructor(log) {
    this.#log = log;
  }
  add(row) {
    this.#rows.push(row);
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }
  clear() {
    this.#rows.clear();
    this.#log.replaceChildren();
  }
  #flush() {
    this.#timer = void 0;
    const log = this.#log;
    const following = log.scrollHeight - log.scrollTop - log.clientHeight < FOLLOW_PX;
    const rows = this.#rows.toArray().map((row) => drawn(log.ownerDocument, row));
    this.#rows.clear();
    log.append(...rows);
    while (log.childElementCount > ROWS_MAX) {
      log.firstElementChild?.remove();
    }
    if (following) {
      log.scrollTop = log.scrollHeight;
    }
  }
};
function drawn(page, row) {
  const line = page.createElement("div");
  line.className = "log-row";
  line.dataset["direction"] = row.direction;
  line.dataset["kind"] = row.kind;
  if (row.size !== void 0) {
    line.dataset["size"] = String(row.size);
  }
  const arrow = textElement(page, "span", "log-arrow", ARROWS[row.direction]);
  arrow.setAttribute("aria-hidden", "true");
  line.append(
    arrow,
    textElement(page, "span", "visually-hidden", SPOKEN[row.direction]),
    textElement(page, "time", "log-time", formatClock(row.time)),
    textElement(page, "span", "log-kind", row.kind),
    textElement(page, "span", "log-size", row.size === void 0 ? "" : formatSize(row.size)),
    textElement(page, "span", "log-rtt", row.roundTrip === void 0 ? "" : formatDuration(row.roundTrip)),
    textElement(page, "span", "log-text", row.text)
  );
  return line;
}

// src/bench/page.ts
var WATCH_MS = 100;
var TOTALS_MS = 16;
var BINARY_BYTES_MAX = 16 * 1024 * 1024;
var NONE = "none";
var BenchPage = class {
  #elements;
  #log;
  #exchange = new Exchange();
  #line;
  #watch;
  #totals;
  constructor(page) {
    this.#elements = findElements(page);
    this.#log = new LogView(this.#elements.log);
    this.#elements.url.value = webSocketUrl(page.location.href, "echo");
    this.#listen();
    this.#refresh();
    this.#refreshTotals();
  }
  #listen() {
    const { connectForm, closeForm, textForm, hexForm, randomForm, message, clear } = this.#elements;
    onSubmit(connectForm, () => this.#connect());
    onSubmit(closeForm, () => this.#disconnect());
    onSubmit(textForm, () => this.#sendText());
    onSubmit(hexForm, () => this.#sendHex());
    onSubmit(randomForm, () => this.#sendRandom());
    submitOnEnter(message, textForm);
    clear.addEventListener("click", () => this.#clear());
  }
  #connect() {
    if (this.#state() !== "closed") {
      return;
    }
    const { url, subprotocol } = this.#elements;
    const offered = parseSubprotocols(subprotocol.value);
    this.#attempt(() => {
      this.#line = new Line(url.value.trim(), offered, {
        onOpen: (protocol, extensions) => this.#handleOpen(protocol, extensions),
        onMessage: (data) => this.#handleMessage(data),
        onError: () => this.#event("error", "The browser reports an error; it does not say which."),
        onClose: (event) => this.#handleClose(event)
      });
      this.#event("connect", offered.length > 0 ? `${url.value} offering ${offered.join(", ")}` : url.value);
      this.#watch = setInterval(() => this.#refresh(), WATCH_MS);
    });
  }
  #disconnect() {
    const { closeCode, closeReason, log } = this.#elements;
    const code = closeCode.value.trim() === "" ? void 0 : Number(closeCode.value);
    this.#attempt(() => {
      this.#line?.close(code, closeReason.value);
      log.focus({ preventScroll: true });
    });
  }
  #sendText() {
    const { message } = this.#elements;
    this.#send(message.value);
    message.select();
  }
  #sendHex() {
    const parsed = parseHex(this.#elements.hex.value);
    if (parsed.ok) {
      this.#send(parsed.bytes);
    } else {
      this.#complain(parsed.error);
    }
  }
  #sendRandom() {
    const size = Number(this.#elements.binarySize.value);
    if (!Number.isInteger(size) || size < 0 || size > BINARY_BYTES_MAX) {
      this.#complain(`The size is a whole number from 0 to ${BINARY_BYTES_MAX}.`);
      return;
    }
    this.#send(randomBytes(size, (chunk) => crypto.getRandomValues(chunk)));
  }
  #send(data) {
    const line = this.#line;
    if (line === void 0 || line.state !== "open") {
      this.#complain("The line is not open.");
      return;
    }
    const size = sizeOf(data);
    this.#attempt(() => {
      const now = performance.now();
      line.send(data);
      this.#exchange.handleSent(kindOf(data), size, now);
      this.#row({ direction: "out", kind: kindOf(data), text: shown(data), size });
    });
  }
  #handleOpen(protocol, extensions) {
    this.#elements.protocol.textContent = protocol || NONE;
    this.#elements.extensions.textContent = extensions || NONE;
    this.#refresh();
    this.#event("open", `protocol ${protocol || NONE}, extensions ${extensions || NONE}`);
    this.#focusFromConnect();
  }
  /** The Connect button is disabled by now, so a keyboard user would stand nowhere. */
  #focusFromConnect() {
    const { connectForm, message } = this.#elements;
    const { activeElement, body } = connectForm.ownerDocument;
    if (activeElement === body || connectForm.contains(activeElement)) {
      message.focus();
    }
  }
  #handleMessage(data) {
    const now = performance.now();
    const size = sizeOf(data);
    const roundTrip = this.#exchange.handleReceived(kindOf(data), size, now);
    const row = { direction: "in", kind: kindOf(data), text: shown(data), size };
    this.#row(roundTrip === void 0 ? row : { ...row, roundTrip });
  }
  #handleClose({ code, reason, wasClean }) {
    clearInterval(this.#watch);
    this.#exchange.handleClosed();
    this.#line = void 0;
    const { closedCode, closedReason, closedClean } = this.#elements;
    closedCode.textContent = String(code);
    closedReason.textContent = reason || NONE;
    closedClean.textContent = String(wasClean);
    this.#refresh();
    this.#event("close", `code ${code}, reason ${reason ? `“${reason}”` : NONE}, wasClean ${wasClean}`);
  }
  #clear() {
    this.#log.clear();
    this.#exchange.clear();
    this.#complain("");
    this.#refreshTotals();
  }
  #event(kind, text) {
    this.#row({ direction: "event", kind, text });
  }
  #row(row) {
    this.#log.add({ ...row, time: /* @__PURE__ */ new Date() });
    this.#totals ??= setTimeout(() => this.#refreshTotals(), TOTALS_MS);
  }
  /** Runs what the browser may refuse, and shows its own words when it does. */
  #attempt(act) {
    this.#complain("");
    try {
      act();
    } catch (error) {
      this.#complain(error instanceof Error ? error.message : String(error));
    }
    this.#refresh();
  }
  #complain(text) {
    this.#elements.error.textContent = text;
    this.#elements.error.hidden = text === "";
  }
  #state() {
    return this.#line?.state ?? "closed";
  }
  #refresh() {
    const state = this.#state();
    const page = this.#elements;
    page.state.textContent = state;
    page.state.dataset["state"] = state;
    page.connect.disabled = state !== "closed";
    page.disconnect.disabled = state !== "open" && state !== "connecting";
    for (const button of [page.send, page.sendHex, page.sendBinary]) {
      button.disabled = state !== "open";
    }
    page.buffered.textContent = formatSize(this.#line?.bufferedAmount ?? 0);
  }
  #refreshTotals() {
    clearTimeout(this.#totals);
    this.#totals = void 0;
    const { sent, received, roundTrips } = this.#exchange;
    const page = this.#elements;
    page.sentCount.textContent = String(sent.messages);
    page.sentBytes.textContent = formatSize(sent.bytes);
    page.receivedCount.textContent = String(received.messages);
    page.receivedBytes.textContent = formatSize(received.bytes);
    page.rttMedian.textContent = roundTrips === void 0 ? "–" : formatDuration(roundTrips.median);
    page.rttDetail.textContent = roundTrips === void 0 ? "no echo yet" : `last ${formatDuration(roundTrips.last)}, best ${formatDuration(roundTrips.best)}`;
  }
};
function findElements(page) {
  const element = (id) => byId(page, id, HTMLElement);
  const form = (id) => byId(page, id, HTMLFormElement);
  const input = (id) => byId(page, id, HTMLInputElement);
  const button = (id) => byId(page, id, HTMLButtonElement);
  return {
    connectForm: form("connect-form"),
    url: input("url"),
    subprotocol: input("subprotocol"),
    connect: button("connect"),
    closeForm: form("close-form"),
    closeCode: input("close-code"),
    closeReason: input("close-reason"),
    disconnect: button("disconnect"),
    textForm: form("text-form"),
    message: byId(page, "message", HTMLTextAreaElement),
    send: button("send"),
    hexForm: form("hex-form"),
    hex: input("hex"),
    sendHex: button("send-hex"),
    randomForm: form("random-form"),
    binarySize: input("binary-size"),
    sendBinary: button("send-binary"),
    error: element("error"),
    state: element("state"),
    protocol: element("protocol"),
    extensions: element("extensions"),
    buffered: element("buffered"),
    closedCode: element("closed-code"),
    closedReason: element("closed-reason"),
    closedClean: element("closed-clean"),
    sentCount: element("sent-count"),
    sentBytes: element("sent-bytes"),
    receivedCount: element("received-count"),
    receivedBytes: element("received-bytes"),
    rttMedian: element("rtt-median"),
    rttDetail: element("rtt-detail"),
    clear: button("clear"),
    log: element("log")
  };
}
function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}
function sizeOf(data) {
  return typeof data === "string" ? new TextEncoder().encode(data).length : data.length;
}
function shown(data) {
  return typeof data === "string" ? preview(data) : formatHex(data);
}

// src/bench/main.ts
new BenchPage(document);
