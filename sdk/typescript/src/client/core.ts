import type { Message } from "../codec/codec.js";
import { json } from "../codec/json.js";
import type { Contract } from "../contract.js";
import { type Environment, environment as surroundings } from "../environment.js";
import { websocket } from "../transport/websocket.js";
import type { LineClient } from "./client.js";
import { ClientError, serverError } from "./errors.js";
import { defer, type Deferred } from "./deferred.js";
import { createEvents } from "./events.js";
import { createLine } from "./line.js";
import type { Auth, ClientOptions } from "./options.js";
import type { Status } from "./status.js";

/** A part of the client that lives on the line, as calls and channels do, and what it is told. */
export interface Part {
  /** The line was welcomed. What is sent now goes before all that waits. */
  ready?(): void;
  /** The line can be used: for the first time, or again after a doubt. */
  online?(): void;
  /** The line has ended; with `moves`, for another that is ready: this one may still answer until `left`. True if it is to. */
  unready?(moves?: boolean): boolean | void;
  /** That one has answered, or ended. */
  left?(answer?: Message): void;
  /** A message with an id. True if this part has asked for it. */
  answer?(message: Message): boolean;
  /** A message that answers nothing. True if it is this part's business. */
  message?(message: Message): boolean;
  /** The client has stopped. */
  stopped?(error: ClientError): void;
}

/** A client of a line alone, and what its parts need of it. */
export interface Core {
  client: LineClient;
  readonly environment: Environment;
  readonly auth: Auth | undefined;
  readonly isOnline: boolean;
  /** Why nothing can be sent any more, before the next `connect`. */
  readonly stop: ClientError | undefined;
  /** In the order in which they are told. */
  readonly parts: Part[];
  /** The positions of channels, for transports whose address names them. */
  resume(): ReadonlyMap<string, string>;
  encode(message: object): string | Uint8Array;
  /** Gives a frame to the line, which has to be open. */
  transmit(frame: string | Uint8Array): void;
  /** Sends without an answer; nothing if the line is not open. */
  cast(message: object): boolean;
  /** Has `tell` called when the transition under way is complete. */
  later(tell: () => void): void;
  report(error: ClientError): void;
  handlerFailed(error: unknown, type: string): void;
  /** Tells the application what has happened since the last time. */
  tell(): void;
  /** The payload of what came, if it is as the contract says. Throws if it is not. */
  conform: Contract["conform"];
}

/** What the client tells by these names must not be taken for what the server pushes. */
const OWN_EVENTS = ["connected", "disconnected", "reconnecting", "maxRetriesReached", "status", "error", "message"];

/** Makes the inside of a client, without parts. */
export function createCore(options: ClientOptions<any>): Core {
  const { backoff = {}, heartbeat = {} } = options;
  const { base, max, later: delayLater, attemptsMax } = backoff;
  const environment = surroundings(options.environment);
  const codec = options.codec ?? json();
  const parts: Part[] = [];
  const told: (() => void)[] = [];
  const listeners = new Set<(status: Status) => void>();
  let telling = false;
  let status: Status = { state: "idle", attempt: 0 };
  let wasReady = false;
  let lines = 0;
  let closed = false;
  let connecting: Deferred | undefined;
  let stop: ClientError | undefined;

  const encode = (message: object): string | Uint8Array => {
    try {
      return codec.encode(message);
    } catch (error) {
      throw new ClientError("bad_message", String(error), { cause: error });
    }
  };

  const core: Core = {
    environment,
    auth: options.auth,
    parts,
    resume: () => new Map(),
    conform: options.contract?.conform ?? ((_, __, data) => data),
    tell: () => tell(),
    get isOnline() {
      return line.isOnline;
    },
    get stop() {
      return stop;
    },
    encode,
    transmit: (frame) => line.send(frame),
    cast(message) {
      const { isOnline } = line;
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
  const tellParts = (what: "ready" | "online" | "stopped"): void => parts.forEach((part) => part[what]?.(stop!));
  const emit = (type: string, data: unknown): void => core.later(() => events.emit(type, data));

  const line = createLine({ url: options.url, auth: options.auth }, options.transports ?? [websocket()], codec, environment, {
    connectTimeout: options.connectTimeout,
    heartbeatInterval: heartbeat.interval,
    heartbeatTimeout: heartbeat.timeout,
    delayBase: base,
    delayMax: max,
    delayLater,
    attemptsMax,
  }, {
    done: tell,
    error: core.report,
    resume: () => core.resume(),
    ready() {
      wasReady = true;
      tellParts("ready");
      emit("connected", { ...line.who, reconnected: lines++ > 0 });
    },
    unready: (moves) => parts.map((part) => part.unready?.(moves)).includes(true),
    left: (answer) => parts.forEach((part) => part.left?.(answer)),
    status({ status: state, ...rest }) {
      const { attempt, delay, code, reason } = rest;
      const isStopped = state === "stopped";
      const next = {
        state,
        ...rest,
        ...(delay != null && { retryAt: environment.now() + delay }),
        ...line.who,
        ...(line.transport && { transport: line.transport.name }),
      } as Status;
      status = next;
      core.later(() => {
        listeners.forEach((listener) => core.later(() => listener(next)));
        events.emit("status", next);
      });
      if (wasReady ? state !== "online" && state !== "probing" : isStopped) {
        wasReady = false;
        emit("disconnected", { code, reason, willRetry: !isStopped });
      }
      if (state === "online") {
        tellParts("online");
        stop = undefined;
        connecting?.settle();
        connecting = undefined;
      } else if (state === "waiting") {
        emit("reconnecting", { attempt, delay });
      } else if (isStopped) {
        stop = new ClientError(code === 1000 ? "disconnected" : "stopped", `the client has stopped: ${reason}`);
        tellParts("stopped");
        connecting?.settle(stop);
        connecting = undefined;
        if (reason === `gave up after ${attempt} attempts`) {
          emit("maxRetriesReached", { attempts: attempt });
        }
      }
    },
    message(message) {
      if (message.id !== undefined && parts.some((part) => part.answer?.(message))) {
        // Whoever asked tells.
      } else if (String(message.id).startsWith("s-")) {
        core.later(() => serve(message));
      } else if (message.type === "error" && message["upload"] === undefined) {
        core.report(serverError(message));
      } else if (!parts.some((part) => part.message?.(message))) {
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
    send(type, data) {
      const { promise: delivered, settle } = defer();
      const isSent = core.cast({ type, data });
      settle(isSent ? undefined : offline());
      return { id: 0, state: isSent ? "delivered" : "failed", delivered };
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
