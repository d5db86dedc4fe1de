import { byId, submitOnEnter } from "../dom.js";
import { chatPath, roomName, webSocketUrl } from "../endpoint.js";
import type { Phase } from "./phase.js";
import { RoomView } from "./room-view.js";
import { ChatSession } from "./session.js";
import { Socket } from "./socket.js";

const STATE_TEXT: Readonly<Record<Phase, string>> = {
  closed: "closed",
  connecting: "connecting",
  open: "open",
  waiting: "reconnecting",
};

/** Many messages in one go become one change of the page. */
const DRAW_MS = 16;
/** While a reconnect is ahead, the countdown is drawn this often. */
const COUNTDOWN_MS = 500;
const NAME_KEY = "openline.chat.name";

/** The chat: turns the page's events into the session's, and the session's effects into the page's. */
export class ChatPage {
  readonly #page: Document;
  readonly #elements: Elements;
  readonly #view: RoomView;
  readonly #session = new ChatSession(Math.random);
  readonly #socket: Socket;
  #drawTimer: ReturnType<typeof setTimeout> | undefined;
  #sessionTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(page: Document, view: Window) {
    this.#page = page;
    this.#elements = findElements(page);
    this.#view = new RoomView(this.#elements);
    this.#socket = new Socket({
      onOpen: () => this.#handleOpen(),
      onMessage: (json) => this.#after(() => this.#session.handleMessage(json, Date.now())),
      onClose: (code, reason) => this.#after(() => this.#session.handleClose(code, reason, Date.now())),
    });
    this.#prefill();
    this.#listen(view);
    this.#draw();
  }

  #prefill(): void {
    const { name, room } = this.#elements;
    name.defaultValue = `Guest ${100 + Math.floor(Math.random() * 900)}`;
    name.value = storedName() ?? name.defaultValue;
    room.value = roomName(new URL(this.#page.location.href).searchParams.get("room") ?? "");
  }

  #listen(view: Window): void {
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
    this.#page.addEventListener("visibilitychange", () =>
      this.#after(() => this.#session.handleVisibility(this.#page.hidden)),
    );
    for (const name of ["online", "pageshow"]) {
      view.addEventListener(name, () => this.#after(() => this.#session.handleOnline()));
    }
  }

  #join(): void {
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

  #submit(): void {
    const { composer } = this.#elements;
    if (this.#session.phase === "open") {
      this.#after(() => this.#session.handleSubmit(composer.value));
      composer.value = "";
    }
    composer.focus();
  }

  #handleOpen(): void {
    this.#after(() => this.#session.handleOpen());
    this.#draw();
    const { joinForm, composer } = this.#elements;
    if (joinForm.contains(this.#page.activeElement)) {
      composer.focus();
    }
  }

  /** Tells the session something, then does and shows what follows from it. */
  #after(tell: () => void): void {
    tell();
    for (let effect = this.#session.pollEffect(); effect !== undefined; effect = this.#session.pollEffect()) {
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

  #schedule(): void {
    this.#drawTimer ??= setTimeout(() => this.#draw(), DRAW_MS);
    clearTimeout(this.#sessionTimer);
    const due = this.#session.pollTimeout();
    if (due !== undefined) {
      const wait = Math.max(0, due - Date.now());
      this.#sessionTimer = setTimeout(() => this.#after(() => this.#session.handleTimeout(Date.now())), wait);
    }
  }

  #draw(): void {
    clearTimeout(this.#drawTimer);
    this.#drawTimer = undefined;
    this.#view.draw(this.#session.room);
    this.#drawPhase();
  }

  #drawPhase(): void {
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
    page.countdown.textContent = retryAt === undefined ? "" : `Next try in ${secondsUntil(retryAt)} s.`;
    if (retryAt !== undefined) {
      this.#drawTimer ??= setTimeout(() => this.#draw(), COUNTDOWN_MS);
    }
  }
}

type Elements = ReturnType<typeof findElements>;

function findElements(page: Document) {
  const element = (id: string) => byId(page, id, HTMLElement);
  const form = (id: string) => byId(page, id, HTMLFormElement);
  const input = (id: string) => byId(page, id, HTMLInputElement);
  const button = (id: string) => byId(page, id, HTMLButtonElement);
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
    userCount: element("user-count"),
  };
}

function secondsUntil(time: number): number {
  return Math.max(1, Math.ceil((time - Date.now()) / 1_000));
}

/** Per tab, so that two tabs are two people; a browser that forbids storage just forgets. */
function storedName(): string | null {
  try {
    return sessionStorage.getItem(NAME_KEY);
  } catch {
    return null;
  }
}

function storeName(name: string): void {
  try {
    sessionStorage.setItem(NAME_KEY, name);
  } catch {
    // Nothing is lost but the convenience.
  }
}
