import { useCallback, useEffect, useReducer, useSyncExternalStore } from "react";
import type { ChannelOptions } from "../channel/channel.js";
import type { Publication } from "../channel/publication.js";
import type { PublishOptions, Published } from "../client/client.js";
import { useClient } from "./provider.js";
import type { ReactChannel } from "./react-client.js";
import { Retainer } from "./retain.js";
import { useLatest } from "./use-latest.js";

/** What a component wants of a channel. */
export interface UseChannelOptions extends ChannelOptions {
  /** Each message once and in order; the function of the last render is called. */
  onPublication?: (publication: Publication) => unknown;
  /** Messages are missing, and why. Called before anything newer. */
  onGap?: (gap: { reason: string; position?: string }) => unknown;
  /** What was missed while the line was away has come. */
  onRecovered?: (recovered: { count: number }) => unknown;
  /** Somebody writes, or has stopped. */
  onTyping?: (typing: { clientId: string; user?: string; isTyping: boolean }) => unknown;
  /** The server refused the subscription or ended it. */
  onError?: (error: unknown) => unknown;
  /**
   * Whether to stay out of the channel.
   * @default false
   */
  skip?: boolean;
}

/** A channel that a component is in. */
export interface ChannelView {
  /** The channel itself, for all that has no place here. */
  readonly channel: ReactChannel;
  /** Whether messages come. */
  readonly state: ReactChannel["state"];
  /** The same function in each render. */
  readonly publish: (data: unknown, options?: PublishOptions) => Promise<Published>;
}

/** A channel's user count is kept beside it, over all components. */
const channels = new Retainer<ReactChannel>(
  (channel) => {
    // A refusal is told by the channel's "error".
    Promise.resolve(channel.subscribe()).catch(() => {});
  },
  (channel) => channel.unsubscribe(),
);

/**
 * Joins a channel while the component is mounted. Components that name the same channel share one subscription; it
 * ends 2 s after the last of them has gone. Options other than handlers and `skip` count when the first one joins.
 */
export function useChannel(name: string, options: UseChannelOptions = {}): ChannelView {
  const client = useClient();
  const { skip = false } = options;
  const latest = useLatest(options);
  const channel = client.channel(name, joining(options));
  useEffect(() => {
    if (skip) {
      return;
    }
    const leave = [
      channel.on("publication", (event) => latest.current.onPublication?.(event)),
      channel.on("gap", (event) => latest.current.onGap?.(event)),
      channel.on("recovered", (event) => latest.current.onRecovered?.(event)),
      channel.on("typing", (event) => latest.current.onTyping?.(event)),
      channel.on("error", (event) => latest.current.onError?.(event)),
      // After the handlers, so that none of them misses the first message.
      channels.retain(channel),
    ];
    return () => leave.forEach((end) => end());
  }, [channel, skip, latest]);
  const publish = useCallback((data: unknown, how?: PublishOptions) => channel.publish(data, how), [channel]);
  return { channel, state: useChannelState(channel), publish };
}

/**
 * Joins a channel and folds its messages into a state: `reducer(state, publication)` is called for each, in order.
 * The reducer is to be pure. What it knew is gone when the component is; give `history` to begin with the newest.
 */
export function useChannelReducer<S>(
  name: string,
  reducer: (state: S, publication: Publication) => S,
  initial: S,
  options: Omit<UseChannelOptions, "onPublication"> = {},
): [state: S, view: ChannelView] {
  const [state, onPublication] = useReducer(reducer, initial);
  return [state, useChannel(name, { ...options, onPublication })];
}

/** Joins a channel for as long as the component is mounted, and nothing else. */
export function useRetained(channel: ReactChannel, skip: boolean): void {
  useEffect(() => (skip ? undefined : channels.retain(channel)), [channel, skip]);
}

function useChannelState(channel: ReactChannel): ReactChannel["state"] {
  const subscribe = useCallback(
    (changed: () => void) => {
      const ends = ["subscribing", "subscribed", "unsubscribed", "error"].map((type) => channel.on(type, changed));
      return () => ends.forEach((end) => end());
    },
    [channel],
  );
  return useSyncExternalStore(
    subscribe,
    () => channel.state,
    () => "unsubscribed" as const,
  );
}

function joining({ since, history, token, recover }: UseChannelOptions): ChannelOptions {
  return {
    ...(since !== undefined && { since }),
    ...(history !== undefined && { history }),
    ...(token !== undefined && { token }),
    ...(recover !== undefined && { recover }),
  };
}
