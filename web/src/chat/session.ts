import { backoffDelay } from "../backoff.js";
import { closePolicy } from "../close-policy.js";
import { parseServerMessage } from "./message.js";
import { nextPhase, type Phase } from "./phase.js";
import { EMPTY_ROOM, handleLost, handleServerMessage, handleTypingTimeout, type Room } from "./room.js";

/** What the page has to do for the session. */
export type Effect =
  /** Drop the socket there may be and open one to this room. */
  | { readonly type: "connect"; readonly room: string }
  | { readonly type: "send"; readonly text: string }
  /** Close with 1000; the close that follows is not told to the session. */
  | { readonly type: "disconnect" };

/** A line that lasted this long after its welcome was a good one: the next backoff starts small again. */
const STABLE_MS = 10_000;
/** What `wait` codes ask for on top of the backoff. */
const WAIT_MS = 30_000;
/** While somebody types, that is said again this often, and withdrawn after this long a pause. */
const TYPING_REPEAT_MS = 2_500;
const TYPING_PAUSE_MS = 3_000;

/**
 * A chat from join to leave, across reconnects. No socket, clock or randomness
 * inside: call a `handle` method with what happened, then `pollEffect` until it
 * is empty, draw, and call `handleTimeout` at `pollTimeout`.
 */
export class ChatSession {
  #phase: Phase = "closed";
  #room: Room = EMPTY_ROOM;
  #name = "";
  #roomName = "";
  #away = false;
  #notice = "";
  #attempt = 0;
  #effects: Effect[] = [];
  #retryAt: number | undefined;
  #stableAt: number | undefined;
  #typingSaidAt: number | undefined;
  #typingEndsAt: number | undefined;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get room(): Room {
    return this.#room;
  }

  get roomName(): string {
    return this.#roomName;
  }

  /** Why there is no line, in words for people; empty while there is nothing to say. */
  get notice(): string {
    return this.#notice;
  }

  /** When the next reconnect is due; undefined unless waiting for one. */
  get retryAt(): number | undefined {
    return this.#retryAt;
  }

  pollEffect(): Effect | undefined {
    return this.#effects.shift();
  }

  /** When `handleTimeout` wants to be called, if nothing else happens first. */
  pollTimeout(): number | undefined {
    const times = [this.#retryAt, this.#stableAt, this.#typingEndsAt, ...this.#room.typists.values()];
    return times.filter((time) => time !== undefined).sort((a, b) => a - b)[0];
  }

  /** A new name on the same line, or a line to another room. */
  handleJoin(name: string, roomName: string): void {
    this.#name = name;
    if (this.#phase === "open" && roomName === this.#roomName) {
      this.#sendJoin();
      return;
    }
    if (roomName !== this.#roomName) {
      this.#room = EMPTY_ROOM;
    }
    this.#roomName = roomName;
    this.#attempt = 0;
    this.#connect("join");
  }

  handleLeave(): void {
    this.#effects.push({ type: "disconnect" });
    this.#lose("ended", "You left the room.");
  }

  /** The network came back or the page was shown again: no reason to sit out the wait. */
  handleOnline(): void {
    if (this.#phase === "waiting") {
      this.#connect("due");
    }
  }

  handleOpen(): void {
    this.#phase = nextPhase(this.#phase, "opened");
    this.#notice = "";
    this.#sendJoin();
    this.#sendPresence();
  }

  handleMessage(json: string, now: number): void {
    const message = parseServerMessage(json, now);
    if (message === undefined) {
      return;
    }
    if (message.type === "welcome") {
      this.#stableAt = now + STABLE_MS;
    }
    this.#room = handleServerMessage(this.#room, message, { name: this.#name, now });
  }

  handleClose(code: number, reason: string, now: number): void {
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

  handleSubmit(text: string): void {
    if (this.#phase !== "open" || text.trim() === "") {
      return;
    }
    this.#send({ type: "chat", text });
    this.#endTyping();
  }

  /** The composer changed; `text` is all of it. */
  handleComposing(text: string, now: number): void {
    if (this.#phase !== "open") {
      return;
    }
    if (text === "") {
      this.#endTyping();
      return;
    }
    this.#typingEndsAt = now + TYPING_PAUSE_MS;
    if (this.#typingSaidAt === undefined || now - this.#typingSaidAt >= TYPING_REPEAT_MS) {
      this.#typingSaidAt = now;
      this.#send({ type: "typing", isTyping: true });
    }
  }

  handleVisibility(hidden: boolean): void {
    this.#away = hidden;
    if (this.#phase === "open") {
      this.#sendPresence();
    }
  }

  handleTimeout(now: number): void {
    if (isDue(this.#stableAt, now)) {
      this.#stableAt = undefined;
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

  #connect(event: "join" | "due"): void {
    this.#phase = nextPhase(this.#phase, event);
    this.#retryAt = undefined;
    this.#forgetTimers();
    this.#effects.push({ type: "connect", room: this.#roomName });
  }

  #lose(event: "lost" | "ended", notice: string): void {
    this.#phase = nextPhase(this.#phase, event);
    this.#retryAt = undefined;
    this.#notice = notice;
    this.#forgetTimers();
    this.#room = handleLost(this.#room);
  }

  #forgetTimers(): void {
    this.#stableAt = undefined;
    this.#typingSaidAt = undefined;
    this.#typingEndsAt = undefined;
  }

  #endTyping(): void {
    if (this.#typingSaidAt !== undefined) {
      this.#send({ type: "typing", isTyping: false });
    }
    this.#typingSaidAt = undefined;
    this.#typingEndsAt = undefined;
  }

  #sendJoin(): void {
    this.#send({ type: "join", username: this.#name, room: this.#roomName });
  }

  #sendPresence(): void {
    this.#send({ type: "setPresence", status: this.#away ? "away" : "online" });
  }

  #send(message: object): void {
    this.#effects.push({ type: "send", text: JSON.stringify(message) });
  }
}

function isDue(time: number | undefined, now: number): boolean {
  return time !== undefined && time <= now;
}
