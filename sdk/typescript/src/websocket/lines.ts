import type { Environment } from "../environment.js";
import type { Effect, Input, StatusEffect } from "../machine/input.js";
import { closePolicy } from "../machine/close-policy.js";
import { createMachine, type Machine } from "../machine/machine.js";
import type { State } from "../machine/states.js";
import { parseAddress, type Payload } from "./arguments.js";
import type { Ending, ReconnectingEvent } from "./events.js";
import { Heartbeat } from "./heartbeat.js";
import type { Address, AddressRequest, ReconnectingWebSocketOptions } from "./options.js";

/** What becomes of the lines, for their owner. */
export interface LineEvents {
  /** A line is open. */
  opened(): void;
  /** A message came on it that is no answer to a heartbeat. */
  message(event: MessageEvent): void;
  /** The line is gone, or an attempt failed, and another will be made. */
  lost(loss: Pick<ReconnectingEvent, "attempt" | "delay" | "code" | "reason">): void;
  /** There is no line, and no other will be made. `gaveUp`: after as many failures as may be. */
  ended(ending: Ending, failed: boolean, gaveUp?: number): void;
}

const BROKEN: Ending = { code: 1006, reason: "", wasClean: false };
/** The states that have a line, or try to have one. */
const LINED: ReadonlySet<State> = new Set(["connecting", "authenticating", "online", "probing"]);
const CONNECTING = 0;
const OPEN = 1;
/** The longest that a timer can run, in milliseconds. */
const TIMER_MAX = 2 ** 31 - 1;

/** The surroundings, with a class of sockets in them. */
export type Surroundings = Environment & { WebSocket: typeof WebSocket };

/** Carries out what the machine says, with one socket at a time. A line that is open counts as welcomed. */
export class Lines {
  /** The address that was used last. */
  url: string;
  readonly #address: string | Exclude<Address, string | URL>;
  readonly #protocols: string[];
  readonly #options: ReconnectingWebSocketOptions;
  readonly #surroundings: Surroundings;
  readonly #events: LineEvents;
  readonly #machine: Machine;
  readonly #heartbeat: Heartbeat;
  readonly #inbox: (() => void)[] = [];
  #isHandling = false;
  #isLive = false;
  #state: State = "idle";
  #attempt = 0;
  /** The socket of the present line or attempt. */
  #line: WebSocket | undefined;
  /** The one that `close` ended, until it says so itself. */
  #closing: WebSocket | undefined;
  #binaryType: BinaryType = "blob";
  /** How the last line ended, whether it failed, and what it had not sent. */
  #ending = BROKEN;
  #failed = true;
  #unsent = 0;
  #timer: unknown;
  #timerDue = Infinity;
  #page: AbortController | undefined;

  constructor(
    address: string | Exclude<Address, string | URL>,
    protocols: string[],
    options: ReconnectingWebSocketOptions,
    surroundings: Surroundings,
    events: LineEvents,
  ) {
    this.url = typeof address === "string" ? address : "";
    this.#address = address;
    this.#protocols = protocols;
    this.#options = options;
    this.#surroundings = surroundings;
    this.#events = events;
    this.#heartbeat = new Heartbeat(options);
    this.#machine = makeMachine(options, surroundings);
  }

  /** The socket that speaks for them all. */
  get line(): WebSocket | undefined {
    return this.#line ?? this.#closing;
  }

  /** What the line has not sent yet; of one that broke, nothing, unless it was the last. */
  get bufferedAmount(): number {
    return this.line?.bufferedAmount ?? (this.#isLive ? 0 : this.#unsent);
  }

  set binaryType(type: BinaryType) {
    this.#binaryType = type;
    if (this.#line) this.#line.binaryType = type;
  }

  /** Opens the first line. Throws what the class of sockets throws where the address is known at once. */
  start(): void {
    this.#enqueue(() => this.#begin(true));
  }

  /** Ends the line, or the attempts. `ended` follows in a later task, and nothing else. */
  close(code: number | undefined, reason: string | undefined): void {
    const line = this.#line;
    this.#release();
    if (line === undefined || line.readyState === CONNECTING) {
      this.#handle("stop");
      this.#surroundings.setTimeout(() => this.#events.ended(BROKEN, true), 0);
      return;
    }
    this.#line = undefined;
    this.#closing = line;
    listen(line, {
      onclose: (event) => {
        this.#leave(line, event, false);
        this.#events.ended(this.#ending, this.#failed);
      },
    });
    close(line, code, reason);
    this.#handle("stop");
  }

  /** Drops the line if there is one, and opens another now. */
  restart(): void {
    this.#enqueue(() => {
      this.#release();
      this.#feed("stop");
      this.#begin(false);
    });
  }

  /** Whether an open line took the payload. */
  send(payload: Payload): boolean {
    if (this.#line?.readyState !== OPEN) return false;
    this.#line.send(payload as string);
    return true;
  }

  #begin(isFirst: boolean): void {
    this.#isLive = true;
    if (this.#reconnects && this.#surroundings.page) {
      this.#page = new AbortController();
      this.#surroundings.page.listen((event) => this.#handle(event), this.#page.signal);
    }
    this.#feed("start", isFirst);
  }

  get #reconnects(): boolean {
    return this.#options.reconnect !== false;
  }

  #handle(input: Input): void {
    this.#enqueue(() => this.#feed(input));
  }

  /** One thing after the other, each to its end: the application that is called from here may call back. */
  #enqueue(act: () => void): void {
    this.#inbox.push(act);
    if (this.#isHandling) return;
    this.#isHandling = true;
    try {
      for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) next();
    } finally {
      this.#inbox.length = 0;
      this.#isHandling = false;
    }
    this.#setTimer();
  }

  #feed(input: Input, isFirst = false): void {
    for (const effect of this.#machine.handleInput(this.#surroundings.now(), input)) this.#act(effect, isFirst);
  }

  #act(effect: Effect, isFirst: boolean): void {
    if ("askToken" in effect) this.#ask(effect.askToken, effect.why === "expired" ? "expired" : "connect", isFirst);
    else if ("open" in effect) this.#open(effect.open, isFirst);
    else if ("ping" in effect) this.#ping(effect.ping);
    else if ("abandon" in effect) this.#abandon(effect.code);
    else if ("status" in effect) this.#tell(effect);
  }

  #ask(generation: number, why: AddressRequest["why"], isFirst: boolean): void {
    const address = this.#address;
    const given: Input = { token: generation, given: false };
    if (typeof address === "string") {
      this.#enqueue(() => this.#feed(given, isFirst));
      return;
    }
    Promise.resolve({ attempt: this.#attempt, why })
      .then(address)
      .then((url) => parseAddress(url, this.#surroundings.base))
      .then(
        (url) => {
          // What the machine has moved on from must not change the address of what came after it.
          if (generation === this.#machine.generation) this.url = url;
          this.#handle(given);
        },
        (error: unknown) => this.#handle({ tokenFailed: generation, reason: messageOf(error) }),
      );
  }

  #open(generation: number, isFirst: boolean): void {
    let line: WebSocket;
    try {
      line = new this.#surroundings.WebSocket(this.url, this.#protocols);
    } catch (error) {
      if (isFirst) {
        this.#release();
        throw error;
      }
      this.#handle({ closed: generation, code: BROKEN.code, reason: messageOf(error) });
      return;
    }
    this.#line = line;
    line.binaryType = this.#binaryType;
    let errored = false;
    listen(line, {
      onopen: () => {
        this.#heartbeat.handleOpen(line.protocol);
        this.#handle({ opened: generation });
        this.#handle({ welcome: generation, authenticated: true });
      },
      onmessage: (event) => {
        const { isReply, retryAfter, ...spread } = this.#heartbeat.handleMessage(event.data);
        this.#handle({ heard: generation, ...spread });
        if (retryAfter !== undefined) this.#handle({ closing: generation, retryAfter });
        if (!isReply && this.#line === line) this.#events.message(event);
      },
      onerror: () => {
        errored = true;
      },
      onclose: (event) => {
        this.#leave(line, event, errored);
        if (this.#reconnects) this.#handle({ closed: generation, code: event.code, reason: event.reason });
        else this.#finish();
      },
    });
  }

  /** The line has ended by itself. */
  #leave(line: WebSocket, { code, reason, wasClean }: CloseEvent, errored: boolean): void {
    listen(line, {});
    this.#line = undefined;
    this.#closing = undefined;
    this.#ending = { code, reason, wasClean };
    // Chromium has no `error` for a connection that breaks; RFC 6455 section 7.2.1 calls that a failure.
    this.#failed = errored || code === BROKEN.code;
    this.#unsent = line.bufferedAmount;
  }

  #ping(generation: number): void {
    let message: string | Uint8Array | undefined;
    try {
      message = this.#heartbeat.ask();
    } catch (error) {
      this.#surroundings.reportError(error);
    }
    // Where nothing may be asked, quiet is no sign of anything.
    if (message === undefined) this.#handle({ heard: generation });
    else this.#line?.send(message as string);
  }

  #abandon(code: number): void {
    const line = this.#line;
    if (line === undefined) return;
    listen(line, {});
    this.#line = undefined;
    this.#ending = BROKEN;
    this.#failed = true;
    this.#unsent = line.bufferedAmount;
    // A page may not send 1001.
    close(line, code === 1001 ? 1000 : code);
  }

  #tell(status: StatusEffect): void {
    const before = this.#state;
    this.#state = status.status;
    this.#attempt = status.attempt;
    if (!this.#isLive) return;
    const { attempt, delay = null, code = this.#ending.code, reason = this.#ending.reason } = status;
    // What follows is the attempt's own failure, if it is one.
    if (status.status === "connecting") {
      this.#ending = BROKEN;
      this.#failed = true;
    }
    if (status.status === "online" && before !== "probing") this.#events.opened();
    else if (status.status === "waiting" && !this.#reconnects) this.#finish();
    else if (status.status === "waiting") this.#events.lost({ attempt, delay, code, reason });
    // Straight from one line to the next: the address is to bring a new token.
    else if (status.status === "connecting" && LINED.has(before)) {
      this.#events.lost({ attempt, delay: 0, code, reason });
    } else if (status.status === "stopped") this.#finish(closePolicy(code) === "stop" ? undefined : attempt);
  }

  #finish(gaveUp?: number): void {
    this.#release();
    this.#handle("stop");
    this.#events.ended(this.#ending, this.#failed, gaveUp);
  }

  #release(): void {
    this.#isLive = false;
    this.#page?.abort();
    this.#surroundings.clearTimeout(this.#timer);
    this.#timerDue = Infinity;
  }

  #setTimer(): void {
    const due = this.#machine.deadline ?? Infinity;
    // A timer that comes too early finds nothing due and is set anew: cheaper than one for each message.
    if (due >= this.#timerDue || !this.#isLive) return;
    const { now, setTimeout, clearTimeout } = this.#surroundings;
    clearTimeout(this.#timer);
    this.#timerDue = due;
    this.#timer = setTimeout(
      () => {
        this.#timerDue = Infinity;
        this.#handle("time");
      },
      Math.min(Math.max(0, due - now()), TIMER_MAX),
    );
  }
}

function makeMachine(options: ReconnectingWebSocketOptions, { random }: Surroundings): Machine {
  const { maxReconnectAttempts: attemptsMax = Infinity } = options;
  return createMachine(
    {
      connectTimeout: options.connectTimeout,
      heartbeatInterval: options.heartbeatInterval ?? 30_000,
      heartbeatTimeout: options.heartbeatTimeout,
      // The machine's first delay goes up to twice its base.
      delayBase: (options.reconnectDelay ?? 1_000) / 2,
      delayMax: options.maxReconnectDelay ?? 30_000,
      attemptsMax: Number.isFinite(attemptsMax) ? attemptsMax : null,
    },
    random,
  );
}

type Listeners = Partial<Pick<WebSocket, "onopen" | "onmessage" | "onclose" | "onerror">>;

/** Listens to these alone from now on: a line that was left must not be heard any more. */
function listen(line: WebSocket, { onopen = null, onmessage = null, onclose = null, onerror = () => {} }: Listeners): void {
  line.onopen = onopen;
  line.onmessage = onmessage;
  line.onclose = onclose;
  // Never null: `ws` throws an error that nobody listens for.
  line.onerror = onerror;
}

function close(line: WebSocket, code?: number, reason?: string): void {
  if (code === undefined) line.close();
  else if (reason === undefined) line.close(code);
  else line.close(code, reason);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
