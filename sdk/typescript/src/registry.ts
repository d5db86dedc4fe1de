/** What can be kept under a name: a `Client`, a `ReconnectingWebSocket`, a `WebSocket`. */
export interface Closable {
  close(): void;
  /** `WebSocket`'s; 3 says that it has ended for good, and its name is free. */
  readonly readyState?: number;
}

const CLOSED = 3;

/**
 * Several connections, each under a name of the application's choice.
 *
 * ```ts
 * const connections = new Connections();
 * connections.open("chat", () => createClient({ url: "/ws" }));
 * connections.get("chat")?.close();
 * ```
 *
 * Non-effect: it neither connects nor shares anything by itself, and one made in another place of the program
 * knows other connections. Whoever wants one for the whole program makes it in a module.
 */
export class Connections<T extends Closable = Closable> {
  readonly #connectionsMax: number;
  readonly #connections = new Map<string, T>();

  /** `connectionsMax`: how many there may be at once. */
  constructor({ connectionsMax = 100 }: { readonly connectionsMax?: number } = {}) {
    this.#connectionsMax = connectionsMax;
  }

  /** How many there are. */
  get size(): number {
    return this.names().length;
  }

  /**
   * Makes a connection and keeps it under the name. Throws where the name is taken by one that has not ended, or
   * there are as many as there may be; `make` is not called then. The caller owes `close` of the name.
   */
  open<C extends T>(name: string, make: () => C): C {
    if (this.get(name)) throw new Error(`there is a connection "${name}": use get("${name}"), or close it first`);
    if (this.size >= this.#connectionsMax) {
      throw new Error(`there are ${this.#connectionsMax} connections, and may not be more: close one, or raise connectionsMax`);
    }
    const connection = make();
    // `make` may have opened one of this name itself.
    if (this.get(name)) {
      connection.close();
      throw new Error(`making the connection "${name}" opened another of this name`);
    }
    this.#connections.set(name, connection);
    return connection;
  }

  /** The connection, if there is one that has not ended. */
  get(name: string): T | undefined {
    const connection = this.#connections.get(name);
    if (connection?.readyState !== CLOSED) return connection;
    this.#connections.delete(name);
    return undefined;
  }

  /** The names, in the order in which they were opened. */
  names(): string[] {
    return [...this.#connections.keys()].filter((name) => this.get(name));
  }

  /** Closes the connection and frees its name; false if there is none. */
  close(name: string): boolean {
    const connection = this.get(name);
    this.#connections.delete(name);
    connection?.close();
    return connection !== undefined;
  }

  /** Closes all. One that throws does not keep the others open; the first error is thrown at the end. */
  closeAll(): void {
    const failures: unknown[] = [];
    for (const name of this.names()) {
      try {
        this.close(name);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
