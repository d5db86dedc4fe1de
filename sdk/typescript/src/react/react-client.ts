import type { ChannelOptions } from "../channel/channel.js";
import type { Presence } from "../channel/presence.js";
import type { CoreClient, Published, PublishOptions } from "../client/client.js";

/** What the hooks need of a client. */
export interface ReactClient extends CoreClient {
  channel(name: string, options?: ChannelOptions): ReactChannel;
}

/** What the hooks need of a channel, whatever its payloads are. */
export interface ReactChannel {
  readonly name: string;
  readonly state: "unsubscribed" | "subscribing" | "subscribed";
  subscribe(): Promise<void>;
  unsubscribe(): void;
  on(type: string, handler: (event: any) => unknown): () => void;
  publish(data: unknown, options?: PublishOptions): Promise<Published>;
  typing(isTyping?: boolean): void;
  readonly presence: Pick<Presence, "set" | "subscribe" | "getSnapshot">;
}
