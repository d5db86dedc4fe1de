// A page and a client for the tests of the hooks.

import { Window } from "happy-dom";
import type { Status } from "../src/client/status.js";
import type { Publication } from "../src/channel/publication.js";
import type { ReactChannel, ReactClient } from "../src/react/react-client.js";

/** Gives this process a document, which react-dom looks for when it is imported: so call it before that. */
export function installPage(): void {
  const window = new Window({ url: "http://page.test/" });
  Object.assign(globalThis, { window, document: window.document, navigator: window.navigator, IS_REACT_ACT_ENVIRONMENT: true });
}

type Handler = (...of: any[]) => unknown;

/** Handlers by type. */
export class Handlers {
  readonly #handlers = new Map<string, Set<Handler>>();

  on = (type: string, handler: Handler): (() => void) => {
    const all = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, all);
    all.add(handler);
    return () => void all.delete(handler);
  };

  emit(type: string, ...of: unknown[]): void {
    for (const handler of [...(this.#handlers.get(type) ?? [])]) {
      handler(...of);
    }
  }

  count(type: string): number {
    return this.#handlers.get(type)?.size ?? 0;
  }
}

/** A channel that does what the test says. */
export class FakeChannel {
  state: ReactChannel["state"] = "unsubscribed";
  readonly calls: string[] = [];
  readonly handlers = new Handlers();
  readonly on = this.handlers.on;
  readonly name: string;
  readonly presence = {
    members: new Map(),
    count: 0,
    snapshot: { members: new Map(), count: 0 },
    watchers: new Handlers(),
    told: [] as unknown[],
    set: async (mine: unknown) => void this.presence.told.push(mine),
    subscribe: (listener: () => void) => this.presence.watchers.on("changed", listener),
    getSnapshot: () => this.presence.snapshot,
    become: (...names: string[]) => {
      this.presence.snapshot = { members: new Map(names.map((clientId) => [clientId, { clientId }])), count: names.length };
      this.presence.watchers.emit("changed");
    },
  };

  constructor(name: string) {
    this.name = name;
  }

  async subscribe(): Promise<void> {
    this.calls.push("subscribe");
    this.state = "subscribed";
    this.handlers.emit("subscribed");
  }

  unsubscribe(): void {
    this.calls.push("unsubscribe");
    this.state = "unsubscribed";
    this.handlers.emit("unsubscribed");
  }

  async publish(data: unknown): Promise<any> {
    this.calls.push(`publish ${JSON.stringify(data)}`);
    return { level: "memory", timestamp: 0 };
  }

  typing(): void {}

  deliver(data: unknown): void {
    this.handlers.emit("publication", { type: "message", channel: this.name, data, replayed: false } satisfies Publication);
  }
}

/** A request that waits for the test to answer. */
export interface Asked {
  type: string;
  data: unknown;
  signal: AbortSignal | undefined;
  answer(data: unknown): void;
  refuse(error: unknown): void;
}

/** A client that does what the test says. */
export class FakeClient {
  status: Status = { state: "idle", attempt: 0 };
  readonly calls: string[] = [];
  readonly asked: Asked[] = [];
  readonly channels = new Map<string, FakeChannel>();
  readonly handlers = new Handlers();
  readonly on = this.handlers.on;

  subscribeStatus = (listener: (status: Status) => void): (() => void) => this.handlers.on("status", listener);

  become(status: Status): void {
    this.status = status;
    this.handlers.emit("status", status);
  }

  async connect(): Promise<void> {
    this.calls.push("connect");
  }

  disconnect(): void {
    this.calls.push("disconnect");
  }

  channel(name: string): FakeChannel {
    const channel = this.channels.get(name) ?? new FakeChannel(name);
    this.channels.set(name, channel);
    return channel;
  }

  request(type: string, data: unknown, { signal }: { signal?: AbortSignal } = {}): Promise<unknown> {
    return new Promise((answer, refuse) => void this.asked.push({ type, data, signal, answer, refuse }));
  }

  /** As the provider takes it. */
  get asClient(): ReactClient {
    return this as unknown as ReactClient;
  }
}
