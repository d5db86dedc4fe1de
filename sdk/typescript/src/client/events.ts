/** Takes what an event brings. What it throws is reported and stops nothing. */
export type Handler = (data: any, message?: any) => unknown;

/** Handlers by the type of their events. */
export interface Events {
  on(type: string, handler: Handler): () => void;
  once(type: string, handler: Handler): () => void;
  /** Without a handler: all of the type. */
  off(type: string, handler?: Handler): void;
  /** Calls the handlers of a type and gives what they return. `failed` takes what one throws, now or later. */
  emit(type: string, data: unknown, message?: unknown): unknown[];
  has(type: string): boolean;
  readonly size: number;
  /** The handler that was there first. */
  first(type: string): Handler | undefined;
  clear(): void;
}

/** Makes an empty table of handlers. */
export function createEvents(failed: (error: unknown, type: string) => void): Events {
  const handlers = new Map<string, Set<Handler>>();
  const off = (type: string, handler?: Handler): void => {
    const of = handlers.get(type);
    if (handler) {
      of?.delete(handler);
    }
    if (!handler || !of?.size) {
      handlers.delete(type);
    }
  };
  const on = (type: string, handler: Handler): (() => void) => {
    handlers.set(type, (handlers.get(type) ?? new Set()).add(handler));
    return () => off(type, handler);
  };
  return {
    on,
    off,
    once(type, handler) {
      const remove = on(type, (data, message) => {
        remove();
        return handler(data, message);
      });
      return remove;
    },
    emit: (type, data, message) =>
      [...(handlers.get(type) ?? [])].map((handler) => {
        try {
          const result = handler(data, message);
          return result instanceof Promise ? result.catch((error: unknown) => failed(error, type)) : result;
        } catch (error) {
          return failed(error, type);
        }
      }),
    has: (type) => handlers.has(type),
    get size() {
      return handlers.size;
    },
    first: (type) => handlers.get(type)?.values().next().value,
    clear: () => handlers.clear(),
  };
}
