/** Time that passes when it is told to. */
export class VirtualClock {
  private time = 1_000_000;
  private timers: { at: number; callback: () => void }[] = [];

  readonly now = (): number => this.time;

  readonly setTimeout = (callback: () => void, delay: number): unknown => {
    const timer = { at: this.time + delay, callback };
    this.timers.push(timer);
    return timer;
  };

  readonly clearTimeout = (timer: unknown): void => {
    this.timers = this.timers.filter((other) => other !== timer);
  };

  get pending(): number {
    return this.timers.length;
  }

  /** Lets so many milliseconds pass, and what is due happen, each at its time. */
  async pass(delay: number): Promise<void> {
    const until = this.time + delay;
    for (;;) {
      // What waits for a promise comes first.
      await new Promise((resolve) => setImmediate(resolve));
      const next = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) {
        break;
      }
      this.clearTimeout(next);
      this.time = Math.max(this.time, next.at);
      next.callback();
    }
    this.time = until;
  }
}
