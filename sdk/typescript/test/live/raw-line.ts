import type { Message } from "../../src/codec/codec.js";
import { json } from "../../src/codec/json.js";
import { environment } from "../../src/environment.js";
import type { Transport, TransportFactory } from "../../src/transport/transport.js";

/** A line without a client above it, and what came on it. */
export class RawLine {
  readonly seen: Message[] = [];
  readonly ended: Promise<{ code: number; reason: string }>;
  readonly transport: Transport;
  private readonly codec: ReturnType<typeof json>;
  private waiting: (() => void) | undefined;

  constructor(url: string, factory: TransportFactory, { codec = json(), token, replaced = {} }: { codec?: ReturnType<typeof json>; token?: string; replaced?: object } = {}) {
    this.codec = codec;
    let end: (end: { code: number; reason: string }) => void;
    this.ended = new Promise((resolve) => (end = resolve));
    this.transport = factory.open(
      { url, codec, environment: environment(replaced), resume: new Map(), ...(token && { token }) },
      {
        onopen: () => {},
        onmessage: (frame) => {
          this.seen.push(codec.decode(frame));
          this.waiting?.();
        },
        onclose: (e) => end(e),
      },
    );
  }

  send(message: object): void {
    this.transport.send(this.codec.encode(message));
  }

  /** The first message of the type that was not given before. */
  async next(type: string): Promise<any> {
    for (;;) {
      const at = this.seen.findIndex((message) => message.type === type);
      if (at >= 0) {
        return this.seen.splice(at, 1)[0]!;
      }
      await new Promise<void>((resolve) => (this.waiting = resolve));
    }
  }
}
