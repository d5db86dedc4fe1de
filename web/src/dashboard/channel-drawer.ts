import { byId } from "../dom.js";
import { formatSize } from "../format.js";
import { KeyedList } from "../keyed-list.js";
import { messageOf, type Api, type Channel, type Member } from "./api.js";
import type { Confirm } from "./confirm.js";
import { chip, Drawer } from "./drawer.js";
import { HistoryView } from "./history-view.js";
import { counted, formatMoment } from "./words.js";

const MEMBERS_MAX = 50;

/** A look into one channel: who is there, what was said, and a way to say something. */
export class ChannelDrawer {
  readonly #page: Document;
  readonly #api: () => Api;
  readonly #confirm: Confirm;
  readonly #drawer: Drawer;
  readonly #history: HistoryView;
  readonly #members: KeyedList<Member>;

  constructor(page: Document, api: () => Api, confirm: Confirm, openClient: (client: string) => void) {
    this.#page = page;
    this.#api = api;
    this.#confirm = confirm;
    this.#drawer = new Drawer(page, "channel", (name, isCurrent) => this.#load(name, isCurrent));
    this.#history = new HistoryView(page, () => this.#drawer.refresh());
    this.#members = new KeyedList(
      byId(page, "members", HTMLElement),
      ({ clientId }) => clientId,
      ({ clientId, user, status }) => {
        const detail = [user, status].filter((part) => part !== undefined).join(", ");
        return chip(page, clientId, detail, () => {
          this.#drawer.close();
          openClient(clientId);
        });
      },
    );
    byId(page, "publish-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#publish();
    });
    byId(page, "history-clear", HTMLButtonElement).addEventListener("click", () => void this.#clear());
  }

  open(channel: string): void {
    this.#members.draw([]);
    this.#history.reset();
    this.#result("");
    byId(this.#page, "members-note", HTMLElement).textContent = "";
    this.#drawer.open(channel);
  }

  close(): void {
    this.#drawer.close();
  }

  async #load(name: string, isCurrent: () => boolean): Promise<"again"> {
    const api = this.#api();
    const channel = await api.channel(name);
    if (!isCurrent()) {
      return "again";
    }
    this.#drawer.showFacts(factsOf(channel));
    const hasHistory = channel.history !== undefined;
    const [presence, history] = await Promise.all([
      channel.members === undefined ? undefined : api.presence(name, MEMBERS_MAX),
      hasHistory && this.#history.isAsking ? this.#history.load(api, name) : undefined,
    ]);
    if (!isCurrent()) {
      return "again";
    }
    this.#members.draw(presence?.members ?? []);
    byId(this.#page, "members-note", HTMLElement).textContent = membersNote(presence);
    this.#history.draw(history, hasHistory);
    return "again";
  }

  async #publish(): Promise<void> {
    const channel = this.#drawer.name;
    const event = byId(this.#page, "publish-event", HTMLInputElement).value.trim();
    if (channel === undefined) {
      return;
    }
    let data: unknown;
    try {
      data = JSON.parse(byId(this.#page, "publish-data", HTMLTextAreaElement).value);
    } catch (error) {
      this.#result(`Not published, the data is no JSON: ${messageOf(error)}. Text is JSON in quotes.`);
      return;
    }
    try {
      const { position } = await this.#api().publish(channel, data, event === "" ? undefined : event);
      this.#result(position === undefined ? "Published. The channel keeps no history." : `Published at ${position}.`);
      this.#drawer.refresh();
    } catch (error) {
      this.#result(`Not published: ${messageOf(error)}`);
    }
  }

  async #clear(): Promise<void> {
    const channel = this.#drawer.name;
    if (channel === undefined) {
      return;
    }
    const isSure = await this.#confirm.ask({
      title: "Clear the history?",
      text: `All that ${channel} keeps is forgotten and cannot be brought back. Clients that come back and have missed some of it are told so.`,
      action: "Clear history",
    });
    if (!isSure) {
      return;
    }
    try {
      await this.#api().clearHistory(channel);
      this.#history.reset();
      this.#drawer.refresh();
    } catch (error) {
      this.#drawer.showError(`Not cleared: ${messageOf(error)}`);
    }
  }

  #result(text: string): void {
    byId(this.#page, "publish-result", HTMLElement).textContent = text;
  }
}

function factsOf({ subscribers, history }: Channel): (readonly [string, string])[] {
  const facts: (readonly [string, string])[] = [["Subscribers", String(subscribers)]];
  if (history === undefined) {
    return [...facts, ["History", "none"]];
  }
  facts.push(["History", `${counted(history.messages, "message")}, about ${formatSize(history.bytes)}`]);
  if (history.newest !== undefined) {
    facts.push(["Newest", formatMoment(history.newest)]);
  }
  return [...facts, ["Position", history.position]];
}

function membersNote(presence: { readonly members: readonly Member[]; readonly count: number } | undefined): string {
  if (presence === undefined) {
    return "The channel keeps no presence.";
  }
  const { members, count } = presence;
  return count === 0 ? "Nobody." : members.length < count ? `The first ${members.length} of ${counted(count, "member")}.` : "";
}
