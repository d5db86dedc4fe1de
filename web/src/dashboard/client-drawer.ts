import { byId } from "../dom.js";
import { formatSize } from "../format.js";
import { KeyedList } from "../keyed-list.js";
import { ApiError, messageOf, type Api, type ConnectedClient } from "./api.js";
import { CLOSE_CODES } from "./close-codes.js";
import type { Confirm } from "./confirm.js";
import { chip, Drawer } from "./drawer.js";
import { counted, formatAge, formatMoment } from "./words.js";

/** A look at one client, and the way to end its line. */
export class ClientDrawer {
  readonly #page: Document;
  readonly #api: () => Api;
  readonly #confirm: Confirm;
  readonly #now: () => number;
  readonly #drawer: Drawer;
  readonly #channels: KeyedList<string>;
  readonly #codes: HTMLSelectElement;
  #isHere = false;

  constructor(page: Document, api: () => Api, confirm: Confirm, now: () => number, openChannel: (channel: string) => void) {
    this.#page = page;
    this.#api = api;
    this.#confirm = confirm;
    this.#now = now;
    this.#drawer = new Drawer(page, "client", (name, isCurrent) => this.#load(name, isCurrent));
    this.#channels = new KeyedList(
      byId(page, "client-channels", HTMLElement),
      (channel) => channel,
      (channel) =>
        chip(page, channel, "", () => {
          this.#drawer.close();
          openChannel(channel);
        }),
    );
    this.#codes = byId(page, "disconnect-code", HTMLSelectElement);
    this.#codes.append(...CLOSE_CODES.map(({ code, name }) => new Option(`${code} ${name}`, String(code))));
    this.#codes.addEventListener("change", () => this.#drawEffect());
    this.#drawEffect();
    byId(page, "disconnect-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#disconnect();
    });
  }

  open(client: string): void {
    this.#channels.draw([]);
    this.#codes.selectedIndex = 0;
    this.#drawEffect();
    byId(this.#page, "disconnect-reason", HTMLInputElement).value = "";
    byId(this.#page, "client-channels-note", HTMLElement).textContent = "";
    this.#result("");
    this.#setHere(false);
    this.#drawer.open(client);
  }

  close(): void {
    this.#drawer.close();
  }

  async #load(name: string, isCurrent: () => boolean): Promise<"again" | "gone"> {
    try {
      const client = await this.#api().client(name);
      if (isCurrent()) {
        this.#setHere(true);
        this.#drawer.showFacts(factsOf(client, this.#now()));
        this.#channels.draw(client.channels);
        byId(this.#page, "client-channels-note", HTMLElement).textContent = channelsNote(client);
      }
      return "again";
    } catch (error) {
      if (isCurrent() && error instanceof ApiError && error.code === "not_found") {
        byId(this.#page, "client-channels-note", HTMLElement).textContent = "";
        this.#setHere(false);
        this.#drawer.showFacts([["State", "not connected any more"]]);
        this.#channels.draw([]);
        return "gone";
      }
      throw error;
    }
  }

  async #disconnect(): Promise<void> {
    const client = this.#drawer.name;
    const chosen = CLOSE_CODES[this.#codes.selectedIndex];
    const reason = byId(this.#page, "disconnect-reason", HTMLInputElement).value.trim();
    if (client === undefined || chosen === undefined || !this.#isHere) {
      return;
    }
    const isSure = await this.#confirm.ask({
      title: "Disconnect this client?",
      text: `${client} is ended with ${chosen.code} ${chosen.name}${reason === "" ? "" : `, “${reason}”`}. ${chosen.effect}`,
      action: "Disconnect",
    });
    if (!isSure) {
      this.#result("Nothing was done.");
      return;
    }
    try {
      const { lines } = await this.#api().disconnect(client, chosen.code, reason === "" ? undefined : reason);
      this.#result(lines === 0 ? "It was not connected any more: no line was ended." : `${counted(lines, "line")} ended with ${chosen.code}.`);
      this.#drawer.refresh();
    } catch (error) {
      this.#result(`Not disconnected: ${messageOf(error)}`);
    }
  }

  #drawEffect(): void {
    byId(this.#page, "disconnect-hint", HTMLElement).textContent = CLOSE_CODES[this.#codes.selectedIndex]?.effect ?? "";
  }

  #setHere(isHere: boolean): void {
    this.#isHere = isHere;
    byId(this.#page, "disconnect", HTMLButtonElement).disabled = !isHere;
  }

  #result(text: string): void {
    byId(this.#page, "disconnect-result", HTMLElement).textContent = text;
  }
}

function factsOf(client: ConnectedClient, now: number): (readonly [string, string])[] {
  const facts: (readonly [string, string])[] = [
    ["User", client.user ?? (client.authenticated ? "token without a user" : "without a token")],
    ["Transport", client.transport],
    ["Address", client.address],
    ["Connected", `${formatMoment(client.connectedAt)}, ${formatAge(now - client.connectedAt)} ago`],
  ];
  if (client.lastHeard !== undefined) {
    facts.push(["Last heard", `${formatAge(now - client.lastHeard)} ago`]);
  }
  facts.push(["Queue", formatSize(client.queuedBytes)]);
  return client.expiresAt === undefined ? facts : [...facts, ["Token ends", formatMoment(client.expiresAt)]];
}

function channelsNote({ channels, subscriptions }: ConnectedClient): string {
  return subscriptions === 0 ? "Nothing." : channels.length < subscriptions ? `The first ${channels.length} of ${counted(subscriptions, "channel")}.` : "";
}
