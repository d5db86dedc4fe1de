"use strict";
(() => {
  // src/shell/theme.ts
  var KEY = "openline.theme";
  function parseTheme(text) {
    return text === "light" || text === "dark" ? text : void 0;
  }
  function toggled(chosen, system) {
    const next = (chosen ?? system) === "dark" ? "light" : "dark";
    return { next, chosen: next === system ? void 0 : next };
  }
  function startTheme(page, view) {
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
    view.addEventListener("storage", (event) => {
      if (event.key === KEY) {
        chosen = parseTheme(event.newValue);
        show(page, chosen);
      }
    });
  }
  function show(page, chosen) {
    if (chosen === void 0) {
      delete page.documentElement.dataset["theme"];
    } else {
      page.documentElement.dataset["theme"] = chosen;
    }
  }
  function stored(view) {
    try {
      return view.localStorage.getItem(KEY);
    } catch {
      return null;
    }
  }
  function store(view, chosen) {
    try {
      if (chosen === void 0) {
        view.localStorage.removeItem(KEY);
      } else {
        view.localStorage.setItem(KEY, chosen);
      }
    } catch {
    }
  }

  // src/shell/main.ts
  startTheme(document, window);
})();
