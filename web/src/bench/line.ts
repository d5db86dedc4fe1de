import type { MessageKind } from "./exchange.js";

export type LineState = "connecting" | "open" | "closing" | "closed";

export interface LineEvents {
  onOpen(protocol: string, extensions: string): void;
  onMessage(data: string | Uint8Array): void;
  onError(): void;
  onClose(event: CloseEvent): void;
}

const STATES: readonly LineState[] = ["connecting", "open", "closing", "closed"];

/** One WebSocket and the events of it that the bench shows. */
export class Line {
  readonly #socket: WebSocket;

  /** Throws what the browser throws on a bad URL or subprotocol. */
  constructor(url: string, subprotocols: readonly string[], events: LineEvents) {
    const socket = new WebSocket(url, [...subprotocols]);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => events.onOpen(socket.protocol, socket.extensions));
    socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) =>
      events.onMessage(typeof data === "string" ? data : new Uint8Array(data)),
    );
    socket.addEventListener("error", () => events.onError());
    socket.addEventListener("close", (event) => events.onClose(event));
    this.#socket = socket;
  }

  get state(): LineState {
    return STATES[this.#socket.readyState] ?? "closed";
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data);
  }

  /**
   * Throws what the browser throws on a code or reason that a page may not send.
   * Without both the close frame is empty. A reason alone goes with 1000, as the
   * standard has it; Chromium takes the missing code for 0 and refuses.
   */
  close(code: number | undefined, reason: string): void {
    if (code === undefined && reason === "") {
      this.#socket.close();
    } else {
      this.#socket.close(code ?? 1000, reason);
    }
  }
}

export function kindOf(data: string | Uint8Array): MessageKind {
  return typeof data === "string" ? "text" : "binary";
}
