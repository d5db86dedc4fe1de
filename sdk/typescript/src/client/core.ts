import type { Message } from "../codec/codec.js";
import { json } from "../codec/json.js";
import type { Contract } from "../contract.js";
import { type Environment, environment as surroundings } from "../environment.js";
import { DEFAULTS } from "../machine/machine.js";
import { websocket } from "../transport/websocket.js";
import type { CoreClient, Sent } from "./client.js";
import { ClientError, serverError } from "./errors.js";
import { defer, type Deferred } from "./deferred.js";
import { createEvents } from "./events.js";
import { createLine } from "./line.js";
import type { Auth, ClientOptions } from "./options.js";
import { type CallOptions, createQueue } from "./queue.js";
import type { Status } from "./status.js";

/** What a part of the client that lives on the line, such as channels, is told. */
export interface Plug {
  /** The line can be used. What is sent now goes before all that waits. */
  ready(welcome: Message): void;
  unready(): void;
  /** A message that answers nothing. True if it is this part's business. */
  message(message: Message): boolean;
  /** The client has stopped. */
  stopped(error: ClientError): void;
  resume(): ReadonlyMap<string, string>;
}

/** A client and what its parts need of it. */
export interface Core {
  client: CoreClient;
  readonly environment: Environment;
  readonly auth: Auth | undefined;
  readonly isOnline: boolean;
  call(message: { type: string; [field: string]: unknown }, how?: Partial<CallOptions>): Promise<Message>;
  /** Sends without an answer; nothing if the line is not open. */
  cast(message: object): boolean;
  /** Has `tell` called when the transition under way is complete. */
  later(tell: () => void): void;
  report(error: ClientError): void;
  handlerFailed(error: unknown, type: string): void;
  /** Tells the application what has happened since the last time. */
  tell(): void;
  readonly ageMax: number;
  /** The payload of what came, if it is as the contract says. Throws if it is not. */
  conform: Contract["conform"];
  plug?: Plug;
}

const REQUEST_TIMEOUT = 10_000;
/** What the client tells by these names must not be taken for what the server pushes. */
const OWN_EVENTS = ["connected", "disconnected", "reconnecting", "maxRetriesReached", "status", "error", "message"];

/** Makes the inside of a client. */
export function createCore(options: ClientOptions<any>): Core {
  const { queue: limits = {}, backoff = {}, heartbeat = {} } = options;
  const { base, max, later: delayLater, attemptsMax } = backoff;
  const environment = surroundings(options.environment);
  const codec = options.codec ?? json();
  const ageMax = limits.ageMax ?? 60_000;
  const told: (() => void)[] = [];
  const listeners = new Set<(status: Status) => void>();
  let telling = false;
  let status: Status = { state: "idle", attempt: 0 };
  let wasReady = false;
  let lines = 0;
  let closed = false;
  let connecting: Deferred | undefined;
  let stop: ClientError | undefined;

  const core: Core = {
    environment,
    auth: options.auth,
    ageMax,
    conform: options.contract?.conform ?? ((_, __, data) => data),
    tell: () => tell(),
    get isOnline() {
      return line.isOnline;
    },
    call(message, { timeout = REQUEST_TIMEOUT, ...how } = {}) {
      return enqueue(message, { timeout, ...how }).answer;
    },
    cast(message) {
      const isOnline = line.isOnline;
      if (isOnline) {
        line.send(encode(message));
      }
      return isOnline;
    },
    later: (tell) => void told.push(tell),
    report: (error) => core.later(() => (events.has("error") ? events.emit("error", error) : environment.reportError(error))),
    handlerFailed(error, type) {
      if (type === "error") {
        environment.reportError(error);
      } else {
        core.report(new ClientError("handler", `a handler of "${type}" threw: ${String(error)}`, { cause: error }));
        tell();
      }
    },
    client: undefined!,
  };

  const events = createEvents(core.handlerFailed);
  /** Nothing that was told may stop what is told next. */
  const failed = (error: unknown): void => (error instanceof ClientError ? core.report(error) : core.handlerFailed(error, "status"));

  /** Tells the application what has happened. Handlers may call the client; what follows from that is told after. */
  const tell = (): void => {
    if (!telling) {
      telling = true;
      for (let one; (one = told.shift()); ) {
        try {
          one();
        } catch (error) {
          failed(error);
        }
      }
      telling = false;
    }
  };
  const emit = (type: string, data: unknown): void => core.later(() => events.emit(type, data));

  const encode = (message: object): string | Uint8Array => {
    try {
      return codec.encode(message);
    } catch (error) {
      throw new ClientError("bad_message", String(error), { cause: error });
    }
  };

  const setStatus = (next: Status): void => {
    status = next;
    core.later(() => {
      for (const listener of listeners) {
        core.later(() => listener(next));
      }
      events.emit("status", next);
    });
  };

  const line = createLine({ url: options.url, auth: options.auth }, options.transports ?? [websocket()], codec, environment, {
    ...DEFAULTS,
    ...defined({
      connectTimeout: options.connectTimeout,
      heartbeatInterval: heartbeat.interval,
      heartbeatTimeout: heartbeat.timeout,
      delayBase: base,
      delayMax: max,
      delayLater,
      attemptsMax,
    }),
  }, {
    done: tell,
    error: core.report,
    resume: () => core.plug?.resume() ?? new Map(),
    ready(welcome) {
      wasReady = true;
      core.plug?.ready(welcome);
      queue.flush();
      emit("connected", { ...line.who, reconnected: lines++ > 0 });
    },
    unready() {
      queue.cut();
      core.plug?.unready();
    },
    status({ status: state, ...rest }) {
      const { attempt, delay, code, reason } = rest;
      const isStopped = state === "stopped";
      setStatus({
        state,
        ...rest,
        ...(delay != null && { retryAt: environment.now() + delay }),
        ...line.who,
        ...(line.transport && { transport: line.transport.name }),
      } as Status);
      if (wasReady ? state !== "online" && state !== "probing" : isStopped) {
        wasReady = false;
        emit("disconnected", { code: code ?? 4000, reason: reason ?? "the token expired", willRetry: !isStopped });
      }
      if (state === "online") {
        queue.flush();
        stop = undefined;
        connecting?.resolve();
        connecting = undefined;
      } else if (state === "waiting") {
        emit("reconnecting", { attempt, delay });
      } else if (isStopped) {
        stop = new ClientError(code === 1000 ? "disconnected" : "stopped", `the client has stopped: ${reason}`);
        queue.fail(stop);
        core.plug?.stopped(stop);
        connecting?.reject(stop);
        connecting = undefined;
        if (reason === `gave up after ${attempt} attempts`) {
          emit("maxRetriesReached", { attempts: attempt });
        }
      }
    },
    message(message) {
      if (message.id !== undefined && queue.answer(message)) {
        // Whoever asked tells.
      } else if (String(message.id).startsWith("s-")) {
        core.later(() => serve(message));
      } else if (message.type === "error" && message["upload"] === undefined) {
        core.report(serverError(message));
      } else if (!core.plug?.message(message)) {
// An error about a chunk is for whoever hears of its acknowledgement.
        const type = message.type === "error" ? "chunk" : message.type;
        if (!OWN_EVENTS.includes(type)) {
          core.later(() => events.emit(type, core.conform("events", type, message.data), message));
        }
      }
      core.later(() => events.emit("message", message));
      tell();
    },
  });

  const queue = createQueue(
    { messagesMax: limits.messagesMax ?? 1000, bytesMax: limits.bytesMax ?? 1 << 20, overflow: limits.overflow ?? "reject" },
    environment,
    encode,
    line.send,
    () => line.isOnline,
    serverError,
  );

  const enqueue = (message: { type: string }, how: CallOptions): ReturnType<typeof queue.add> => {
    const added = queue.add(message, how);
    if (stop) {
      added.call.settle(stop);
    }
    return added;
  };

  /** Answers a request of the server with what the handler returns. */
  const serve = async (message: Message): Promise<void> => {
    const { type, id } = message;
    try {
      const handler = events.first(type);
      if (!handler) {
        throw new ClientError("unknown_type", `nothing here answers to ${type}`);
      }
      core.cast({ type, id, data: await handler(message.data, message) });
    } catch (error) {
      const { code = "rejected", message: text } = error as ClientError;
      core.cast({ type: "error", id, code, error: text, message: text });
    }
  };

  core.client = {
    async connect({ signal } = {}) {
      if (closed) {
        throw stop!;
      }
      if (status.state === "online" || status.state === "probing") {
        return;
      }
      stop = undefined;
      const { promise } = (connecting ??= defer());
      line.input("start");
      await (signal ? Promise.race([promise, aborted(signal)]) : promise);
    },
    disconnect: () => line.input("stop"),
    close() {
      line.input("stop");
      closed = true;
      stop ??= new ClientError("disconnected", "the client is closed");
      queue.fail(stop);
      events.clear();
      listeners.clear();
    },
    [Symbol.dispose]: () => core.client.close(),
    get status() {
      return status;
    },
    subscribeStatus(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    on: events.on,
    once: events.once,
    off: events.off,
    async request(type, data, { idempotent, ...how } = {}) {
      return core.conform("requests", type, (await core.call({ type, data }, { ...how, again: !!idempotent })).data) as any;
    },
    send(type, data, { volatile, ttl = ageMax } = {}) {
      if (volatile) {
        const { promise: delivered, resolve, reject } = defer();
        const isSent = core.cast({ type, data });
        if (isSent) {
          resolve();
        } else {
          reject(offline());
        }
        return { id: 0, state: isSent ? "delivered" : "failed", delivered } satisfies Sent;
      }
      const { call, answer } = enqueue({ type, data } as { type: string }, { timeout: ttl });
      const delivered = answer as Promise<unknown> as Promise<void>;
      return {
        id: call.id,
        get state() {
          return call.state;
        },
        delivered,
      };
    },
    queue: {
      get size() {
        return queue.size;
      },
      get bytes() {
        return queue.bytes;
      },
      list: () =>
        queue.values().map(({ id, message: { type, channel }, state, bytes }) => ({ id, type, ...(channel && { channel }), state: state as "sent", bytes })),
      clear: () => queue.fail(new ClientError("aborted", "the queue was cleared"), true),
    },
    sendFrame(frame) {
      const { isOnline } = line;
      if (isOnline) {
        line.send(frame);
      }
      return isOnline;
    },
    get bufferedAmount() {
      return line.transport?.bufferedAmount ?? 0;
    },
  };
  return core;
}

/** Why a volatile message was not sent. */
export function offline(): ClientError {
  return new ClientError("disconnected", "the line is not open, and this does not wait for it", { retryable: true });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(new ClientError("aborted", "connect was aborted", { cause: signal.reason }));
    if (signal.aborted) {
      abort();
    }
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** Without the fields that are undefined. */
function defined<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
