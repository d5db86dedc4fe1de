const WINDOW_MS = 3_000;

/** How fast an upload is, from what it said lately. */
export class TransferRate {
  #samples: { readonly at: number; readonly sent: number }[] = [];

  handleProgress(sent: number, now: number): void {
    this.#samples.push({ at: now, sent });
    const old = this.#samples.findLastIndex(({ at }) => at < now - WINDOW_MS);
    this.#samples.splice(0, Math.max(0, old));
  }

  /** What was before a pause says nothing about what comes. */
  handlePause(): void {
    this.#samples = [];
  }

  /** Bytes per second over the last seconds, once there is something to measure. */
  get bytesPerSecond(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.at - first.at < 50) {
      return undefined;
    }
    return ((last.sent - first.sent) * 1_000) / (last.at - first.at);
  }

  /** Seconds that the rest will take. */
  secondsLeft(size: number): number | undefined {
    const rate = this.bytesPerSecond;
    const last = this.#samples.at(-1);
    return rate === undefined || rate <= 0 || last === undefined ? undefined : Math.max(0, size - last.sent) / rate;
  }
}
