import { DemoPage } from "./page.js";

new DemoPage(document, window);
