/** Leafs through pages of which each knows only where the next one begins. */
export class Pager {
  /** Where the pages up to this one begin; the first is without. */
  #starts: (string | undefined)[] = [undefined];
  #next: string | undefined;

  get after(): string | undefined {
    return this.#starts.at(-1);
  }

  /** From one. */
  get number(): number {
    return this.#starts.length;
  }

  get hasNext(): boolean {
    return this.#next !== undefined;
  }

  get hasPrevious(): boolean {
    return this.#starts.length > 1;
  }

  handlePage(next: string | undefined): void {
    this.#next = next;
  }

  forward(): void {
    if (this.#next !== undefined) {
      this.#starts.push(this.#next);
      this.#next = undefined;
    }
  }

  back(): void {
    if (this.#starts.length > 1) {
      this.#starts.pop();
      this.#next = undefined;
    }
  }

  reset(): void {
    this.#starts = [undefined];
    this.#next = undefined;
  }
}
