/** A frame that went over one of the sockets. */
export interface Frame {
  readonly direction: "in" | "out";
  readonly url: string;
  readonly data: unknown;
}

export interface LineCutterOptions {
  readonly WebSocket: typeof WebSocket;
  readonly fetch: typeof fetch;
  /** Told of each frame, before the page gets it or after it was handed on. */
  readonly onFrame?: (frame: Frame) => void;
  /** Told when the line is mended. */
  readonly onMend?: () => void;
}

/** How long a socket that is opened while the line is cut takes to find that out. */
const REFUSAL_MS = 40;

/**
 * WebSocket and fetch with a switch in front. While it is cut they behave as
 * without a network: what was open ends with 1006 and no goodbye, what comes
 * after that is not heard, and nothing new can be opened.
 *
 * A page cannot pull the cable from a real socket. The socket underneath is
 * therefore closed, and whatever it still brings is thrown away.
 */
export class LineCutter {
  readonly WebSocket: typeof WebSocket;
  readonly fetch: typeof fetch;
  readonly #sockets = new Set<CuttableSocket>();
  readonly #requests = new Set<AbortController>();
  readonly #onMend: (() => void) | undefined;
  #isCut = false;

  constructor(options: LineCutterOptions) {
    this.#onMend = options.onMend;
    const sockets = this.#sockets;
    const isCut = (): boolean => this.#isCut;
    // Code that was given a WebSocket makes it with `new` and no more than an address and protocols.
    const made = class extends CuttableSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(isCut() ? undefined : options.WebSocket, url, protocols, options.onFrame);
        sockets.add(this);
        this.addEventListener("close", () => sockets.delete(this));
      }
    };
    this.WebSocket = made as unknown as typeof WebSocket;
    this.fetch = (input, init) => this.#request(options.fetch, input, init);
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of [...this.#sockets]) {
      socket.drop();
    }
    for (const request of this.#requests) {
      request.abort();
    }
  }

  mend(): void {
    if (this.#isCut) {
      this.#isCut = false;
      this.#onMend?.();
    }
  }

  async #request(native: typeof fetch, input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    if (this.#isCut) {
      throw new TypeError("there is no network while the line is cut");
    }
    const ended = new AbortController();
    this.#requests.add(ended);
    const signal = init?.signal ? AbortSignal.any([init.signal, ended.signal]) : ended.signal;
    try {
      return await native(input, { ...init, signal });
    } catch (error) {
      throw ended.signal.aborted ? new TypeError("the line was cut") : error;
    } finally {
      this.#requests.delete(ended);
    }
  }
}

type Handler = ((event: Event) => void) | null;

/** A WebSocket by its interface; the browser's own is inside, and may be taken away. */
class CuttableSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;
  readonly url: string;
  readonly #onFrame: ((frame: Frame) => void) | undefined;
  readonly #handlers = new Map<string, Handler>();
  #native: WebSocket | undefined;
  #isClosed = false;

  constructor(
    Native: typeof WebSocket | undefined,
    url: string | URL,
    protocols: string | string[] | undefined,
    onFrame: ((frame: Frame) => void) | undefined,
  ) {
    super();
    this.url = String(url);
    this.#onFrame = onFrame;
    if (Native === undefined) {
      setTimeout(() => this.drop(), REFUSAL_MS);
    } else {
      this.#native = protocols === undefined ? new Native(url) : new Native(url, protocols);
      this.#listen(this.#native);
    }
  }

  get readyState(): number {
    return this.#isClosed ? 3 : (this.#native?.readyState ?? 0);
  }

  get bufferedAmount(): number {
    return this.#native?.bufferedAmount ?? 0;
  }

  get protocol(): string {
    return this.#native?.protocol ?? "";
  }

  get extensions(): string {
    return this.#native?.extensions ?? "";
  }

  get binaryType(): BinaryType {
    return this.#native?.binaryType ?? "blob";
  }

  set binaryType(type: BinaryType) {
    if (this.#native !== undefined) {
      this.#native.binaryType = type;
    }
  }

  get onopen(): Handler {
    return this.#handlers.get("open") ?? null;
  }

  set onopen(handler: Handler) {
    this.#handle("open", handler);
  }

  get onmessage(): Handler {
    return this.#handlers.get("message") ?? null;
  }

  set onmessage(handler: Handler) {
    this.#handle("message", handler);
  }

  get onerror(): Handler {
    return this.#handlers.get("error") ?? null;
  }

  set onerror(handler: Handler) {
    this.#handle("error", handler);
  }

  get onclose(): Handler {
    return this.#handlers.get("close") ?? null;
  }

  set onclose(handler: Handler) {
    this.#handle("close", handler);
  }

  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    this.#native?.send(data as string);
    if (this.readyState === 1) {
      this.#onFrame?.({ direction: "out", url: this.url, data });
    }
  }

  close(code?: number, reason?: string): void {
    if (this.#native === undefined) {
      this.drop();
    } else if (code === undefined) {
      this.#native.close();
    } else {
      this.#native.close(code, reason);
    }
  }

  /** The end as a lost network makes it. */
  drop(): void {
    if (this.#isClosed) {
      return;
    }
    const native = this.#native;
    this.#native = undefined;
    this.#isClosed = true;
    native?.close();
    this.dispatchEvent(new Event("error"));
    this.dispatchEvent(new CloseEvent("close", { code: 1006, reason: "", wasClean: false }));
  }

  #listen(native: WebSocket): void {
    const passOn = (type: string, copy: (event: Event) => Event): void => {
      native.addEventListener(type, (event) => {
        if (this.#native === native) {
          this.dispatchEvent(copy(event));
        }
      });
    };
    passOn("open", () => new Event("open"));
    passOn("error", () => new Event("error"));
    passOn("message", (event) => {
      const { data } = event as MessageEvent;
      this.#onFrame?.({ direction: "in", url: this.url, data });
      return new MessageEvent("message", { data });
    });
    passOn("close", (event) => {
      const { code, reason, wasClean } = event as CloseEvent;
      this.#isClosed = true;
      return new CloseEvent("close", { code, reason, wasClean });
    });
  }

  #handle(type: string, handler: Handler): void {
    const before = this.#handlers.get(type);
    if (before) {
      this.removeEventListener(type, before);
    }
    this.#handlers.set(type, handler);
    if (handler) {
      this.addEventListener(type, handler);
    }
  }
}
