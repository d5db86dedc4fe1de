/** What may be how large, minified and packed by gzip -9, in bytes. */
export const BUDGETS = [
  { what: "core: createClient", budget: 7_600, source: 'export { createClient } from "./src/core.ts"' },
  { what: "createClient with channels and presence", budget: 10_200, source: 'export { createClient } from "./src/index.ts"' },
  { what: "everything but React", budget: 22_300, source: 'export * from "./src/index.ts"' },
];
