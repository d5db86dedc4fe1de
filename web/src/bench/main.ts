import { BenchPage } from "./page.js";

new BenchPage(document);
