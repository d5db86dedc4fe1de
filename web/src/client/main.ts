// The client for pages that have no build step: `import { createClient } from "/client.js"`.

export * from "@openline/client";
