import type { Page, PageEvent } from "../environment.js";

/** A page whose life the test decides. */
export interface TestPage extends Page {
  /** How many listen. */
  readonly listeners: number;
  tell(event: PageEvent): void;
}

/** Makes a page that nobody listens to yet. */
export function createPage(): TestPage {
  const handlers = new Set<(event: PageEvent) => void>();
  return {
    get listeners() {
      return handlers.size;
    },
    listen(handler, signal) {
      handlers.add(handler);
      signal.addEventListener("abort", () => handlers.delete(handler));
    },
    tell: (event) => [...handlers].forEach((handler) => handler(event)),
  };
}
