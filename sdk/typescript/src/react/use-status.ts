import { useCallback, useMemo, useSyncExternalStore } from "react";
import type { Status } from "../client/status.js";
import { useClient } from "./provider.js";
import { selecting } from "./selecting.js";

const ON_SERVER: Status = { state: "idle", attempt: 0 };

/** Where the line stands. Renders again when that changes. On the server it is `idle`. */
export function useStatus(): Status;
/**
 * A part of where the line stands. Renders again only when the part is another one (`Object.is`).
 * @example const online = useStatus((status) => status.state === "online");
 */
export function useStatus<T>(select: (status: Status) => T): T;
export function useStatus(select: (status: Status) => unknown = (status) => status): unknown {
  const client = useClient();
  const subscribe = useCallback((changed: () => void) => client.subscribeStatus(changed), [client]);
  // A selector written in place is another one in each render; what it chose is compared, not the selector.
  const choose = useMemo(() => selecting<Status, unknown>(Object.is), [client]);
  return useSyncExternalStore(
    subscribe,
    () => choose(client.status, select),
    () => choose(ON_SERVER, select),
  );
}
