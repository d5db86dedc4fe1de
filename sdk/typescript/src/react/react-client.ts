import type { CoreClient, PublishOptions, Published } from "../client/client.js";

/** What the hooks need of a client. */
export interface ReactClient extends CoreClient {
  channel(name: string, options?: ReactChannelOptions): ReactChannel;
}

/** How a channel is joined. */
export interface ReactChannelOptions {
  /** The position to go on from, as an application stored it. */
  since?: string;
  /** How many of the newest messages to get first, where there is no position. */
  history?: number;
  /** A token for this channel. */
  token?: string;
  /** Whether to get what was missed while the line was away. */
  recover?: boolean;
}

/** A message of a channel. */
export interface Publication {
  readonly type: string;
  readonly channel: string;
  readonly data: unknown;
  readonly position?: string;
  readonly timestamp?: number;
  readonly from?: { readonly clientId: string; readonly user?: string };
  readonly replayed: boolean;
}

/** Somebody in a channel. */
export interface Member {
  readonly clientId: string;
  readonly user?: string;
  readonly info?: unknown;
  readonly status?: string;
  readonly data?: unknown;
}

/** What the hooks need of a channel. */
export interface ReactChannel {
  readonly name: string;
  readonly state: "unsubscribed" | "subscribing" | "subscribed";
  subscribe(): Promise<void>;
  unsubscribe(): void;
  on(type: string, handler: (event: any) => unknown): () => void;
  publish(data: unknown, options?: PublishOptions): Promise<Published>;
  typing(isTyping?: boolean): void;
  readonly presence: {
    readonly members: ReadonlyMap<string, Member>;
    readonly count: number;
    set(mine: { status?: string; data?: unknown }): Promise<void> | void;
    subscribe(listener: () => void): () => void;
    getSnapshot(): PresenceSnapshot;
  };
}

/** Who is in a channel. The same object until that changes. */
export interface PresenceSnapshot {
  readonly members: ReadonlyMap<string, Member>;
  readonly count: number;
}
