// The little of `ws` that the server uses.
declare module "ws" {
  export interface WebSocket {
    on(type: "message", handler: (data: Buffer, isBinary: boolean) => void): void;
    send(data: Buffer | string, options?: { binary: boolean }): void;
    ping(data: string): void;
    close(code?: number, reason?: string): void;
  }
  export class WebSocketServer {
    constructor(options: { noServer: true });
    handleUpgrade(request: import("node:http").IncomingMessage, socket: import("node:stream").Duplex, head: Buffer, opened: (line: WebSocket) => void): void;
  }
}
