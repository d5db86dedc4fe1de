import { createContext, createElement, useContext, useEffect, useState, type ReactNode } from "react";
import { retainClient } from "./retain.js";
import type { ReactClient } from "./react-client.js";

const Provided = createContext<ReactClient | null>(null);

/** What the provider gives to all hooks below it. */
export interface OpenlineProviderProps {
  /**
   * The client, or how to make it. A function is called once for each mounted provider, on the server too: it is not
   * to open anything, which `createClient` does not. Changing it later has no effect.
   */
  client: ReactClient | (() => ReactClient);
  /** What may use it. */
  children?: ReactNode;
}

/**
 * Gives a client to the hooks below and keeps it connected while it is mounted. Rendering connects nothing: that is
 * done after mounting, so never on the server. When the last provider of a client is gone for 2 s, the client is
 * disconnected; mounting one again connects it again. The client is not closed: whoever made it does that.
 */
export function OpenlineProvider({ client, children }: OpenlineProviderProps): ReactNode {
  const [provided] = useState(client);
  useEffect(() => retainClient(provided), [provided]);
  return createElement(Provided.Provider, { value: provided }, children);
}

/** The client of the provider above. Throws if there is none. */
export function useClient(): ReactClient {
  const client = useContext(Provided);
  if (!client) {
    throw new Error("there is no <OpenlineProvider> above this component; put one around it");
  }
  return client;
}
