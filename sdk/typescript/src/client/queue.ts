import type { Message } from "../codec/codec.js";
import type { Core } from "./core.js";
import { defer } from "./deferred.js";
import { ClientError, serverError } from "./errors.js";

/** A message that the server answers, and what is to become of it. */
export interface Call {
  readonly id: number;
  readonly message: { readonly type: string; readonly channel?: string };
  readonly frame: string | Uint8Array;
  readonly bytes: number;
  readonly how: CallOptions;
  state: "queued" | "sent" | "delivered" | "failed";
  /** Whether it was on a line at least once. */
  tried: boolean;
  /** Whether that line was left for another, and may still answer. */
  isLeft?: boolean;
  readonly expiresAt: number;
  /** Settles it: with an error, or with the answer. */
  settle(error?: ClientError, answer?: Message): void;
}

/** How a message waits. */
export interface CallOptions {
  /** How long it may take, in milliseconds, waiting for a line included. */
  timeout: number;
  signal?: AbortSignal | undefined;
  /** Whether it is sent again after a cut: doing it twice is as doing it once. */
  again?: boolean;
  /** Whether it belongs to the present line, goes before what waits, and ends with the line. */
  urgent?: boolean;
  /** Takes the answer before anything is taken in that came after it: a promise would be too late for that. */
  answered?: (answer: Message) => void;
}

/** How much may wait. */
export interface QueueLimits {
  messagesMax: number;
  bytesMax: number;
  overflow: "reject" | "dropOldest" | "wait";
}

/** All messages that were not answered yet, in their order. */
export interface Queue {
  readonly size: number;
  readonly bytes: number;
  values(): Call[];
  /** Takes a message in. It is sent when its turn has come and the line is online; at once if it is urgent. */
  add(message: { type: string }, how: CallOptions): { call: Call; answer: Promise<Message> };
  /** Sends all that was not sent, the oldest first. */
  flush(): void;
  /** Gives an answer to whoever waits for it. False if nobody does. */
  answer(message: Message): boolean;
  /**
   * The line has ended: what was on it waits again, or fails where it must not be sent twice. With `moves` the line may
   * still answer that, until `left`; true if it is to.
   */
  cut(moves?: boolean): boolean;
  left(answer?: Message): void;
  /** Ends all with an error; or, with `queued`, what was not sent. */
  fail(error: ClientError, queued?: boolean): void;
}

/** For how long nothing is sent after a server said that it is about to stop, in milliseconds, if it did not say how long. */
const HOLD = 1_000;

/** Makes an empty queue, for the line of a core. */
export function createQueue({ messagesMax, bytesMax, overflow }: QueueLimits, core: Core): Queue {
  const { now, setTimeout, clearTimeout } = core.environment;
  const calls = new Map<number, Call>();
  /** Those that wait for room. */
  const outside = new Set<Call>();
  let bytes = 0;
  let lastId = 0;
  /** Set while nothing goes out because the server is about to stop. */
  let held: unknown;

  const hasRoom = (size: number): boolean => calls.size < messagesMax && bytes + size <= bytesMax;

  const enter = (call: Call): void => {
    calls.set(call.id, call);
    bytes += call.bytes;
  };

  const leave = (call: Call): void => {
    outside.delete(call);
    if (calls.delete(call.id)) {
      bytes -= call.bytes;
    }
    for (const next of outside) {
      if (!hasRoom(next.bytes)) {
        break;
      }
      outside.delete(next);
      enter(next);
      sendIfOnline();
    }
  };

  const makeRoom = (size: number): boolean => {
    if (overflow === "dropOldest") {
      for (const call of calls.values()) {
        if (!hasRoom(size) && call.state === "queued") {
          call.settle(full("newer messages took its place"));
        }
      }
    }
    return hasRoom(size);
  };

  const send = (call: Call): void => {
    // Timers are held back in pages that nobody sees, so the clock decides.
    if (now() >= call.expiresAt) {
      late(call);
    } else {
      call.state = "sent";
      call.tried = true;
      core.transmit(call.frame);
    }
  };

  const flush = (): void => {
    for (const call of calls.values()) {
      if (!held && call.state === "queued") {
        send(call);
      }
    }
  };

  const release = (): void => {
    clearTimeout(held);
    held = undefined;
  };

  const lose = ({ settle, message }: Call): void =>
    settle(new ClientError("connection_lost", `the line ended before ${message.type} was answered`, { retryable: true }));

  const sendIfOnline = (): void => {
    if (core.isOnline) {
      flush();
    }
  };

  const queue: Queue = {
    get size() {
      return calls.size;
    },
    get bytes() {
      return bytes;
    },
    values: () => [...calls.values()],
    add(message, how) {
      const id = ++lastId;
      const { timeout, signal, urgent } = how;
      const frame = core.encode({ ...message, id });
      const size = typeof frame === "string" ? new TextEncoder().encode(frame).length : frame.length;
      const reply = defer<Message>();
      const settle: Call["settle"] = (error, value) => {
        if (call.state === "delivered" || call.state === "failed") {
          return;
        }
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        call.state = error ? "failed" : "delivered";
        leave(call);
        if (!error) {
          how.answered?.(value!);
        }
        reply.settle(error, value);
      };
      const call: Call = { id, message, frame, bytes: size, how, state: "queued", tried: false, expiresAt: now() + timeout, settle };
      const abort = (): void => settle(new ClientError("aborted", `${message.type} was aborted`, { cause: signal!.reason }));
      const timer = setTimeout(() => late(call), Math.min(timeout, 2 ** 31 - 1));
      signal?.addEventListener("abort", abort);
      if (signal?.aborted) {
        abort();
      } else if (core.stop) {
        settle(core.stop);
      } else if (size > bytesMax) {
        settle(new ClientError("too_large", `${size} bytes are more than may wait (${bytesMax})`));
      } else if (urgent || hasRoom(size) || makeRoom(size)) {
        enter(call);
      } else if (overflow === "wait" && outside.size < messagesMax) {
        outside.add(call);
      } else {
        settle(full("too many messages wait"));
      }
      if (urgent && call.state === "queued") {
        send(call);
      }
      sendIfOnline();
      return { call, answer: reply.promise };
    },
    flush,
    answer(message) {
      const call = calls.get(message.id as number);
      const error = message.type === "error" ? serverError(message) : undefined;
      if (error?.code === "shutting_down" && call?.how.again) {
        // It goes out again, before all that is newer, on the next line or when the server goes on after all.
        release();
        call.state = "queued";
        held = setTimeout(() => {
          release();
          sendIfOnline();
        }, error.retryAfter ?? HOLD);
      } else {
        call?.settle(error, message);
      }
      return !!call;
    },
    cut(moves) {
      let isAwaited = false;
      release();
      for (const call of [...calls.values()]) {
        if (!call.how.urgent && (call.state === "queued" || call.how.again)) {
          call.state = "queued";
        } else if (moves) {
          call.isLeft = isAwaited = true;
        } else {
          lose(call);
        }
      }
      return isAwaited;
    },
    left: (message) =>
      [...calls.values()].forEach((call) => {
        // What went out again is answered by the line that it went out on.
        if (call.isLeft && (!message || call.id === message.id)) {
          message ? queue.answer(message) : lose(call);
        }
      }),
    fail(error, queued) {
      for (const call of [...outside, ...calls.values()]) {
        if (!queued || call.state === "queued") {
          call.settle(error);
        }
      }
    },
  };
  return queue;
}

function late({ tried, message, how, settle }: Call): void {
  settle(
    tried
      ? new ClientError("timeout", `${message.type} was not answered within ${how.timeout} ms`, { retryable: true })
      : new ClientError("expired", `${message.type} could not be sent within ${how.timeout} ms`, { retryable: true }),
  );
}

function full(why: string): ClientError {
  return new ClientError("queue_full", `the queue is full: ${why}`, { retryable: true });
}
