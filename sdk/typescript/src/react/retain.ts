import type { ReactClient } from "./react-client.js";

/**
 * How long something is kept after its last user has gone, in milliseconds: React unmounts and mounts again in
 * StrictMode, on hot reload and when a list is sorted anew, and none of that is a reason to leave a channel.
 */
const LINGER_MS = 2_000;

interface Hold {
  users: number;
  timer?: ReturnType<typeof setTimeout> | undefined;
}

/** Counts users of things that are begun for the first and ended after the last. */
export class Retainer<T extends object> {
  readonly #holds = new WeakMap<T, Hold>();
  readonly #begin: (thing: T) => void;
  readonly #end: (thing: T) => void;

  constructor(begin: (thing: T) => void, end: (thing: T) => void) {
    this.#begin = begin;
    this.#end = end;
  }

  /** One more user. What it returns is called once, when that user goes. */
  retain(thing: T): () => void {
    let hold = this.#holds.get(thing);
    if (!hold) {
      hold = { users: 0 };
      this.#holds.set(thing, hold);
      this.#begin(thing);
    }
    hold.users += 1;
    clearTimeout(hold.timer);
    return () => this.#release(thing, hold);
  }

  #release(thing: T, hold: Hold): void {
    hold.users -= 1;
    if (hold.users > 0) {
      return;
    }
    hold.timer = setTimeout(() => {
      this.#holds.delete(thing);
      this.#end(thing);
    }, LINGER_MS);
  }
}

const clients = new Retainer<ReactClient>(
  (client) => {
    // What went wrong is in the status, and told by "error".
    client.connect().catch(() => {});
  },
  (client) => client.disconnect(),
);

/** Keeps the client connected until what this returns is called. */
export function retainClient(client: ReactClient): () => void {
  return clients.retain(client);
}
