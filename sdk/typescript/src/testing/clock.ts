import type { Environment } from "../environment.js";

/** A clock that stands still until it is told to go on. */
export interface VirtualClock extends Pick<Environment, "now" | "setTimeout" | "clearTimeout"> {
  /** How many timers are set. */
  readonly timers: number;
  /** Lets time pass: timers fire in their order, each with what follows from it done before the next. */
  advance(milliseconds: number): Promise<void>;
  /** Jumps ahead as a machine does that slept: timers that are due fire late, at the new time. */
  sleep(milliseconds: number): Promise<void>;
  /** Lets everything happen that needs no time. */
  settle(): Promise<void>;
}

/** Makes a clock that shows `start`, in milliseconds since 1970. */
export function createVirtualClock(start = 1_700_000_000_000): VirtualClock {
  const timers = new Map<number, { at: number; callback: () => void }>();
  let time = start;
  let last = 0;

  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
  const next = (): [number, { at: number; callback: () => void }] | undefined =>
    [...timers].filter(([, { at }]) => at <= time).sort(([a, x], [b, y]) => x.at - y.at || a - b)[0];
  const fire = async (until: number): Promise<void> => {
    await settle();
    for (;;) {
      const due = [...timers.values()].map(({ at }) => at).filter((at) => at <= until);
      if (due.length === 0) {
        break;
      }
      time = Math.max(time, Math.min(...due));
      const [timer, { callback }] = next()!;
      timers.delete(timer);
      callback();
      await settle();
    }
    time = Math.max(time, until);
  };

  return {
    now: () => time,
    setTimeout(callback, delay) {
      timers.set(++last, { at: time + Math.max(0, delay), callback });
      return last;
    },
    clearTimeout: (timer) => void timers.delete(timer as number),
    get timers() {
      return timers.size;
    },
    advance: (milliseconds) => fire(time + milliseconds),
    async sleep(milliseconds) {
      time += milliseconds;
      await fire(time);
    },
    settle,
  };
}
