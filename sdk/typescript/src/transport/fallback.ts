import type { Transport, TransportEvents, TransportFactory, TransportName, TransportTarget } from "./transport.js";

/** When to try what. All times are in milliseconds. */
export interface FallbackOptions {
  /**
   * How long a transport may be silent before the next one is tried beside it. The first that brings a message carries the line.
   * @default 3000
   */
  race?: number;
  /**
   * For how long lines begin with what worked, when something better had not.
   * @default 600000
   */
  remember?: number;
  /**
   * After what time on a lesser transport a better one is tried in the background; each further time is twice as long,
   * up to `remember`. It costs the server a line for a moment.
   * @default 30000
   */
  probe?: number;
}

/** How long a better transport may take when it is tried in the background. */
const PROBE_TIMEOUT = 10_000;

/** How often it is looked whether a line may move, and how many times before it is tried anew. */
const IDLE_INTERVAL = 1_000;
const IDLE_TRIES = 30;

/** What the lines of a client have learned about the network. */
interface Memory {
  /** With which transport to begin. */
  first: number;
  /** Until when, in milliseconds since 1970. */
  until: number;
}

/**
 * A line by the best transport that works: `fallback([websocket(), sse(), longPoll()])`. On a lesser one, a better one is
 * tried in the background; when it works, the line ends with 1012 as soon as nothing waits for an answer, and the next
 * begins with it. Channels go on by their positions.
 */
export function fallback(factories: readonly TransportFactory[], options: FallbackOptions = {}): TransportFactory {
  const memory: Memory = { first: 0, until: 0 };
  return {
    name: factories[0]?.name ?? "websocket",
    supported: (environment) => factories.some((factory) => factory.supported(environment)),
    open: (at, events) => new FallbackLine(factories, at, events, options, memory),
  };
}

class FallbackLine implements Transport {
  readonly #factories: readonly TransportFactory[];
  readonly #at: TransportTarget;
  readonly #events: TransportEvents;
  readonly #options: Required<FallbackOptions>;
  readonly #memory: Memory;
  /** Those that are tried, none of which has brought a message. */
  readonly #tried = new Set<Transport>();
  #reached = 0;
  #chosen: Transport | undefined;
  #probed: Transport | undefined;
  #isClosed = false;
  #timer: unknown;

  constructor(factories: readonly TransportFactory[], at: TransportTarget, events: TransportEvents, options: FallbackOptions, memory: Memory) {
    this.#factories = factories.filter((factory) => factory.supported(at.environment));
    this.#at = at;
    this.#events = events;
    this.#options = { race: 3_000, remember: 600_000, probe: 30_000, ...options };
    this.#memory = memory;
    if (memory.until <= at.environment.now()) {
      memory.first = 0;
    }
    this.#try(Math.min(memory.first, this.#factories.length - 1));
  }

  get name(): TransportName {
    return (this.#chosen ?? [...this.#tried].at(-1))?.name ?? this.#factories[0]!.name;
  }

  get bufferedAmount(): number {
    return this.#chosen?.bufferedAmount ?? 0;
  }

  send(frame: string | Uint8Array): void {
    this.#chosen?.send(frame);
  }

  close(code?: number, reason?: string): void {
    this.#isClosed = true;
    this.#wait(0);
    this.#chosen?.close(code, reason);
    this.#probed?.close(1000);
    this.#stopOthers();
  }

  #try(index: number): void {
    this.#reached = index;
    const transport: Transport = this.#factories[index]!.open(this.#at, {
      // It is open when it brings something: what is between may take a line and let nothing through.
      onopen: () => {},
      onmessage: (frame) => {
        if (!this.#chosen) {
          this.#choose(transport, index, frame);
        }
        if (!this.#isClosed) {
          this.#events.onmessage(frame);
        }
      },
      onclose: (end) => {
        this.#tried.delete(transport);
        // Another code than 1006 was said by the server itself.
        if (!this.#chosen && end.code === 1006 && ((index === this.#reached && this.#next()) || this.#tried.size)) {
          return;
        }
        if (!this.#chosen) {
          this.#memory.first = 0;
        }
        this.close();
        this.#events.onclose(end);
      },
    });
    this.#tried.add(transport);
    this.#wait(this.#options.race, () => this.#next());
  }

  /** Tries the next one; false if there is none. */
  #next(): boolean {
    const more = this.#reached + 1 < this.#factories.length;
    if (more) {
      this.#try(this.#reached + 1);
    }
    return more;
  }

  #choose(transport: Transport, index: number, frame: string | Uint8Array): void {
    this.#chosen = transport;
    this.#tried.delete(transport);
    this.#stopOthers();
    this.#wait(0);
    if (!this.#isWelcome(frame)) {
      // A server that is there and refuses says nothing about the network.
    } else if (index) {
      if (this.#memory.first !== index) {
        Object.assign(this.#memory, { first: index, until: this.#at.environment.now() + this.#options.remember });
      }
      this.#probeAfter(this.#options.probe, index, 0);
    } else {
      this.#memory.first = 0;
    }
    this.#events.onopen();
  }

  #stopOthers(): void {
    this.#tried.forEach((other) => other.close(1000));
    this.#tried.clear();
  }

  /** Tries those that are better than `index`, one each time. */
  #probeAfter(delay: number, index: number, turn: number): void {
    const again = (): void => {
      this.#probed?.close(1000);
      this.#probed = undefined;
      this.#probeAfter(Math.min(2 * delay, this.#options.remember), index, turn + 1);
    };
    this.#wait(delay, () => {
      const better = turn % index;
      this.#wait(PROBE_TIMEOUT, again);
      this.#probed = this.#factories[better]!.open(this.#at, {
        onopen: () => {},
        onmessage: (frame) => {
          if (!this.#isWelcome(frame)) {
            return again();
          }
          this.#probed?.close(1000);
          this.#probed = undefined;
          this.#memory.first = better;
          this.#move(again, IDLE_TRIES);
        },
        onclose: again,
      });
    });
  }

  /** Ends the line when nothing is on its way: what was asked has been answered. */
  #move(again: () => void, tries: number): void {
    if (!tries) {
      again();
    } else if (this.bufferedAmount) {
      this.#wait(IDLE_INTERVAL, () => this.#move(again, tries - 1));
    } else {
      this.close(1000, "another transport takes over");
      this.#events.onclose({ code: 1012, reason: "a better transport works; the line moves to it", wasClean: true });
    }
  }

  #isWelcome(frame: string | Uint8Array): boolean {
    try {
      return this.#at.codec.decode(frame).type === "welcome";
    } catch {
      return false;
    }
  }

  /** The one timer; without a callback none. */
  #wait(delay: number, callback?: () => void): void {
    const { environment } = this.#at;
    environment.clearTimeout(this.#timer);
    this.#timer = callback && environment.setTimeout(callback, delay);
  }
}
