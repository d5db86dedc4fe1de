/** What `GET /api/v1/info` says, as far as it is shown. */
export interface Info {
  readonly node: string;
  readonly version: string;
  readonly uptime: number;
  readonly sessions: number;
  readonly lines: number;
  readonly level: string;
  readonly history: { readonly channels: number; readonly messages: number; readonly ailment?: string };
  readonly limits: { readonly connections?: number };
  /** The one that answers first. */
  readonly nodes: readonly NodeInfo[];
}

/** A node, as the one that answers heard it last. */
export interface NodeInfo {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly uptime: number;
  readonly clients: number;
  readonly channels: number;
  readonly lastHeard?: number;
}

export interface ChannelRow {
  readonly channel: string;
  readonly subscribers: number;
}

export interface Channel extends ChannelRow {
  readonly members?: number;
  readonly history?: { readonly messages: number; readonly bytes: number; readonly position: string; readonly newest?: number };
}

export interface Message {
  readonly type: string;
  readonly data: unknown;
  readonly encoding?: string;
  readonly position?: string;
  readonly timestamp: number;
  readonly from?: { readonly clientId: string; readonly user?: string };
}

export interface Member {
  readonly clientId: string;
  readonly user?: string;
  readonly status?: string;
}

export interface ClientRow {
  readonly clientId: string;
  readonly user?: string;
  readonly transport: string;
  readonly address: string;
  readonly connectedAt: number;
  readonly subscriptions: number;
  readonly queuedBytes: number;
}

export interface ConnectedClient extends ClientRow {
  readonly lastHeard?: number;
  readonly authenticated: boolean;
  readonly expiresAt?: number;
  readonly channels: readonly string[];
}

export interface Page<T> {
  readonly rows: readonly T[];
  /** Where the next page begins, if there is one. */
  readonly next: string | undefined;
}

/** The server answered, with an error. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
  }
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

const ANSWER_MS_MAX = 5_000;

/** The server's own API. Only here the key is used: it goes into a header and never into an address. */
export class Api {
  readonly #fetch: typeof fetch;
  readonly #base: string;
  readonly #key: string;

  /** `base` is the page's address: the API stands beside it. */
  constructor(fetch: typeof globalThis.fetch, base: string, key: string) {
    this.#fetch = fetch;
    this.#base = base;
    this.#key = key;
  }

  async metrics(): Promise<string> {
    return (await this.#ask("metrics")).text();
  }

  info(): Promise<Info> {
    return this.#read("info", {});
  }

  async channels(prefix: string, after: string | undefined, limit: number): Promise<Page<ChannelRow>> {
    const answer = await this.#read<{ channels: ChannelRow[]; next?: string }>("channels", { prefix: prefix || undefined, after, limit });
    return { rows: answer.channels, next: answer.next };
  }

  channel(channel: string): Promise<Channel> {
    return this.#read("channel", { channel });
  }

  async presence(channel: string, limit: number): Promise<{ readonly members: readonly Member[]; readonly count: number }> {
    return this.#read("presence", { channel, limit });
  }

  /** The newest messages, or those before a position; newest first. */
  history(channel: string, before: string | undefined, limit: number): Promise<{ readonly messages: readonly Message[]; readonly more: boolean }> {
    return this.#read("history", { channel, before, limit, reverse: true });
  }

  async clients(filter: { readonly user: string; readonly channel: string }, after: string | undefined, limit: number): Promise<Page<ClientRow>> {
    const query = { user: filter.user || undefined, channel: filter.channel || undefined, after, limit };
    const answer = await this.#read<{ clients: ClientRow[]; next?: string }>("clients", query);
    return { rows: answer.clients, next: answer.next };
  }

  client(client: string): Promise<ConnectedClient> {
    return this.#read("client", { client });
  }

  publish(channel: string, data: unknown, event: string | undefined): Promise<{ readonly position?: string }> {
    return this.#do("publish", { channel, data, event });
  }

  clearHistory(channel: string): Promise<object> {
    return this.#do("history/clear", { channel });
  }

  disconnect(client: string, code: number, reason: string | undefined): Promise<{ readonly lines: number }> {
    return this.#do("disconnect", { client, code, reason });
  }

  async #read<T>(name: string, query: Query): Promise<T> {
    const fields = Object.entries(query).flatMap(([field, value]) => (value === undefined ? [] : [[field, String(value)]]));
    const text = new URLSearchParams(fields).toString();
    return (await this.#ask(`api/v1/${name}${text === "" ? "" : `?${text}`}`)).json() as Promise<T>;
  }

  async #do<T>(name: string, body: object): Promise<T> {
    return (await this.#ask(`api/v1/${name}`, JSON.stringify(body))).json() as Promise<T>;
  }

  async #ask(path: string, body?: string): Promise<Response> {
    const response = await this.#fetch(new URL(path, this.#base).href, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${this.#key}` },
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
      ...(body === undefined ? {} : { body }),
    });
    if (!response.ok) {
      throw await errorOf(response);
    }
    return response;
  }
}

async function errorOf(response: Response): Promise<ApiError> {
  const { status } = response;
  try {
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    return new ApiError(status, String(error.code), String(error.message));
  } catch {
    return new ApiError(status, "unknown", `the answer was ${status} ${response.statusText}`.trim());
  }
}

/** What to show for anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return `no answer within ${ANSWER_MS_MAX / 1_000} s`;
  }
  // Browsers say no more than this of a server that is not there.
  if (error instanceof TypeError) {
    return "the server cannot be reached";
  }
  return error instanceof Error ? error.message : String(error);
}
