import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/**
 * How a line ends: `reset` at once; `finish` with an end in good form; `silent` says or takes nothing more, and is closed
 * much later; `torn` in the middle of what is being sent.
 */
export const CUTS = ["reset", "finish", "silent", "torn"] as const;
export type Cut = (typeof CUTS)[number];

const SILENCE_MIN = 500;
const SILENCE_MAX = 3_000;
/** How long one end may go on believing in a line that the other has lost. */
const GHOST_MAX = 500;
/** What is to be torn, but has nothing to say, is reset after this. */
const TEAR_TIMEOUT = 3_000;

/** Stands between one client and the server, and cuts what it carries. */
export class CuttingProxy {
  readonly #server: Server;
  readonly #target: number;
  readonly #random: () => number;
  readonly #pairs = new Set<Pair>();

  constructor(target: number, random: () => number) {
    this.#target = target;
    this.#random = random;
    this.#server = createServer((near) => this.#accept(near));
  }

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/ws`;
  }

  /** Whether there is something to cut that the client has used. */
  get isInUse(): boolean {
    return this.#whole().some(({ isUsed }) => isUsed);
  }

  /** Cuts all that there is. Gives how it was done, or undefined where nothing was left to be cut. */
  async cut(how: Cut): Promise<Cut | undefined> {
    const random = this.#random;
    if (how === "torn" && !(await this.#tear())) {
      how = "reset";
    }
    const pairs = this.#whole();
    const way = Math.floor(random() * 3);
    const end = how === "torn" ? (random() < 0.5 ? "reset" : "finish") : how;
    for (const pair of pairs) {
      if (how === "silent") {
        pair.silence(way !== 1, way !== 2);
        pair.end("reset", SILENCE_MIN + random() * (SILENCE_MAX - SILENCE_MIN));
      } else {
        pair.end(end, 0, random() < 0.5 ? random() * GHOST_MAX : 0);
      }
    }
    return pairs.length > 0 ? how : undefined;
  }

  close(): void {
    this.#server.close();
    this.#pairs.forEach((pair) => pair.destroy());
  }

  #whole(): Pair[] {
    return [...this.#pairs].filter(({ isCut }) => !isCut);
  }

  #accept(near: Socket): void {
    const pair = new Pair(near, connect(this.#target, "127.0.0.1"), () => this.#pairs.delete(pair));
    this.#pairs.add(pair);
  }

  /** Passes on only the beginning of the next piece that any pair carries one way. False if none came. */
  #tear(): Promise<boolean> {
    const toServer = this.#random() < 0.5;
    const share = this.#random();
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), TEAR_TIMEOUT);
      for (const pair of this.#whole()) {
        pair.tear = (piece, isToServer) => {
          if (isToServer !== toServer || piece.length < 2) {
            return piece;
          }
          clearTimeout(timer);
          this.#pairs.forEach((other) => (other.tear = undefined));
          pair.silence(true, true);
          // What was written has to leave before the end does.
          setImmediate(() => resolve(true));
          return piece.subarray(0, 1 + Math.floor(share * (piece.length - 1)));
        };
      }
    });
  }
}

/** A connection of the client, and the one to the server that belongs to it. */
class Pair {
  isCut = false;
  /** Whether the client has said something. */
  isUsed = false;
  /** Gives what is left of a piece. */
  tear: ((piece: Buffer, isToServer: boolean) => Buffer) | undefined;
  readonly #near: Socket;
  readonly #far: Socket;
  #toServer = true;
  #toClient = true;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(near: Socket, far: Socket, onclose: () => void) {
    this.#near = near;
    this.#far = far;
    near.on("data", (piece) => {
      this.isUsed = true;
      if (this.#toServer) {
        pass(this.tear?.(piece, true) ?? piece, near, far);
      }
    });
    far.on("data", (piece) => {
      if (this.#toClient) {
        pass(this.tear?.(piece, false) ?? piece, far, near);
      }
    });
    for (const [one, other] of [[near, far], [far, near]] as const) {
      one.setNoDelay();
      one.on("error", () => {});
      one.on("close", () => {
        if (other.closed) {
          onclose();
        } else if (!this.isCut) {
          other.destroySoon();
        }
      });
    }
  }

  /** From now on what is said goes nowhere. */
  silence(toServer: boolean, toClient: boolean): void {
    this.#toServer &&= !toServer;
    this.#toClient &&= !toClient;
  }

  /** Ends the client's part after `delay`, and the server's after another. */
  end(how: Cut, delay: number, ghost = 0): void {
    this.isCut = true;
    if (delay === 0) {
      this.silence(true, true);
    }
    this.#later(delay, () => close(this.#near, how));
    this.#later(delay + ghost, () => close(this.#far, how));
    this.#later(delay + ghost + GHOST_MAX, () => this.destroy());
  }

  destroy(): void {
    this.#timers.forEach((timer) => clearTimeout(timer));
    this.#near.destroy();
    this.#far.destroy();
  }

  #later(delay: number, act: () => void): void {
    if (delay === 0) {
      act();
    } else {
      this.#timers.push(setTimeout(act, delay));
    }
  }
}

/** Passes a piece on, no faster than it is taken. */
function pass(piece: Buffer, from: Socket, to: Socket): void {
  if (to.writable && !to.write(piece)) {
    from.pause();
    to.once("drain", () => from.resume());
  }
}

function close(socket: Socket, how: Cut): void {
  if (how === "finish") {
    socket.end();
  } else {
    socket.resetAndDestroy();
  }
}
