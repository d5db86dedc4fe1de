import { ChatPage } from "./page.js";

new ChatPage(document, window);
