import { json } from "../codec/json.js";
import type { Transport, TransportEvents, TransportName, TransportTarget } from "./transport.js";

/** How lines by HTTP ask. */
export interface HttpOptions {
  /**
   * Whether cookies go along. Those of another origin only go with `include`; the server has to allow that origin.
   * @default "same-origin"
   */
  credentials?: RequestCredentials;
}

/** Quiet after which a line is dead: the server says something on a stream every 15 s and answers a poll within 25 s. */
const QUIET_MAX = 40_000;

/** What may wait to be posted. More than a client's whole queue, so only a line that does not move gets there. */
const POSTS_MAX = 4096;
const POST_CHARACTERS_MAX = 8 * 1024 * 1024;

/** What a refusal by HTTP is as the end of a line. Others are 1006: come again. */
const CLOSE_CODES: Record<string, number | undefined> = {
  token_expired: 4000,
  auth_failed: 4002,
  unauthorized: 4007,
  unknown_session: 1006,
};

interface Refusal {
  error?: { code?: string; message?: string };
}

/**
 * What streams and polls have in common: where they ask, one end, and what the client sends, which goes by POST,
 * one after the other, so that it arrives in order. Answers come back with the POST or by what is read.
 */
export class HttpLine implements Transport {
  readonly name: TransportName;
  bufferedAmount = 0;
  /** What makes requests part of this line; from `welcome`. */
  session = "";

  readonly #at: TransportTarget;
  readonly #events: TransportEvents;
  readonly #options: HttpOptions;
  readonly #abort = new AbortController();
  readonly #posts: string[] = [];
  readonly #fetch: typeof fetch;
  #isPosting = false;
  #heardAt: number;
  #timer: unknown;

  constructor(name: TransportName, at: TransportTarget, events: TransportEvents, options: HttpOptions) {
    this.name = name;
    this.#at = at;
    this.#events = events;
    this.#options = options;
    // A browser's fetch refuses to be called as the method of another object.
    this.#fetch = at.environment.fetch!.bind(globalThis);
    this.#heardAt = at.environment.now();
    this.#watch();
  }

  get isOpen(): boolean {
    return !this.#abort.signal.aborted;
  }

  /** Runs what reads the line until it ends; what it throws ends it. */
  run(read: () => Promise<void>): this {
    read().catch((error: unknown) => this.end(1006, `the ${this.name} line was lost: ${String(error)}`));
    return this;
  }

  opened(): void {
    if (this.isOpen) {
      this.#events.onopen();
    }
  }

  /** Something came: the line is alive. */
  heard(): void {
    this.#heardAt = this.#at.environment.now();
  }

  /** Takes a message of the server. */
  receive(frame: string): void {
    if (!this.isOpen) {
      return;
    }
    // Most messages are read only once, by the client.
    const message: any = !this.session || frame.includes('"close"') ? JSON.parse(frame) : undefined;
    if (message?.type === "welcome") {
      this.session = String(message.session);
    }
    this.#events.onmessage(frame);
    if (message?.type === "close") {
      this.end(message.code, message.reason, true);
    }
    void this.#post();
  }

  /** A request of this line; undefined if it was refused, which ends the line. */
  async request(query: Record<string, string> = {}, init: RequestInit = {}): Promise<Response | undefined> {
    const response = await this.#ask(query, init);
    if (response.ok || !this.isOpen) {
      return response;
    }
    const body = await response.text();
    this.#refused(response, parse(body) as Refusal | undefined);
    return undefined;
  }

  send(frame: string | Uint8Array): void {
    if (!this.isOpen) {
      return;
    }
    // These lines speak JSON, whatever the client's codec is.
    const text = typeof frame === "string" ? frame : (json().encode(this.#at.codec.decode(frame)) as string);
    this.#posts.push(text);
    this.bufferedAmount += text.length;
    if (this.#posts.length > POSTS_MAX || this.bufferedAmount > POST_CHARACTERS_MAX) {
      const reason = "more is sent than the line takes";
      // Not within `send`, which calls nothing.
      queueMicrotask(() => this.end(1006, reason));
    }
    void this.#post();
  }

  close(): void {
    this.#abort.abort();
    this.#at.environment.clearTimeout(this.#timer);
    this.#posts.length = 0;
    this.bufferedAmount = 0;
  }

  end(code: number, reason: string, wasClean = false): void {
    if (this.isOpen) {
      this.close();
      this.#events.onclose({ code, reason, wasClean });
    }
  }

  async #post(): Promise<void> {
    if (this.#isPosting || !this.session) {
      return;
    }
    this.#isPosting = true;
    try {
      while (this.isOpen && this.#posts.length) {
        const body = this.#posts[0]!;
        const init = { method: "POST", body, headers: { "content-type": "application/json" } };
        const response = await this.#ask({}, init);
        const answer = await response.text();
        if (this.isOpen) {
          this.#posts.shift();
          this.bufferedAmount -= body.length;
          this.#answered(body, response, answer);
        }
      }
    } catch (error) {
      this.end(1006, `a message could not be posted: ${String(error)}`);
    }
    this.#isPosting = false;
  }

  #answered(body: string, response: Response, answer: string): void {
    if (response.status === 204) {
      return;
    }
    const message = parse(answer) as ({ type?: string; code?: string; message?: string } & Refusal) | undefined;
    if (message?.type && message.code !== "unknown_session") {
      return this.receive(answer);
    }
    const error = message?.error;
    // What was wrong with this one message does not end the line.
    if (typeof error === "object" && error.code && !CLOSE_CODES[error.code] && response.status < 500) {
      const { id } = JSON.parse(body) as { id?: unknown };
      return this.receive(JSON.stringify({ type: "error", id, code: error.code, error: error.message, message: error.message, retryAfter: retryAfter(response) }));
    }
    this.#refused(response, message?.type ? { error: message } : message);
  }

  #refused(response: Response, body: Refusal | undefined): void {
    const { status } = response;
    const { code = "", message = `${this.#address({}).pathname} was answered with ${status}` } = body?.error ?? {};
    // What has no code is not said by the server, but by something in between, which may change its mind.
    const other = status === 429 || status === 503 ? 1013 : code && status < 500 && status !== 404 ? 1008 : 1006;
    const close = CLOSE_CODES[code] ?? other;
    const wait = retryAfter(response);
    if (wait && this.isOpen) {
      this.#events.onmessage(JSON.stringify({ type: "close", code: close, reason: message, retryAfter: wait }));
    }
    this.end(close, message);
  }

  #ask(query: Record<string, string>, { headers, ...init }: RequestInit): Promise<Response> {
    const { token } = this.#at;
    return this.#fetch(this.#address(query), {
      cache: "no-store",
      credentials: this.#options.credentials ?? "same-origin",
      signal: this.#abort.signal,
      ...init,
      headers: { ...headers, ...(token && { authorization: `Bearer ${token}` }), ...(this.session && { "openline-session": this.session }) } as HeadersInit,
    });
  }

  /** Beside the WebSocket's: `/sse` or `/poll` where that has `/ws`. */
  #address(query: Record<string, string>): URL {
    const base = new URL(this.#at.url.replace(/^ws/, "http"));
    const address = new URL(this.name === "sse" ? "sse" : "poll", base);
    address.search = base.search;
    for (const [name, value] of Object.entries(query)) {
      address.searchParams.set(name, value);
    }
    return address;
  }

  #watch(): void {
    const { environment } = this.#at;
    const left = this.#heardAt + QUIET_MAX - environment.now();
    if (left <= 0) {
      return this.end(1006, `nothing came for ${QUIET_MAX / 1000} s`);
    }
    this.#timer = environment.setTimeout(() => this.#watch(), left);
  }
}

/** Whether the environment can ask by HTTP at all. */
export function canFetch(environment: { fetch?: unknown }): boolean {
  return !!environment.fetch;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function retryAfter(response: Response): number | undefined {
  const seconds = Number(response.headers.get("retry-after"));
  return seconds > 0 ? seconds * 1000 : undefined;
}
