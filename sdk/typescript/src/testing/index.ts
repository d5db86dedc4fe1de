export { createVirtualClock, type VirtualClock } from "./clock.js";
export { createTestServer, type ServerLine, type TestServer, type TestServerOptions } from "./server.js";
export { createPage, type TestPage } from "./page.js";
