import { setMaxListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Environment, PageEvent } from "../../src/environment.js";
import { FakeSocket } from "../websocket/fakes.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

export const CYCLES = 10_000;
/** Bytes a cycle: far below the smallest object that could be kept of it, and above the noise of the heap. */
export const GROWTH_MAX = 24;

/** Surroundings that live as long as a page does: whatever is not let go of stays reachable from here. */
export class LongLived {
  readonly page = new EventTarget();
  socket: FakeSocket | undefined;
  readonly environment: Partial<Environment>;

  constructor() {
    setMaxListeners(0, this.page);
    const adopt = (socket: FakeSocket): void => void (this.socket = socket);
    class Socket extends FakeSocket {
      constructor(url: string) {
        super(url);
        adopt(this);
      }
    }
    this.environment = {
      WebSocket: Socket as unknown as typeof WebSocket,
      page: {
        listen: (handler, signal) => {
          this.page.addEventListener("page", (event) => handler((event as CustomEvent<PageEvent>).detail), { signal });
        },
      },
    };
  }
}

/** Bytes that the heap grew by for each cycle. */
export async function growth(cycle: (number: number) => void, cycles = CYCLES): Promise<number> {
  const run = async (count: number): Promise<number> => {
    for (let number = 0; number < count; number += 1) {
      cycle(number);
      // Closing an attempt ends in a later task.
      if (number % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    collect();
    collect();
    return process.memoryUsage().heapUsed;
  };
  await run(cycles / 5);
  let bytes = Infinity;
  // What is kept shows each time; what the engine itself learns meanwhile does not.
  for (let round = 0; round < 4 && bytes >= GROWTH_MAX; round += 1) {
    const before = await run(cycles / 5);
    bytes = Math.min(bytes, ((await run(cycles)) - before) / cycles);
  }
  return bytes;
}
