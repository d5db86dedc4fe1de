import type { Calling } from "../client/calls.js";

/** Somebody who is in a channel. */
export interface Member {
  readonly clientId: string;
  readonly user?: string;
  /** What the member's token says of it. */
  readonly info?: unknown;
  /** What the member says of itself. */
  readonly status?: string;
  readonly data?: unknown;
}

/** Who is there. The same object until something in it changes. */
export interface PresenceSnapshot {
  /** By `clientId`. Empty where a channel has more members than its namespace lists. */
  readonly members: ReadonlyMap<string, Member>;
  readonly count: number;
}

/** Who came, changed and went. */
export interface PresenceChange {
  readonly joined: readonly Member[];
  readonly updated: readonly Member[];
  readonly left: readonly Member[];
  readonly count: number;
  /** Whether the lists name everybody. */
  readonly complete: boolean;
}

/** Who is in a channel. It needs a subscription to the channel. */
export interface Presence extends PresenceSnapshot {
  /** Asks for everybody, page by page. */
  list(): Promise<Member[]>;
  /** Sets what others see of this client; what is absent stays. It is set again when the line comes back. */
  set(mine: { status?: string; data?: unknown }): Promise<void>;
  /** Has `listener` called after each change, and the list kept up to date as long as somebody listens. */
  subscribe(listener: () => void): () => void;
  getSnapshot(): PresenceSnapshot;
}

/** The presence of a channel, and what the channel tells it. */
export interface PresenceInside {
  presence: Presence;
  change(change: PresenceChange): void;
  /** The channel was subscribed to. */
  joined(): void;
}

const EMPTY: PresenceSnapshot = { members: new Map(), count: 0 };
/** A channel with more members is not listed again because a change did not name everybody. */
const LOADED_MAX = 1000;
/** A list longer than a million is not asked for in whole. */
const PAGES_MAX = 1000;

/** Makes the presence of a channel. */
export function createPresence(core: Calling, channel: string, isSubscribed: () => boolean): PresenceInside {
  const listeners = new Set<() => void>();
  let snapshot = EMPTY;
  let isLoading = false;
  let mine: { status?: string; data?: unknown } | undefined;

  const replace = (members: ReadonlyMap<string, Member>, count: number): void => {
    snapshot = { members, count };
    core.later(() => [...listeners].forEach((listener) => listener()));
  };

  const change = ({ joined, updated, left, count }: PresenceChange): void => {
    const members = new Map(snapshot.members);
    [...joined, ...updated].forEach((member) => members.set(member.clientId, member));
    left.forEach(({ clientId }) => members.delete(clientId));
    replace(members, count);
    // More has happened than was told: who came and went at once, or more than one message names.
    if (members.size !== count && count <= LOADED_MAX) {
      load();
    }
  };

  const list = async (): Promise<Member[]> => {
    const all: Member[] = [];
    let after: string | undefined;
    for (let page = 0; page < PAGES_MAX && (page === 0 || after); page++) {
      const { data } = await core.call({ type: "presence", channel, ...(after && { after }) }, { again: true });
      const { members, next } = data as { members: Member[]; next?: string };
      all.push(...members);
      after = next;
    }
    return all;
  };

  const load = (): void => {
    if (isSubscribed() && listeners.size > 0 && !isLoading) {
      isLoading = true;
      list()
        .then((all) => replace(new Map(all.map((member) => [member.clientId, member])), all.length), (error) => isSubscribed() && core.report(error))
        .finally(() => {
          isLoading = false;
          core.tell();
        });
    }
  };

  return {
    change,
    joined() {
      if (mine) {
        core.cast({ type: "setPresence", channel, ...mine });
      }
      load();
    },
    presence: {
      get members() {
        return snapshot.members;
      },
      get count() {
        return snapshot.count;
      },
      getSnapshot: () => snapshot,
      list,
      async set(next) {
        mine = { ...mine, ...next };
        await core.call({ type: "setPresence", channel, ...next }, { again: true });
      },
      subscribe(listener) {
        listeners.add(listener);
        if (listeners.size === 1) {
          load();
        }
        return () => void listeners.delete(listener);
      },
    },
  };
}
