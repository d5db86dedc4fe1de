import { type Channel, type Client, type Codec, createClient, type TransportFactory } from "../../src/index.js";
import { environment } from "../live/server.js";
import { CuttingProxy } from "./cutting-proxy.js";
import type { Ledger, Numbered } from "./ledger.js";

/** Short, so that much happens in little time. */
const PATIENCE = { backoff: { base: 20, max: 100 }, heartbeat: { interval: 400, timeout: 800 }, connectTimeout: 2_000 };
/** The server knows keys for 5 minutes; a message that waited longer could be published twice. */
const QUEUE = { ageMax: 240_000 };
/** At every so manieth message a reader takes its time. */
const PAUSE_EVERY = 200;
const PAUSE = 5;

/** What a party is. */
export interface PartyOptions {
  name: string;
  /** The channel that it reads. */
  from: string;
  /** The channel that it writes to, and how much. */
  to: string;
  count: number;
  transport: TransportFactory;
  codec: Codec;
  random: () => number;
}

/** A client behind a proxy of its own, that reads one channel and writes to another. */
export class Party {
  readonly name: string;
  readonly to: string;
  readonly count: number;
  readonly client: Client;
  readonly channel: Channel;
  readonly proxy: CuttingProxy;
  /** How often it came back. */
  returns = 0;

  static async open(port: number, options: PartyOptions): Promise<Party> {
    const proxy = new CuttingProxy(port, options.random);
    const party = new Party(proxy, await proxy.listen(), options);
    await party.client.connect();
    return party;
  }

  private constructor(proxy: CuttingProxy, url: string, { name, from, to, count, transport, codec, random }: PartyOptions) {
    this.name = name;
    this.to = to;
    this.count = count;
    this.proxy = proxy;
    this.client = createClient({ url, codec, transports: [transport], environment: { ...environment, random }, queue: QUEUE, ...PATIENCE });
    this.client.on("connected", ({ reconnected }) => void (this.returns += reconnected ? 1 : 0));
    this.channel = this.client.channel(from);
  }

  /** Has the ledger told of all that happens. */
  listen(ledger: Ledger): void {
    const { name, channel, client } = this;
    channel.on("publication", (publication) => {
      ledger.take(name, publication);
      return (publication.data as Numbered).number % PAUSE_EVERY === 0 ? new Promise((resolve) => setTimeout(resolve, PAUSE)) : undefined;
    });
    channel.on("gap", ({ reason }) => ledger.fault("gap", `${name} was told of one: ${reason}`));
    channel.on("error", (error) => ledger.fault("error", `${name}: ${error}`));
    client.on("error", (error) => ledger.fault("error", `${name}: ${error}`));
  }

  close(): void {
    this.client.close();
    this.proxy.close();
  }
}
