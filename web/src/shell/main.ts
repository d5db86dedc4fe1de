import { startTheme } from "./theme.js";

startTheme(document, window);
