/** What may be how large, minified and packed by gzip -9, in bytes. */
export const BUDGETS = [
  { what: "core: createClient", budget: 5_000, source: 'export { createClient } from "./src/core.ts"' },
  { what: "createClient with channels and presence", budget: 9_000, source: 'export { createClient } from "./src/index.ts"' },
];
