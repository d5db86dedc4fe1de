import { renderToString } from "react-dom/server";
import { createClient } from "@openline/client";
import { App } from "./page_react_app.jsx";

/** What a server sends of the page. */
export const html = () => renderToString(<App client={createClient({ url: "wss://example.com" })} />);
