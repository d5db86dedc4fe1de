import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A server of its own for a test: the program that OPENLINE_BIN names. */
export class OpenlineServer {
  readonly port: number;
  private readonly folder: string;
  private readonly config: string;
  private process: ChildProcess | undefined;

  private constructor(port: number, folder: string, config: string) {
    this.port = port;
    this.folder = folder;
    this.config = config;
  }

  /** Starts one; `config` is its file, without which it lets everybody do everything. */
  static async start(config = ""): Promise<OpenlineServer> {
    const server = new OpenlineServer(await freePort(), await mkdtemp(join(tmpdir(), "openline-live-")), config);
    await server.run();
    return server;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  async run(): Promise<void> {
    const program = process.env["OPENLINE_BIN"];
    if (!program) {
      throw new Error("OPENLINE_BIN does not name a server; set it to the path of `openline`");
    }
    const given = ["serve", "--listen", `127.0.0.1:${this.port}`, "--data-dir", join(this.folder, "data")];
    if (this.config) {
      const file = join(this.folder, "openline.toml");
      await writeFile(file, this.config);
      given.push("--config", file);
    }
    const child = spawn(program, given, { cwd: this.folder, stdio: "ignore" });
    this.process = child;
    for (let tries = 0; tries < 200; tries++) {
      const answer = await fetch(`http://127.0.0.1:${this.port}/health`).catch(() => undefined);
      if (answer) {
        return void (await answer.arrayBuffer());
      }
      if (child.exitCode !== null) {
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${program} did not begin to listen`);
  }

  /** Ends it at once, as a crash does; `run` starts it again with what it stored. */
  async kill(): Promise<void> {
    if (this.process?.exitCode === null && this.process.signalCode === null) {
      this.process.kill("SIGKILL");
      await once(this.process, "exit");
    }
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
