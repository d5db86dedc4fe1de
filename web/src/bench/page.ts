import { byId, submitOnEnter } from "../dom.js";
import { parseSubprotocols, webSocketUrl } from "../endpoint.js";
import { formatDuration, formatSize, preview } from "../format.js";
import { formatHex, parseHex } from "../hex.js";
import { randomBytes } from "../random-bytes.js";
import { Exchange } from "./exchange.js";
import { kindOf, Line, type LineState } from "./line.js";
import { type LogRow, LogView } from "./log-view.js";

/** How often the state and the buffered amount are read while a line exists: neither has an event of its own. */
const WATCH_MS = 100;
/** Many messages in one go change the counters once. */
const TOTALS_MS = 16;
/** What `/echo` takes in one message. */
const BINARY_BYTES_MAX = 16 * 1024 * 1024;
const NONE = "none";

/** The connection bench: one line to an echo endpoint, driven by hand. */
export class BenchPage {
  readonly #elements: Elements;
  readonly #log: LogView;
  readonly #exchange = new Exchange();
  #line: Line | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;
  #totals: ReturnType<typeof setTimeout> | undefined;

  constructor(page: Document) {
    this.#elements = findElements(page);
    this.#log = new LogView(this.#elements.log);
    this.#elements.url.value = webSocketUrl(page.location.href, "echo");
    this.#listen();
    this.#refresh();
    this.#refreshTotals();
  }

  #listen(): void {
    const { connectForm, closeForm, textForm, hexForm, randomForm, message, clear } = this.#elements;
    onSubmit(connectForm, () => this.#connect());
    onSubmit(closeForm, () => this.#disconnect());
    onSubmit(textForm, () => this.#sendText());
    onSubmit(hexForm, () => this.#sendHex());
    onSubmit(randomForm, () => this.#sendRandom());
    submitOnEnter(message, textForm);
    clear.addEventListener("click", () => this.#clear());
  }

  #connect(): void {
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
        onClose: (event) => this.#handleClose(event),
      });
      this.#event("connect", offered.length > 0 ? `${url.value} offering ${offered.join(", ")}` : url.value);
      this.#watch = setInterval(() => this.#refresh(), WATCH_MS);
    });
  }

  #disconnect(): void {
    const { closeCode, closeReason, log } = this.#elements;
    const code = closeCode.value.trim() === "" ? undefined : Number(closeCode.value);
    this.#attempt(() => {
      this.#line?.close(code, closeReason.value);
      log.focus({ preventScroll: true });
    });
  }

  #sendText(): void {
    const { message } = this.#elements;
    this.#send(message.value);
    message.select();
  }

  #sendHex(): void {
    const parsed = parseHex(this.#elements.hex.value);
    if (parsed.ok) {
      this.#send(parsed.bytes);
    } else {
      this.#complain(parsed.error);
    }
  }

  #sendRandom(): void {
    const size = Number(this.#elements.binarySize.value);
    if (!Number.isInteger(size) || size < 0 || size > BINARY_BYTES_MAX) {
      this.#complain(`The size is a whole number from 0 to ${BINARY_BYTES_MAX}.`);
      return;
    }
    this.#send(randomBytes(size, (chunk) => crypto.getRandomValues(chunk)));
  }

  #send(data: string | Uint8Array<ArrayBuffer>): void {
    const line = this.#line;
    if (line === undefined || line.state !== "open") {
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

  #handleOpen(protocol: string, extensions: string): void {
    this.#elements.protocol.textContent = protocol || NONE;
    this.#elements.extensions.textContent = extensions || NONE;
    this.#refresh();
    this.#event("open", `protocol ${protocol || NONE}, extensions ${extensions || NONE}`);
    this.#focusFromConnect();
  }

  /** The Connect button is disabled by now, so a keyboard user would stand nowhere. */
  #focusFromConnect(): void {
    const { connectForm, message } = this.#elements;
    const { activeElement, body } = connectForm.ownerDocument;
    if (activeElement === body || connectForm.contains(activeElement)) {
      message.focus();
    }
  }

  #handleMessage(data: string | Uint8Array): void {
    const now = performance.now();
    const size = sizeOf(data);
    const roundTrip = this.#exchange.handleReceived(kindOf(data), size, now);
    const row = { direction: "in", kind: kindOf(data), text: shown(data), size } as const;
    this.#row(roundTrip === undefined ? row : { ...row, roundTrip });
  }

  #handleClose({ code, reason, wasClean }: CloseEvent): void {
    clearInterval(this.#watch);
    this.#exchange.handleClosed();
    this.#line = undefined;
    const { closedCode, closedReason, closedClean } = this.#elements;
    closedCode.textContent = String(code);
    closedReason.textContent = reason || NONE;
    closedClean.textContent = String(wasClean);
    this.#refresh();
    this.#event("close", `code ${code}, reason ${reason ? `“${reason}”` : NONE}, wasClean ${wasClean}`);
  }

  #clear(): void {
    this.#log.clear();
    this.#exchange.clear();
    this.#complain("");
    this.#refreshTotals();
  }

  #event(kind: "connect" | "open" | "close" | "error", text: string): void {
    this.#row({ direction: "event", kind, text });
  }

  #row(row: Omit<LogRow, "time">): void {
    this.#log.add({ ...row, time: new Date() });
    this.#totals ??= setTimeout(() => this.#refreshTotals(), TOTALS_MS);
  }

  /** Runs what the browser may refuse, and shows its own words when it does. */
  #attempt(act: () => void): void {
    this.#complain("");
    try {
      act();
    } catch (error) {
      this.#complain(error instanceof Error ? error.message : String(error));
    }
    this.#refresh();
  }

  #complain(text: string): void {
    this.#elements.error.textContent = text;
    this.#elements.error.hidden = text === "";
  }

  #state(): LineState {
    return this.#line?.state ?? "closed";
  }

  #refresh(): void {
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

  #refreshTotals(): void {
    clearTimeout(this.#totals);
    this.#totals = undefined;
    const { sent, received, roundTrips } = this.#exchange;
    const page = this.#elements;
    page.sentCount.textContent = String(sent.messages);
    page.sentBytes.textContent = formatSize(sent.bytes);
    page.receivedCount.textContent = String(received.messages);
    page.receivedBytes.textContent = formatSize(received.bytes);
    page.rttMedian.textContent = roundTrips === undefined ? "–" : formatDuration(roundTrips.median);
    page.rttDetail.textContent =
      roundTrips === undefined
        ? "no echo yet"
        : `last ${formatDuration(roundTrips.last)}, best ${formatDuration(roundTrips.best)}`;
  }
}

type Elements = ReturnType<typeof findElements>;

function findElements(page: Document) {
  const element = (id: string) => byId(page, id, HTMLElement);
  const form = (id: string) => byId(page, id, HTMLFormElement);
  const input = (id: string) => byId(page, id, HTMLInputElement);
  const button = (id: string) => byId(page, id, HTMLButtonElement);
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
    log: element("log"),
  };
}

function onSubmit(form: HTMLFormElement, act: () => void): void {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}

/** What it weighs on the wire before compression: UTF-8 for text. */
function sizeOf(data: string | Uint8Array): number {
  return typeof data === "string" ? new TextEncoder().encode(data).length : data.length;
}

function shown(data: string | Uint8Array): string {
  return typeof data === "string" ? preview(data) : formatHex(data);
}
