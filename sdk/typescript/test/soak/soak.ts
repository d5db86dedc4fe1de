import { json, longPoll, messagePack, sse, websocket } from "../../src/index.js";
import { generator } from "../generator.js";
import { serve } from "../live/server.js";
import { type Cut, CUTS } from "./cutting-proxy.js";
import { faulty, type Seeded } from "./faulty-line.js";
import { Ledger, type Numbered } from "./ledger.js";
import { Party } from "./party.js";

/** How much is done. */
export interface SoakOptions {
  /** How many messages flow each way. */
  messages: number;
  /** How often a line is cut meanwhile. */
  drops: number;
  seed: number;
  /** What one client's line does wrong, so that the ledger shows that it sees it. */
  fault?: Seeded;
}

/** What came of it. */
export interface SoakReport {
  seconds: number;
  cuts: Record<Cut, number>;
  /** How often a client came back. */
  returns: number;
  published: number;
  ledger: Ledger;
}

/** With every guard out of the way: what they do is not looked at here. */
const CONFIG = `
[auth]
anonymous = true
[limits]
admission = "off"
connections_per_ip = 0
[rates]
commands = "off"
publish = "off"
publish_user = "off"
subscribe = "off"
[namespace.default]
history_size = 1000000
publish = "anyone"
`;
/** Three clients on either side: two by WebSocket, which carry nearly all, and one by HTTP. */
const SIDES = [
  { name: "east", to: "west", lines: [websocket(), websocket(), sse()] },
  { name: "west", to: "east", lines: [websocket(), websocket(), longPoll()] },
];
/** One message in so many goes by HTTP, where each is a request. */
const HTTP_SHARE = 25;
/** How many publishes of a client may be under way. */
const WINDOW = 32;
/** A server gives back at most 1,000 missed messages at a time, so writers wait for a reader that is nearly so far behind. */
const BEHIND_MAX = 700;
/** At every so manieth message there is more to say than a piece of the network holds. */
const LONG_EVERY = 97;
const FILLER = "long ".repeat(800);
/** Nothing that is meant to happen takes nearly as long. */
const STALL = 20_000;
const SETTLE = 500;

/** Has clients publish to each other while their lines are cut, and notes what they got. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const run = new Soak(options);
  await using server = await serve(CONFIG);
  try {
    await run.open(Number(new URL(server.url).port));
    return await run.run();
  } finally {
    run.close();
  }
}

class Soak {
  readonly #options: SoakOptions;
  readonly #random: () => number;
  readonly #ledger = new Ledger();
  readonly #parties: Party[] = [];
  readonly #cuts: Record<Cut, number> = { reset: 0, finish: 0, silent: 0, torn: 0 };
  readonly #publishedTo: Record<string, number> = {};
  readonly #perDrop: number;
  #published = 0;
  #drops = 0;
  /** Whether the end is not to be waited for any more. */
  #isOver = false;

  constructor(options: SoakOptions) {
    this.#options = options;
    this.#random = generator(options.seed);
    this.#perDrop = (2 * options.messages) / (options.drops + 1);
  }

  async open(port: number): Promise<void> {
    for (const { name, to, lines } of SIDES) {
      for (const [index, line] of lines.entries()) {
        const { seed, messages, fault } = this.#options;
        const isFirst = this.#parties.length === 0;
        const http = Math.floor(messages / HTTP_SHARE);
        const byWebSocket = messages - http;
        const count = [Math.ceil(byWebSocket / 2), Math.floor(byWebSocket / 2), http][index]!;
        const transport = isFirst && fault ? faulty(line, fault, Math.floor(messages / 2)) : line;
        const random = generator(seed * 100 + this.#parties.length);
        const codec = index === 1 ? messagePack() : json();
        this.#parties.push(await Party.open(port, { name: `${name}-${index}`, from: name, to, count, transport, codec, random }));
      }
    }
    for (const party of this.#parties) {
      this.#ledger.reads(party.name, this.#parties.filter(({ to }) => to === party.channel.name).map(({ name }) => name));
      party.listen(this.#ledger);
    }
    await Promise.all(this.#parties.map(({ channel }) => channel.subscribe()));
  }

  async run(): Promise<SoakReport> {
    const began = performance.now();
    const counts = new Map(this.#parties.map(({ name, count }) => [name, count]));
    const work = Promise.all([this.#cut(), ...this.#parties.map((party) => this.#write(party))]);
    await Promise.race([work.then(() => this.#until(() => this.#ledger.hasEnded(counts))), this.#stall()]);
    // Whatever comes twice comes within this.
    await sleep(SETTLE);
    this.#isOver = true;
    this.#ledger.close(counts);
    return {
      seconds: (performance.now() - began) / 1_000,
      cuts: this.#cuts,
      returns: this.#parties.reduce((sum, { returns }) => sum + returns, 0),
      published: this.#published,
      ledger: this.#ledger,
    };
  }

  close(): void {
    this.#isOver = true;
    this.#parties.forEach((party) => party.close());
  }

  /** Publishes what a party has to say, a window at a time. */
  async #write({ name, client, to, count }: Party): Promise<void> {
    const underWay = new Set<Promise<void>>();
    for (let number = 0; number < count; number += 1) {
      await this.#until(() => underWay.size < WINDOW && this.#mayPublish(to));
      if (this.#isOver) {
        return;
      }
      const message: Numbered = { writer: name, number, ...(number % LONG_EVERY === 0 && { filler: FILLER }) };
      this.#published += 1;
      this.#publishedTo[to] = (this.#publishedTo[to] ?? 0) + 1;
      const one = client
        .publish(to, message)
        .then(
          (published) => this.#ledger.acknowledge(message, published),
          (error: unknown) => this.#ledger.fault("refused", `${number} of ${name}: ${String(error)}`),
        )
        .then(() => void underWay.delete(one));
      underWay.add(one);
    }
    await Promise.all(underWay);
  }

  /** Whether the readers keep up, and the cuts do. */
  #mayPublish(channel: string): boolean {
    const taken = this.#parties.filter((party) => party.channel.name === channel).map(({ name }) => this.#ledger.taken[name]!);
    return (this.#publishedTo[channel] ?? 0) - Math.min(...taken) < BEHIND_MAX && this.#published < (this.#drops + 2) * this.#perDrop;
  }

  /** Cuts lines, evenly over all that is published. */
  async #cut(): Promise<void> {
    const { drops } = this.#options;
    while (this.#drops < drops) {
      const due = (): boolean => this.#published >= (this.#drops + 1) * this.#perDrop;
      await this.#until(() => due() && this.#parties.some(({ proxy }) => proxy.isInUse));
      if (this.#isOver) {
        return;
      }
      const inUse = this.#parties.filter(({ proxy }) => proxy.isInUse);
      const how = await pick(inUse, this.#random).proxy.cut(pick(CUTS, this.#random));
      if (how) {
        this.#cuts[how] += 1;
        this.#drops += 1;
      }
    }
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!this.#isOver && !isSo()) {
      await sleep(2);
    }
  }

  /** Throws when nothing has moved for a while. */
  async #stall(): Promise<void> {
    const progress = (): string => JSON.stringify([this.#published, this.#drops, this.#ledger.acknowledged, this.#ledger.taken]);
    for (let last = "", since = Date.now(); !this.#isOver; await sleep(100)) {
      if (progress() !== last) {
        [last, since] = [progress(), Date.now()];
      } else if (Date.now() - since > STALL) {
        const parties = this.#parties.map(({ name, client, channel }) => ({ name, ...client.status, channel: channel.state, queue: client.queue.size }));
        throw new Error(`nothing has moved for ${STALL} ms at ${last}: ${JSON.stringify(parties)}; ${this.#ledger.told.join("; ")}`);
      }
    }
  }
}

function pick<T>(from: readonly T[], random: () => number): T {
  return from[Math.floor(random() * from.length)]!;
}

function sleep(delay: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delay));
}
