import { parsePerson, hueOf, type Person } from "./person.js";

/** A member of a channel as the client lists it. */
export interface Member {
  readonly clientId: string;
  readonly user?: string | undefined;
  readonly status?: string | undefined;
  readonly data?: unknown;
}

export interface Present extends Person {
  readonly clientId: string;
  readonly isAway: boolean;
  readonly isMe: boolean;
}

export interface Change {
  readonly what: "joined" | "left";
  readonly name: string;
}

/** Who lost the line and is back within this time has not left. */
const LEAVE_AFTER_MS = 3_500;
/** A member says its name right after it came; who does not is shown without. */
const NAME_WITHIN_MS = 1_500;
const SHOWN_WITHOUT = Number.NEGATIVE_INFINITY;

/**
 * Who is in a room. A line that was lost and made again is another client to
 * the server; here it is the same person, who never left if it was quick.
 */
export class People {
  readonly #me: string;
  #shown = new Map<string, Present>();
  #leaving = new Map<string, number>();
  #unnamed = new Map<string, number>();
  #members: readonly Member[] = [];
  #isFirst = true;
  #changes: Change[] = [];

  constructor(me: string) {
    this.#me = me;
  }

  /** Everybody, oneself first, then by name. */
  get list(): Present[] {
    return [...this.#shown.values()].sort(
      (a, b) => Number(b.isMe) - Number(a.isMe) || a.name.localeCompare(b.name) || a.tab.localeCompare(b.tab),
    );
  }

  /** The name of a client that is there. */
  nameOf(clientId: string): string | undefined {
    return [...this.#shown.values()].find((person) => person.clientId === clientId)?.name;
  }

  /** What a live line says. A lost line says nothing, so do not call it then. */
  handleMembers(members: readonly Member[], now: number): void {
    this.#members = members;
    this.#settle(now);
  }

  handleTimeout(now: number): void {
    this.#settle(now);
  }

  /** When `handleTimeout` has something to do, if ever. */
  pollTimeout(): number | undefined {
    const names = [...this.#unnamed.values()].filter((due) => due !== SHOWN_WITHOUT);
    const next = Math.min(...this.#leaving.values(), ...names);
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  pollChange(): Change | undefined {
    return this.#changes.shift();
  }

  #settle(now: number): void {
    const here = this.#named(now);
    for (const person of here.values()) {
      const isNew = !this.#shown.has(person.tab);
      this.#leaving.delete(person.tab);
      this.#shown.set(person.tab, person);
      if (isNew && !this.#isFirst && !person.isMe) {
        this.#changes.push({ what: "joined", name: person.name });
      }
    }
    for (const person of [...this.#shown.values()].filter(({ tab }) => !here.has(tab))) {
      const due = this.#leaving.get(person.tab) ?? now + LEAVE_AFTER_MS;
      if (due > now) {
        this.#leaving.set(person.tab, due);
        continue;
      }
      this.#leaving.delete(person.tab);
      this.#shown.delete(person.tab);
      if (!person.isMe) {
        this.#changes.push({ what: "left", name: person.name });
      }
    }
    this.#isFirst &&= here.size === 0;
  }

  /** By tab. Of two lines of one tab, the one that knows better than “away” counts. */
  #named(now: number): Map<string, Present> {
    const found = new Map<string, Present>();
    const unnamed = new Map<string, number>();
    for (const member of this.#members) {
      let person = parsePerson(member.data);
      if (person === undefined) {
        const due = this.#unnamed.get(member.clientId) ?? now + NAME_WITHIN_MS;
        unnamed.set(member.clientId, due);
        if (due > now) {
          continue;
        }
        unnamed.set(member.clientId, SHOWN_WITHOUT);
        person = { tab: member.clientId, name: member.user ?? "Guest", hue: hueOf(member.clientId) };
      }
      const isAway = member.status === "away" && found.get(person.tab)?.isAway !== false;
      found.set(person.tab, { ...person, clientId: member.clientId, isAway, isMe: person.tab === this.#me });
    }
    this.#unnamed = unnamed;
    return found;
  }
}
