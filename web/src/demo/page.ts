import { createClient, environment as surroundings, type Client, type Environment, type Page } from "@openline/client";
import { byId } from "../dom.js";
import { webSocketUrl } from "../endpoint.js";
import { Audit } from "./audit.js";
import { Chat, LOBBY } from "./chat.js";
import { Echo } from "./echo.js";
import { LineCutter } from "./line-cutter.js";
import { LinePanel } from "./line-panel.js";
import { Me } from "./me.js";
import { SharedCursors } from "./shared-cursors.js";
import { Ticker } from "./ticker.js";

/** The demo: one client, and parts that each use it in a way of their own. */
export class DemoPage {
  readonly #page: Document;
  readonly #client: Client;

  constructor(page: Document, view: Window & typeof globalThis) {
    this.#page = page;
    const audit = new Audit();
    const wakes = new Set<() => void>();
    let panel: LinePanel | undefined;
    const cutter = new LineCutter({
      WebSocket: view.WebSocket,
      fetch: view.fetch.bind(view),
      onFrame: (frame) => panel?.handleFrame(frame),
      onMend: () => wakes.forEach((wake) => wake()),
    });
    const environment: Partial<Environment> = {
      WebSocket: cutter.WebSocket,
      fetch: cutter.fetch,
      page: withWakes(surroundings().page, wakes),
    };
    this.#client = createClient({
      url: webSocketUrl(page.location.href, "ws"),
      backoff: { base: 400, max: 8_000 },
      environment,
    });
    const me = new Me(storageOf(view), isReload(view), Math.random);
    const chat = new Chat(page, this.#client, me, audit);
    const ticker = new Ticker(page, view, this.#client, audit);
    new SharedCursors(page, this.#client, me);
    new Echo(page, environment);
    panel = new LinePanel(page, view, this.#client, cutter, audit, {
      channels: () => [...chat.channels, ticker.channel],
      handleLine: (isOpen) => ticker.handleLine(isOpen),
    });
    chat.open(LOBBY);
    this.#client.connect().catch((error: unknown) => this.#fail(error));
  }

  /** The client has given up: it says why, and the page does not pretend. */
  #fail(error: unknown): void {
    byId(this.#page, "machine-sentence", HTMLElement).textContent = error instanceof Error ? error.message : String(error);
  }
}

/** The page's own events, and that the line was mended: as when a browser says that it is online again. */
function withWakes(base: Page | undefined, wakes: Set<() => void>): Page {
  return {
    listen(handler, signal) {
      base?.listen(handler, signal);
      const wake = (): void => handler("wake");
      wakes.add(wake);
      signal.addEventListener("abort", () => wakes.delete(wake));
    },
  };
}

/** Reading the property alone throws where storage is forbidden. */
function storageOf(view: Window): Storage | undefined {
  try {
    return view.sessionStorage;
  } catch {
    return undefined;
  }
}

function isReload(view: Window): boolean {
  const [navigation] = view.performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return navigation?.type === "reload";
}
