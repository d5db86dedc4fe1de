import { canFetch, HttpLine, type HttpOptions } from "./http-line.js";
import type { TransportFactory } from "./transport.js";

interface Answer {
  messages: { type: string }[];
  position: string;
  session?: string;
}

/** A line by long polling: for networks that hold streams back. It has at most 32 channels. */
export function longPoll(options: HttpOptions = {}): TransportFactory {
  return {
    name: "long-poll",
    supported: canFetch,
    open(at, events) {
      const line = new HttpLine("long-poll", at, events, options);
      return line.run(() => poll(line));
    },
  };
}

async function poll(line: HttpLine): Promise<void> {
  for (let query: Record<string, string> = { channels: "" }; line.isOpen; ) {
    const response = await line.request(query);
    const answer = (await response?.json()) as Answer | undefined;
    if (!answer) {
      return;
    }
    line.heard();
    if (!Array.isArray(answer.messages)) {
      return line.end(1006, "/poll was answered with something else than messages");
    }
    if (!line.session) {
      line.opened();
    } else if (answer.session && answer.session !== line.session) {
      // The server began anew, without the subscriptions. The client knows where each has to go on.
      return line.end(1006, "the session was lost");
    }
    for (const message of answer.messages) {
      line.receive(JSON.stringify(message));
    }
    query = { channels: "", position: answer.position };
  }
}
