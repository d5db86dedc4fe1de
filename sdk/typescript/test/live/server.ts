import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import WebSocket from "ws";
import type { Environment } from "../../src/environment.js";

/** Node 20 has no sockets of its own. */
export const environment: Partial<Environment> = { WebSocket: WebSocket as unknown as typeof globalThis.WebSocket };

/** A server of this test. */
export interface Server {
  readonly url: string;
  /** Kills it; the data stays. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Kills it and removes its data. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts the server that OPENLINE_BIN names, with the text of a config file or without one. */
export async function serve(config = ""): Promise<Server> {
  const program = process.env["OPENLINE_BIN"];
  if (!program) {
    throw new Error("OPENLINE_BIN has to name the server to test against, as in OPENLINE_BIN=target/debug/openline");
  }
  const data = await mkdtemp(join(tmpdir(), "openline-live-"));
  const address = `127.0.0.1:${await freePort()}`;
  const given = ["serve", "--listen", address, "--data-dir", data, "--threads", "1"];
  if (config) {
    await writeFile(join(data, "openline.toml"), config);
    given.push("--config", join(data, "openline.toml"));
  }
  let child: ChildProcess | undefined;
  const server: Server = {
    url: `ws://${address}/ws`,
    async start() {
      child = spawn(program, given, { stdio: "ignore" });
      for (let tries = 0; ; tries++) {
        try {
          await fetch(`http://${address}/health/ready`);
          return;
        } catch (error) {
          if (tries === 100 || child.exitCode !== null) {
            throw new Error(`${program} does not answer at ${address}`, { cause: error });
          }
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
    },
    async kill() {
      const ended = new Promise((resolve) => child!.once("exit", resolve));
      child!.kill("SIGKILL");
      await ended;
    },
    async [Symbol.asyncDispose]() {
      if (child && child.exitCode === null && child.signalCode === null) {
        await server.kill();
      }
      await rm(data, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
