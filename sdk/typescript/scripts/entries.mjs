/** What package.json exports: the name in dist, without its ending, and the source. */
export const ENTRIES = [
  { name: "index", source: "src/index.ts" },
  { name: "core", source: "src/core.ts" },
  { name: "react/index", source: "src/react/index.ts" },
  { name: "websocket/index", source: "src/websocket/index.ts" },
  { name: "testing/index", source: "src/testing/index.ts" },
];
