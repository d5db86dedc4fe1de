import { DashboardPage } from "./page.js";

new DashboardPage(document, window);
