import { cleanName, hueOf, inventedName, inventedTab, type Person } from "./person.js";

const NAME_KEY = "openline.demo.name";
const TAB_KEY = "openline.demo.tab";

/** The person of this tab, kept over reloads. */
export class Me {
  readonly #storage: Storage | undefined;
  readonly #listeners = new Set<() => void>();
  #person: Person;

  /** `isReload`: the page was there before. A tab that was duplicated brings its storage, but is another person. */
  constructor(storage: Storage | undefined, isReload: boolean, random: () => number) {
    this.#storage = storage;
    const tab = (isReload ? this.#stored(TAB_KEY) : undefined) ?? inventedTab(random);
    const name = this.#stored(NAME_KEY) ?? inventedName(random);
    this.#person = { tab, name, hue: hueOf(tab) };
    this.#store();
  }

  get person(): Person {
    return this.#person;
  }

  /** Returns the name that counts: an empty one changes nothing. */
  rename(input: string): string {
    const name = cleanName(input);
    if (name !== "" && name !== this.#person.name) {
      this.#person = { ...this.#person, name };
      this.#store();
      for (const listener of this.#listeners) {
        listener();
      }
    }
    return this.#person.name;
  }

  onRename(listener: () => void): void {
    this.#listeners.add(listener);
  }

  #stored(key: string): string | undefined {
    try {
      return this.#storage?.getItem(key) ?? undefined;
    } catch {
      return undefined;
    }
  }

  /** A browser that forbids storage just forgets. */
  #store(): void {
    try {
      this.#storage?.setItem(NAME_KEY, this.#person.name);
      this.#storage?.setItem(TAB_KEY, this.#person.tab);
    } catch {
      // Nothing is lost but the name after a reload.
    }
  }
}
