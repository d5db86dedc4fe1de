import { byId } from "../dom.js";
import { formatSize } from "../format.js";
import type { Api, ChannelRow, ClientRow, Info } from "./api.js";
import { ChannelDrawer } from "./channel-drawer.js";
import { ClientDrawer } from "./client-drawer.js";
import { Confirm } from "./confirm.js";
import { FeedView } from "./feed-view.js";
import { healthOf } from "./health.js";
import { ListPanel } from "./list-panel.js";
import { Metrics } from "./metrics-text.js";
import { NodesView } from "./nodes-view.js";
import { PlotsView } from "./plots-view.js";
import { Poller, type Feed } from "./poller.js";
import { Tiles } from "./tiles.js";
import { Timeline } from "./timeline.js";
import { formatAge } from "./words.js";

const INTERVAL_MS = 2_000;
/** The server looks through all clients for a list, so lists are asked for less often. */
const LISTS_MS = 4_000;
const SECOND_MS = 1_000;

/** Everything that is shown with a key. */
export class Board {
  readonly #page: Document;
  readonly #view: Window & typeof globalThis;
  readonly #onRefused: (why: string) => void;
  readonly #tiles: Tiles;
  readonly #nodes: NodesView;
  readonly #feedView: FeedView;
  readonly #channelDrawer: ChannelDrawer;
  readonly #clientDrawer: ClientDrawer;
  readonly #channels: ListPanel<ChannelRow>;
  readonly #clients: ListPanel<ClientRow>;
  readonly #poller: Poller;
  readonly #timeline = new Timeline();
  readonly #plots: PlotsView;
  #api: Api | undefined;
  #info: Info | undefined;
  #listsAt = 0;
  #second: number | undefined;

  constructor(page: Document, view: Window & typeof globalThis, onRefused: (why: string) => void) {
    this.#page = page;
    this.#view = view;
    this.#onRefused = onRefused;
    this.#tiles = new Tiles(page);
    this.#nodes = new NodesView(page);
    this.#feedView = new FeedView(page);
    this.#plots = new PlotsView(page, this.#timeline);
    const confirm = new Confirm(page);
    const api = (): Api => this.#required();
    const openClient = (client: string): void => this.#clientDrawer.open(client);
    const openChannel = (channel: string): void => this.#channelDrawer.open(channel);
    this.#channelDrawer = new ChannelDrawer(page, api, confirm, openClient);
    this.#clientDrawer = new ClientDrawer(page, api, confirm, () => this.#now(), openChannel);
    this.#channels = this.#makeChannels(openChannel);
    this.#clients = this.#makeClients(openClient);
    const around = {
      now: () => this.#now(),
      random: () => Math.random(),
      setTimeout: (then: () => void, milliseconds: number) => view.setTimeout(then, milliseconds),
      clearTimeout: (timer: number) => view.clearTimeout(timer),
    };
    this.#poller = new Poller(() => this.#poll(), (feed) => this.#handleFeed(feed), around, INTERVAL_MS);
    this.#listen();
  }

  start(api: Api): void {
    this.stop();
    this.#api = api;
    this.#poller.start();
    this.#second = this.#view.setInterval(() => this.#handleSecond(), SECOND_MS);
    this.#draw();
  }

  /** Nothing of what the key gave to see is kept. */
  stop(): void {
    this.#poller.stop();
    this.#view.clearInterval(this.#second);
    this.#api = undefined;
    this.#info = undefined;
    this.#listsAt = 0;
    this.#timeline.clear();
    this.#channels.clear();
    this.#clients.clear();
    this.#channelDrawer.close();
    this.#clientDrawer.close();
  }

  async #poll(): Promise<void> {
    const api = this.#required();
    const metrics = api.metrics().then((text) => ({ at: this.#now(), metrics: Metrics.parse(text) }));
    const [poll, info] = await Promise.all([metrics, api.info()]);
    if (api === this.#api) {
      this.#timeline.handlePoll(poll);
      this.#info = info;
    }
  }

  #handleFeed(feed: Feed): void {
    if (feed.state === "refused") {
      this.#onRefused(feed.why);
      return;
    }
    if (feed.state === "away" || feed.state === "paused") {
      this.#timeline.handleGap(feed.state, this.#now());
    }
    if (feed.state === "live" && this.#now() - this.#listsAt >= LISTS_MS) {
      this.#listsAt = this.#now();
      this.#channels.refresh();
      this.#clients.refresh();
    }
    this.#draw();
  }

  /** While there are no answers, only time goes on. */
  #handleSecond(): void {
    if (this.#poller.feed.state === "away") {
      this.#draw();
    }
  }

  #draw(): void {
    const { feed } = this.#poller;
    const health = healthOf(feed, this.#timeline.poll?.metrics, this.#info);
    this.#feedView.draw(feed, health, this.#info?.node, this.#now());
    this.#tiles.draw(this.#timeline, this.#info, health);
    this.#nodes.draw(this.#timeline, this.#info, health);
    this.#plots.draw(feed.state === "live" ? (this.#timeline.poll?.at ?? this.#now()) : this.#now());
  }

  #listen(): void {
    byId(this.#page, "pause", HTMLButtonElement).addEventListener("click", () => {
      if (this.#poller.feed.state === "paused") {
        this.#poller.start();
      } else {
        this.#poller.pause();
      }
    });
    byId(this.#page, "try-now", HTMLButtonElement).addEventListener("click", () => this.#poller.start());
    byId(this.#page, "interval", HTMLElement).addEventListener("change", ({ target }) => {
      if (target instanceof HTMLInputElement) {
        this.#poller.setInterval(Number(target.value));
      }
    });
  }

  #makeChannels(open: (channel: string) => void): ListPanel<ChannelRow> {
    const prefix = byId(this.#page, "channels-prefix", HTMLInputElement);
    byId(this.#page, "channels-form", HTMLFormElement).addEventListener("submit", () => {
      if (prefix.value.trim() !== "") {
        open(prefix.value.trim());
      }
    });
    return new ListPanel<ChannelRow>(this.#page, {
      id: "channels",
      filters: ["channels-prefix"],
      keyOf: ({ channel }) => channel,
      cells: ({ subscribers }) => [String(subscribers)],
      numbers: [true],
      load: (after, limit) => this.#required().channels(prefix.value.trim(), after, limit),
      open,
      empty: () => (prefix.value.trim() === "" ? "No channel has subscribers." : "No channel with subscribers begins so. “Look into” opens one without."),
    });
  }

  #makeClients(open: (client: string) => void): ListPanel<ClientRow> {
    const [user, channel] = ["clients-user", "clients-channel"].map((id) => byId(this.#page, id, HTMLInputElement)) as [HTMLInputElement, HTMLInputElement];
    return new ListPanel<ClientRow>(this.#page, {
      id: "clients",
      filters: ["clients-user", "clients-channel"],
      keyOf: ({ clientId }) => clientId,
      cells: (row) => [
        row.user ?? "–",
        row.transport,
        row.address,
        formatAge(this.#now() - row.connectedAt),
        String(row.subscriptions),
        formatSize(row.queuedBytes),
      ],
      numbers: [false, false, false, true, true, true],
      load: (after, limit) => this.#required().clients({ user: user.value.trim(), channel: channel.value.trim() }, after, limit),
      open,
      empty: () => (user.value + channel.value === "" ? "Nobody is connected." : "No client is of that user and channel. Names have to be complete."),
    });
  }

  #required(): Api {
    if (this.#api === undefined) {
      throw new Error("there is no key");
    }
    return this.#api;
  }

  /** It never goes back, as a clock may that is set. */
  #now(): number {
    return this.#view.performance.timeOrigin + this.#view.performance.now();
  }
}
