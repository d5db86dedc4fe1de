import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import { connect, type Socket } from "node:net";

/** A proxy in front of a server, as companies have them: it may refuse upgrades, and cut all lines. */
export class UpgradeProxy {
  /** `refuse` answers upgrades with 403, `swallow` never. */
  upgrades: "pass" | "refuse" | "swallow" = "pass";
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  constructor(target: number) {
    this.server = createServer((from, to) => {
      const { method, url, headers } = from;
      const onward = request({ port: target, host: "127.0.0.1", method, path: url, headers }, (answer) => {
        to.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(to);
        answer.on("error", () => to.destroy());
      });
      onward.on("error", () => to.destroy());
      to.on("close", () => onward.destroy());
      from.pipe(onward);
    });
    this.server.on("connection", (socket) => this.keep(socket));
    this.server.on("upgrade", (from, socket: Socket) => {
      if (this.upgrades !== "pass") {
        return void (this.upgrades === "refuse" && socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
      }
      const onward = connect(target, "127.0.0.1");
      this.keep(onward);
      const head = Array.from({ length: from.rawHeaders.length / 2 }, (_, n) => `${from.rawHeaders[2 * n]}: ${from.rawHeaders[2 * n + 1]}\r\n`);
      onward.write(`GET ${from.url} HTTP/1.1\r\n${head.join("")}\r\n`);
      socket.pipe(onward).pipe(socket);
      socket.on("close", () => onward.destroy());
      onward.on("close", () => socket.destroy());
    });
  }

  async listen(): Promise<string> {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return `ws://127.0.0.1:${(this.server.address() as { port: number }).port}/ws`;
  }

  /** Ends all that is open, in the middle of whatever it is. */
  cut(): void {
    this.sockets.forEach((socket) => socket.destroy());
  }

  async close(): Promise<void> {
    this.server.close();
    this.cut();
    await once(this.server, "close");
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.sockets.delete(socket));
  }
}
