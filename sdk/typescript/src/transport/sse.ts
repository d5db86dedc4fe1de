import { EventStream } from "./event-stream.js";
import { canFetch, HttpLine, type HttpOptions } from "./http-line.js";
import type { TransportFactory } from "./transport.js";

/**
 * A line by server-sent events, with POST for what the client sends: for networks that let no WebSocket through.
 * It has at most 32 channels, and a browser keeps few of them open at a time to a server that speaks HTTP/1.1.
 */
export function sse(options: HttpOptions = {}): TransportFactory {
  return {
    name: "sse",
    supported: (environment) => canFetch(environment) && typeof ReadableStream === "function",
    open(at, events) {
      const line = new HttpLine("sse", at, events, options);
      return line.run(() => read(line));
    },
  };
}

async function read(line: HttpLine): Promise<void> {
  const response = await line.request({ channels: "" }, { headers: { accept: "text/event-stream" } });
  if (!response) {
    return;
  }
  const type = response.headers.get("content-type");
  if (!response.body || !type?.startsWith("text/event-stream")) {
    return line.end(1006, `/sse was answered with ${type} instead of events`);
  }
  line.opened();
  const stream = new EventStream();
  const reader = response.body.getReader();
  const utf8 = new TextDecoder();
  while (line.isOpen) {
    const { value, done } = await reader.read();
    if (done) {
      return line.end(1006, "the stream ended");
    }
    line.heard();
    for (const data of stream.push(utf8.decode(value, { stream: true }))) {
      line.receive(data);
    }
  }
}
