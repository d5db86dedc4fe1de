export type Theme = "light" | "dark";

const KEY = "openline.theme";

/** The theme that this text names, if it names one. */
export function parseTheme(text: string | null): Theme | undefined {
  return text === "light" || text === "dark" ? text : undefined;
}

/** What the toggle changes to, and whether it needs to be said: the system's own theme is followed again. */
export function toggled(chosen: Theme | undefined, system: Theme): { readonly next: Theme; readonly chosen: Theme | undefined } {
  const next = (chosen ?? system) === "dark" ? "light" : "dark";
  return { next, chosen: next === system ? undefined : next };
}

/**
 * Shows the chosen theme and makes the button change it. It runs in the head,
 * before anything is drawn; the button is there once the page was read.
 */
export function startTheme(page: Document, view: Window): void {
  const system = view.matchMedia("(prefers-color-scheme: dark)");
  let chosen = parseTheme(stored(view));
  show(page, chosen);
  page.addEventListener("DOMContentLoaded", () => {
    page.getElementById("theme")?.addEventListener("click", () => {
      chosen = toggled(chosen, system.matches ? "dark" : "light").chosen;
      show(page, chosen);
      store(view, chosen);
    });
  });
  // Another tab of these pages changed it.
  view.addEventListener("storage", (event) => {
    if (event.key === KEY) {
      chosen = parseTheme(event.newValue);
      show(page, chosen);
    }
  });
}

function show(page: Document, chosen: Theme | undefined): void {
  if (chosen === undefined) {
    delete page.documentElement.dataset["theme"];
  } else {
    page.documentElement.dataset["theme"] = chosen;
  }
}

/** A browser that forbids storage just forgets. */
function stored(view: Window): string | null {
  try {
    return view.localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function store(view: Window, chosen: Theme | undefined): void {
  try {
    if (chosen === undefined) {
      view.localStorage.removeItem(KEY);
    } else {
      view.localStorage.setItem(KEY, chosen);
    }
  } catch {
    // Nothing is lost but the choice.
  }
}
