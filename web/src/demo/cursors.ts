import { parsePerson, type Person } from "./person.js";

/** A place in the area: 0 to 1 from left and from top. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

export interface Cursor extends Place {
  readonly person: Person;
  readonly seenAt: number;
}

/** At most one message per this many milliseconds: 20 a second. */
export const SEND_EVERY_MS = 50;
/** Who moves no more for this long is not shown any more. */
export const IDLE_MS = 12_000;
const CURSORS_MAX = 100;

/** The pointers of the others, and when our own may be told again. */
export class Cursors {
  readonly #me: string;
  #others = new Map<string, Cursor>();
  #own: Place | undefined;
  #unsent: Place | undefined;
  #mayAt = Number.NEGATIVE_INFINITY;

  constructor(me: string) {
    this.#me = me;
  }

  get others(): readonly Cursor[] {
    return [...this.#others.values()];
  }

  get own(): Place | undefined {
    return this.#own;
  }

  /** Returns whether something is to be drawn anew. */
  handleMessage(event: string, data: unknown, now: number): boolean {
    const person = parsePerson(data);
    if (person === undefined || person.tab === this.#me) {
      return false;
    }
    if (event === "leave") {
      return this.#others.delete(person.tab);
    }
    const place = parsePlace(data);
    if (place === undefined || (!this.#others.has(person.tab) && this.#others.size >= CURSORS_MAX)) {
      return false;
    }
    this.#others.set(person.tab, { ...place, person, seenAt: now });
    return true;
  }

  handleOwnMove(place: Place): void {
    this.#own = { x: clamp(place.x), y: clamp(place.y) };
    this.#unsent = this.#own;
  }

  /** An arrow key: a step, from the middle at first. */
  handleOwnStep(key: string, step: number): boolean {
    const [x, y] = STEPS[key] ?? [0, 0];
    if (x === 0 && y === 0) {
      return false;
    }
    const from = this.#own ?? { x: 0.5, y: 0.5 };
    this.handleOwnMove({ x: from.x + x * step, y: from.y + y * step });
    return true;
  }

  handleOwnLeave(): void {
    this.#own = undefined;
    this.#unsent = undefined;
  }

  /** The place to tell the others now, if there is one and its time has come. */
  pollSend(now: number): Place | undefined {
    const place = this.#unsent;
    if (place === undefined || now < this.#mayAt) {
      return undefined;
    }
    this.#unsent = undefined;
    this.#mayAt = now + SEND_EVERY_MS;
    return place;
  }

  /** When `pollSend` has something, if it will. */
  pollTimeout(): number | undefined {
    return this.#unsent === undefined ? undefined : this.#mayAt;
  }

  /** Drops who has not moved lately. Returns whether somebody went. */
  handleTimeout(now: number): boolean {
    const before = this.#others.size;
    this.#others = new Map([...this.#others].filter(([, { seenAt }]) => now - seenAt < IDLE_MS));
    return this.#others.size !== before;
  }
}

const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function parsePlace(data: unknown): Place | undefined {
  const { x, y } = (data ?? {}) as { x?: unknown; y?: unknown };
  const isPlace = typeof x === "number" && typeof y === "number" && Number.isFinite(x) && Number.isFinite(y);
  return isPlace ? { x: clamp(x), y: clamp(y) } : undefined;
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}
