import { useCallback, useEffect, useMemo, useSyncExternalStore } from "react";
import type { PresenceSnapshot } from "../channel/presence.js";
import { useClient } from "./provider.js";
import { selecting } from "./selecting.js";
import { useRetained } from "./use-channel.js";
import { useLatest } from "./use-latest.js";

/** What a component wants to know of who is there. */
export interface UsePresenceOptions<T> {
  /** What others see of this client; told when it changes (compared as JSON). Without it nothing is told. */
  mine?: { status?: string; data?: unknown };
  /**
   * What of it to render. Renders again only when that changes.
   * @default all of it
   */
  select?: (snapshot: PresenceSnapshot) => T;
  /**
   * When what was selected has not changed.
   * @default Object.is
   */
  isEqual?: (a: T, b: T) => boolean;
  /**
   * Whether to stay out of the channel.
   * @default false
   */
  skip?: boolean;
}

const NOBODY: PresenceSnapshot = { members: new Map(), count: 0 };

/** Who is in a channel. Joins it while the component is mounted, as `useChannel` does. */
export function usePresence<T = PresenceSnapshot>(name: string, options: UsePresenceOptions<T> = {}): T {
  const client = useClient();
  const channel = client.channel(name);
  const { mine, skip = false, isEqual = Object.is, select = (snapshot) => snapshot as T } = options;
  useRetained(channel, skip);
  const presence = channel.presence;
  const latest = useLatest(mine);
  const key = JSON.stringify(mine);
  useEffect(() => {
    if (latest.current && !skip) {
      // A refusal is told by the client's "error".
      Promise.resolve(presence.set(latest.current)).catch(() => {});
    }
  }, [presence, key, skip, latest]);
  const subscribe = useCallback((changed: () => void) => presence.subscribe(changed), [presence]);
  const choose = useMemo(() => selecting<PresenceSnapshot, T>(isEqual), [presence]);
  return useSyncExternalStore(
    subscribe,
    () => choose(presence.getSnapshot(), select),
    () => choose(NOBODY, select),
  );
}
