/** An event longer than this is not read: the line ends. No message of the server comes near it. */
export const EVENT_CHARACTERS_MAX = 16 * 1024 * 1024;

/**
 * Reads `text/event-stream` piece by piece, as the HTML standard has it. `id` and `retry` are passed over: a
 * client goes on by the positions of its channels, and comes back by rules of its own. So is `event`, which
 * the protocol does not use.
 */
export class EventStream {
  /** The beginning of a line whose end has not come. */
  #line: string[] = [];
  #data: string[] = [];
  #length = 0;
  #endedWithReturn = false;

  /** The data of the events that end in this piece. Throws RangeError if one is too long. */
  push(piece: string): string[] {
    const events: string[] = [];
    // A line feed behind a carriage return ends no line of its own, wherever the pieces part.
    const text = this.#endedWithReturn && piece.startsWith("\n") ? piece.slice(1) : piece;
    if (piece) {
      this.#endedWithReturn = piece.endsWith("\r");
    }
    this.#length += text.length;
    const lines = text.split(/\r\n|\r|\n/);
    const rest = lines.pop()!;
    for (const end of lines) {
      this.#line.push(end);
      this.#take(this.#line.join(""), events);
      this.#line = [];
    }
    this.#line.push(rest);
    if (this.#length > EVENT_CHARACTERS_MAX) {
      throw new RangeError(`an event has more than ${EVENT_CHARACTERS_MAX} characters`);
    }
    return events;
  }

  #take(line: string, events: string[]): void {
    if (line) {
      const data = /^data(?:: ?|$)/.exec(line);
      if (data) {
        this.#data.push(line.slice(data[0].length));
      }
      return;
    }
    if (this.#data.length) {
      events.push(this.#data.join("\n"));
    }
    this.#data = [];
    this.#length = 0;
  }
}
