/**
 * What the page and the network have to say: look whether the line is alive, and do not wait for the next attempt
 * (`wake`) or wait on (`doubt`); you are put away; you are back.
 */
export type PageEvent = "wake" | "doubt" | "freeze" | "thaw";

/** Where page events come from. */
export interface Page {
  /** Calls `handler` for each event until `signal` aborts. */
  listen(handler: (event: PageEvent) => void, signal: AbortSignal): void;
}

/** Everything a client takes from around it. Each part may be replaced, as by a virtual clock in tests. */
export interface Environment {
  /** The class of sockets. Node has one of its own from version 22 on. */
  WebSocket?: typeof WebSocket | undefined;
  fetch?: typeof fetch | undefined;
  EventSource?: typeof EventSource | undefined;
  /** Milliseconds since 1970. */
  now(): number;
  /** A number in 0 <= r < 1. */
  random(): number;
  setTimeout(callback: () => void, delay: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Undefined where there is no page, as in Node. */
  page?: Page | undefined;
  /** What relative addresses are relative to. */
  base?: string | undefined;
  /** Takes errors of handlers that nobody listens for. */
  reportError(error: unknown): void;
}

/** The surroundings of this script, with some parts replaced. */
export function environment(replaced: Partial<Environment> = {}): Environment {
  const scope = globalThis as Partial<typeof globalThis>;
  return {
    WebSocket: scope.WebSocket,
    fetch: scope.fetch,
    EventSource: scope.EventSource,
    now: () => Date.now(),
    random: () => Math.random(),
    setTimeout: (callback, delay) => setTimeout(callback, delay),
    clearTimeout: (timer) => clearTimeout(timer as number),
    page: page(scope),
    base: scope.document?.baseURI ?? scope.location?.href,
    reportError: (error) => (scope.reportError ? scope.reportError(error) : console.error(error)),
    ...replaced,
  };
}

function page({ document, addEventListener }: Partial<typeof globalThis>): Page | undefined {
  if (!addEventListener) {
    return undefined;
  }
  return {
    listen(handler, signal) {
      const on = (target: EventTarget, type: string, event: PageEvent, when = (_: Event): unknown => true): void =>
        target.addEventListener(type, (e) => when(e) && handler(event), { signal });
      const kept = (e: Event): boolean => (e as PageTransitionEvent).persisted;
      on(globalThis, "online", "wake");
      on(globalThis, "offline", "doubt");
      on(globalThis, "pagehide", "freeze", kept);
      on(globalThis, "pageshow", "thaw", kept);
      if (document) {
        on(document, "visibilitychange", "wake", () => document.visibilityState === "visible");
      }
    },
  };
}
