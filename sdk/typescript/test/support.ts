import { createClient, type Client, type ClientError, type ClientOptions } from "../src/index.js";
import { createPage, createTestServer, createVirtualClock, type TestPage, type TestServer, type TestServerOptions, type VirtualClock } from "../src/testing/index.js";

/** A client, its server and all that is around them. */
export interface Scene {
  client: Client;
  server: TestServer;
  clock: VirtualClock;
  page: TestPage;
  /** What the client reported by `error`. */
  errors: ClientError[];
  /** What nobody listened for. */
  reported: unknown[];
}

/** Sets a client before a server. Chance is always a half. */
export function scene(options: Partial<ClientOptions> = {}, serverOptions: TestServerOptions = {}): Scene {
  const server = createTestServer(serverOptions);
  const clock = createVirtualClock();
  const page = createPage();
  const reported: unknown[] = [];
  const errors: ClientError[] = [];
  const client = createClient({
    url: "ws://test/ws",
    transports: [server.transport],
    environment: { ...clock, page, random: () => 0.5, reportError: (error) => void reported.push(error) },
    ...options,
  });
  client.on("error", (error) => void errors.push(error));
  return { client, server, clock, page, errors, reported };
}

/** A scene whose client is online. */
export async function online(options?: Partial<ClientOptions>, serverOptions?: TestServerOptions): Promise<Scene> {
  const all = scene(options, serverOptions);
  await all.client.connect();
  return all;
}

/** What became of a promise: nothing yet, a value, or the code of an error. */
export function outcome(promise: Promise<unknown>): { value?: unknown; code?: string; isSettled: boolean } {
  const seen: { value?: unknown; code?: string; isSettled: boolean } = { isSettled: false };
  promise.then(
    (value) => Object.assign(seen, { value, isSettled: true }),
    (error: ClientError) => Object.assign(seen, { code: error.code, isSettled: true }),
  );
  return seen;
}
