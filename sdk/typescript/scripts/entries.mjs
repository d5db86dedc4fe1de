/** What package.json exports: the name in dist, without its ending, and the source. */
export const ENTRIES = [
  ["index", "src/index.ts"],
  ["core", "src/core.ts"],
  ["react/index", "src/react/index.ts"],
  ["websocket/index", "src/websocket/index.ts"],
  ["testing/index", "src/testing/index.ts"],
];
