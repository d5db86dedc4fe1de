import { useCallback, useEffect, useRef, useState } from "react";
import { useLatest } from "./use-latest.js";

/** What `useWebSocket` does and tells. */
export interface UseWebSocketOptions {
  /** Each message: parsed where it is JSON, else as it came. Bursts too, which `lastMessage` does not show. */
  onMessage?: (message: any, event: MessageEvent) => void;
  /** A connection is open. */
  onOpen?: (event: Event) => void;
  /** A connection has ended, or could not be opened. */
  onClose?: (event: CloseEvent) => void;
  /** It ended because of an error; `onClose` follows. */
  onError?: (event: Event) => void;
  /**
   * Whether to open another connection after one was lost. 1000 is the server's goodbye and is never answered so.
   * @default true
   */
  reconnect?: boolean;
  /**
   * How long to wait before that, in milliseconds; always the same. For many users at a time take `createClient`,
   * which spreads them.
   * @default 3000
   */
  reconnectInterval?: number;
  /**
   * How often in a row; an opened connection counts anew.
   * @default 5
   */
  maxRetries?: number;
  /**
   * Subprotocols to offer.
   * @default none
   */
  protocols?: string | string[];
}

/** `error`: the last connection failed; the next one may be on its way, unless the retries are used up. */
export type WebSocketStatus = "connecting" | "connected" | "disconnected" | "error";

/** A connection as a component sees it. */
export interface WebSocketView<T> {
  readonly status: WebSocketStatus;
  /** The newest message, parsed where it is JSON; null before the first. */
  readonly lastMessage: T | null;
  /**
   * Sends text and bytes as they are, anything else as JSON. False, and nothing is sent, while there is no open
   * connection. The same function in each render.
   */
  readonly send: (message: unknown) => boolean;
}

/** A plain WebSocket while the component is mounted; null for none. Handlers are those of the last render. */
export function useWebSocket<T = any>(url: string | URL | null, options: UseWebSocketOptions = {}): WebSocketView<T> {
  const [status, setStatus] = useState<WebSocketStatus>(url === null ? "disconnected" : "connecting");
  const [lastMessage, setLastMessage] = useState<T | null>(null);
  const socket = useRef<WebSocket | null>(null);
  const latest = useLatest(options);
  const address = url === null ? null : String(url);
  const protocols = JSON.stringify(options.protocols ?? []);
  useEffect(() => {
    if (address === null) {
      setStatus("disconnected");
      return;
    }
    return keepOpen(address, JSON.parse(protocols) as string | string[], {
      options: () => latest.current,
      opened: (opened) => (socket.current = opened),
      status: setStatus,
      message: (message) => setLastMessage(message as T),
    });
  }, [address, protocols, latest]);
  const send = useCallback((message: unknown) => {
    const open = socket.current;
    if (open?.readyState !== 1) {
      return false;
    }
    open.send(written(message));
    return true;
  }, []);
  return { status, lastMessage, send };
}

/** Who is told by a connection. */
interface Told {
  options(): UseWebSocketOptions;
  opened(socket: WebSocket | null): void;
  status(status: WebSocketStatus): void;
  message(message: unknown): void;
}

/** Opens connections one after the other until what it returns is called. */
function keepOpen(url: string, protocols: string | string[], told: Told): () => void {
  let ended = false;
  let retries = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let socket: WebSocket | undefined;

  function open(): void {
    if (ended) {
      return;
    }
    told.status("connecting");
    let failed = false;
    const mine = (socket = constructed(url, protocols));
    if (!mine) {
      told.status("error");
      return;
    }
    mine.onopen = (event) => {
      retries = 0;
      told.opened(mine);
      told.status("connected");
      told.options().onOpen?.(event);
    };
    mine.onmessage = (event) => {
      const message = parsed(event.data);
      told.message(message);
      told.options().onMessage?.(message, event);
    };
    mine.onerror = (event) => {
      failed = true;
      told.options().onError?.(event);
    };
    mine.onclose = (event) => {
      told.opened(null);
      const { reconnect = true, reconnectInterval = 3_000, maxRetries = 5, onClose } = told.options();
      const again = reconnect && event.code !== 1000 && retries < maxRetries;
      const givenUp = reconnect && event.code !== 1000 && !again;
      told.status(failed || givenUp ? "error" : "disconnected");
      onClose?.(event);
      if (again) {
        retries += 1;
        timer = setTimeout(open, reconnectInterval);
      }
    };
  }

  // StrictMode unmounts at once and mounts again: nothing is opened for the first of the two.
  queueMicrotask(open);
  return () => {
    ended = true;
    clearTimeout(timer);
    told.opened(null);
    if (socket) {
      socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
      socket.close(1000);
    }
  };
}

/** A wrong address is the program's mistake: it is reported as an error that nobody caught, and not retried. */
function constructed(url: string, protocols: string | string[]): WebSocket | undefined {
  try {
    return new WebSocket(url, protocols);
  } catch (error) {
    reportError(error);
    return undefined;
  }
}

function parsed(data: unknown): unknown {
  if (typeof data !== "string") {
    return data;
  }
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

function written(message: unknown): string | Blob | BufferSource {
  if (typeof message === "string" || message instanceof Blob || message instanceof ArrayBuffer || ArrayBuffer.isView(message)) {
    return message as string | Blob | BufferSource;
  }
  return JSON.stringify(message);
}
