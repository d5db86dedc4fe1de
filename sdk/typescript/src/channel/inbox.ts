/** What came from a channel and waits for its handlers: one after the other. */
export interface Inbox {
  readonly size: number;
  /** `deliver` tells the application, and gives what is to be waited for before `done` is called. */
  add(deliver: () => unknown[], done: () => void): void;
}

/** Makes an empty inbox. `drained` is called when all was delivered. */
export function createInbox(drained: () => void): Inbox {
  const waiting: [deliver: () => unknown[], done: () => void][] = [];
  let isRunning = false;
  const run = async (): Promise<void> => {
    isRunning = true;
    for (let one; (one = waiting.shift()); ) {
      const results = one[0]().filter((result) => result instanceof Promise);
      // Where nobody has to be waited for, all is delivered at once, without a turn of the event loop for each.
      if (results.length > 0) {
        await Promise.all(results);
      }
      one[1]();
    }
    isRunning = false;
    drained();
  };
  return {
    get size() {
      return waiting.length;
    },
    add(...one) {
      waiting.push(one);
      if (!isRunning) {
        void run();
      }
    },
  };
}
