// The page that takes over what the server has rendered.
import { createRoot, hydrateRoot } from "react-dom/client";
import { flushSync } from "react-dom";
import { createClient } from "@openline/client";
import { App } from "./page_react_app.jsx";

/** The types of what was sent. */
const sent = [];
const complaints = [];
for (const level of ["error", "warn"]) console[level] = (...words) => complaints.push(words.map(String).join(" "));
addEventListener("error", ({ message }) => complaints.push(message));

class Counting extends WebSocket {
  send(data) {
    sent.push(JSON.parse(data).type);
    super.send(data);
  }
}

const client = createClient({ url: "/", environment: { WebSocket: Counting } });
const container = document.getElementById("root");
const rendered = container.innerHTML;
let root = hydrateRoot(container, <App client={client} />, { onRecoverableError: (error) => complaints.push(String(error)) });

Object.assign(globalThis, {
  sent,
  complaints,
  rendered,
  client,
  unmount: () => root.unmount(),
  mount() {
    root = createRoot(container);
    // Its handlers are there when this returns, so that no message is missed by chance.
    flushSync(() => root.render(<App client={client} />));
  },
  view: () => ({
    state: document.querySelector("#talk")?.dataset.state,
    joined: document.querySelector("#talk")?.dataset.joined,
    texts: [...document.querySelectorAll("#talk p")].map((one) => one.textContent),
    count: document.querySelector("#count")?.textContent,
    subscribes: sent.filter((type) => type === "subscribe").length,
    unsubscribes: sent.filter((type) => type === "unsubscribe").length,
  }),
});
