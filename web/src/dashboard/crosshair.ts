/** The time that all plots show the values of; without one they show the newest. */
export class Crosshair {
  readonly #onChange: () => void;
  #at: number | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get at(): number | undefined {
    return this.#at;
  }

  set(at: number | undefined): void {
    if (at !== this.#at) {
      this.#at = at;
      this.#onChange();
    }
  }
}
