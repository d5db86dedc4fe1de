const STORED = "openline.dashboard.key";

/** The key in `#key=…`, if there is one. A plus is a plus: this is no form. */
export function keyOf(hash: string): string | undefined {
  const given = /^#(?:.*&)?key=([^&]*)/.exec(hash)?.[1] ?? "";
  const key = decoded(given).trim();
  return key === "" ? undefined : key;
}

/** Whether this can be a key at all; what cannot stand in a header is none. */
export function isKey(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

/** Where the key is while the tab is open. It leaves the address bar, so that it is not shown, kept or passed on. */
export class KeyKeeper {
  readonly #view: Window;

  constructor(view: Window) {
    this.#view = view;
  }

  /** The key from the address, which is then without it, or that from before. */
  take(): string | undefined {
    const { location, history } = this.#view;
    const given = keyOf(location.hash);
    if (given === undefined) {
      return this.#storage?.getItem(STORED) ?? undefined;
    }
    history.replaceState(history.state, "", location.pathname + location.search);
    this.keep(given);
    return given;
  }

  keep(key: string): void {
    this.#storage?.setItem(STORED, key);
  }

  forget(): void {
    this.#storage?.removeItem(STORED);
  }

  /** A browser that forbids storage asks again after a reload. */
  get #storage(): Storage | undefined {
    try {
      return this.#view.sessionStorage;
    } catch {
      return undefined;
    }
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
