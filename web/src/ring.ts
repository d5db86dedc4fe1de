/** The newest `capacity` values; pushing one more lets the oldest go. */
export class Ring<T> {
  readonly capacity: number;
  #values: T[] = [];
  #oldest = 0;

  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError("capacity must be a whole number above zero");
    }
    this.capacity = capacity;
  }

  get size(): number {
    return this.#values.length;
  }

  /** Returns the value that had to go, if one had to. */
  push(value: T): T | undefined {
    if (this.#values.length < this.capacity) {
      this.#values.push(value);
      return undefined;
    }
    const evicted = this.#values[this.#oldest];
    this.#values[this.#oldest] = value;
    this.#oldest = (this.#oldest + 1) % this.capacity;
    return evicted;
  }

  /** All values, oldest first. */
  toArray(): T[] {
    return [...this.#values.slice(this.#oldest), ...this.#values.slice(0, this.#oldest)];
  }

  clear(): void {
    this.#values = [];
    this.#oldest = 0;
  }
}
