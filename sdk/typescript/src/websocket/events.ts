/** The line was lost, or an attempt failed, and another will be made. */
export class ReconnectingEvent extends Event {
  /** The number of the attempt to come, from 1; a line that lasts 10 s sets it back. */
  readonly attempt: number;
  /** Milliseconds until the attempt; null while the page is put away, for then it is made when it is back. */
  readonly delay: number | null;
  /** How the line ended: the server's close code, 1005 without one, 1006 if it broke off or never opened. */
  readonly code: number;
  /** The server's reason, or a sentence of ours where there was no close. */
  readonly reason: string;

  constructor(init: Pick<ReconnectingEvent, "attempt" | "delay" | "code" | "reason">) {
    super("reconnecting");
    this.attempt = init.attempt;
    this.delay = init.delay;
    this.code = init.code;
    this.reason = init.reason;
  }
}

/** As many attempts failed in a row as may; `error` and `close` follow. */
export class MaxRetriesReachedEvent extends Event {
  /** How many failed. */
  readonly attempts: number;

  constructor(attempts: number) {
    super("maxretriesreached");
    this.attempts = attempts;
  }
}

/** How a line ended, in the words of `CloseEvent`. */
export interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** A `CloseEvent`, or where there is none (Node before 23) an `Event` with its fields. */
export function closeEvent(ending: Ending): CloseEvent {
  if (typeof CloseEvent !== "undefined") return new CloseEvent("close", ending);
  const { code, reason, wasClean } = ending;
  return Object.assign(new Event("close"), { code, reason, wasClean });
}

/** An event's value in `on…`: an object is kept as the standard says, but a function alone is called. */
export type Handler<E extends Event> = ((event: E) => unknown) | null;

/** The `on…` attributes of an event target. */
export class HandlerAttributes {
  readonly #target: EventTarget;
  readonly #handlers = new Map<string, { value: object; listener: (event: Event) => void }>();

  constructor(target: EventTarget) {
    this.#target = target;
  }

  /** What was set, or null. */
  value(type: string): unknown {
    return this.#handlers.get(type)?.value ?? null;
  }

  /** Sets it: its place among the listeners is that of the first object after null. */
  set(type: string, value: unknown): void {
    const present = this.#handlers.get(type);
    if (!isObject(value)) {
      if (present) this.#target.removeEventListener(type, present.listener);
      this.#handlers.delete(type);
    } else if (present) {
      present.value = value;
    } else {
      const handler = { value, listener: (event: Event): void => call(handler.value, this.#target, event) };
      this.#handlers.set(type, handler);
      this.#target.addEventListener(type, handler.listener);
    }
  }
}

function call(handler: object, target: EventTarget, event: Event): void {
  if (typeof handler === "function") handler.call(target, event);
}

function isObject(value: unknown): value is object {
  return typeof value === "function" || (typeof value === "object" && value !== null);
}
