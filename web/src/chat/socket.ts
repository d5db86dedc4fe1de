export interface SocketEvents {
  onOpen(): void;
  onMessage(json: string): void;
  onClose(code: number, reason: string): void;
}

/** At most one WebSocket at a time; one that was replaced or dropped is heard no more. */
export class Socket {
  readonly #events: SocketEvents;
  #current: WebSocket | undefined;

  constructor(events: SocketEvents) {
    this.#events = events;
  }

  open(url: string): void {
    this.drop();
    const socket = new WebSocket(url);
    this.#current = socket;
    this.#hear(socket, "open", () => this.#events.onOpen());
    this.#hear(socket, "message", ({ data }) => {
      if (typeof data === "string") {
        this.#events.onMessage(data);
      }
    });
    this.#hear(socket, "close", ({ code, reason }) => {
      this.#current = undefined;
      this.#events.onClose(code, reason);
    });
  }

  send(text: string): void {
    if (this.#current?.readyState === WebSocket.OPEN) {
      this.#current.send(text);
    }
  }

  drop(): void {
    const socket = this.#current;
    this.#current = undefined;
    socket?.close(1000);
  }

  #hear<N extends keyof WebSocketEventMap>(socket: WebSocket, name: N, act: (event: WebSocketEventMap[N]) => void): void {
    socket.addEventListener(name, (event) => {
      if (socket === this.#current) {
        act(event);
      }
    });
  }
}
