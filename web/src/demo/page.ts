import { createClient, type Client, type Environment } from "@openline/client";
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
import { Uploads } from "./uploads.js";

/** The demo: one client, and parts that each use it in a way of their own. */
export class DemoPage {
  readonly #page: Document;
  readonly #client: Client;

  constructor(page: Document, view: Window & typeof globalThis) {
    this.#page = page;
    const audit = new Audit();
    let panel: LinePanel | undefined;
    // As a browser tells its pages when the network is back.
    const wake = (): void => void view.dispatchEvent(new Event("online"));
    const cutter = new LineCutter({
      WebSocket: view.WebSocket,
      fetch: view.fetch.bind(view),
      onFrame: (frame) => panel?.handleFrame(frame),
      onMend: wake,
    });
    const environment: Partial<Environment> = { WebSocket: cutter.WebSocket, fetch: cutter.fetch };
    this.#client = createClient({
      url: webSocketUrl(page.location.href, "ws"),
      backoff: { base: 400, max: 8_000 },
      environment,
    });
    const me = new Me(storageOf(view), isReload(view), Math.random);
    const chat = new Chat(page, this.#client, me, audit);
    const ticker = new Ticker(page, view, this.#client, audit);
    const uploads = new Uploads(page, this.#client);
    new SharedCursors(page, this.#client, me);
    new Echo(page, environment);
    panel = new LinePanel(page, view, this.#client, cutter, audit, {
      channels: () => [...chat.channels, ticker.channel],
      handleLine: (isOpen) => {
        ticker.handleLine(isOpen);
        uploads.handleLine(isOpen);
      },
      wake,
    });
    chat.open(LOBBY);
    this.#client.connect().catch((error: unknown) => this.#fail(error));
  }

  /** The client has given up: it says why, and the page does not pretend. */
  #fail(error: unknown): void {
    byId(this.#page, "machine-sentence", HTMLElement).textContent = error instanceof Error ? error.message : String(error);
  }
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
