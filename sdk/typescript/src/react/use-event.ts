import { useEffect } from "react";
import type { Message } from "../codec/codec.js";
import type { ClientEvents } from "../client/client.js";
import { useClient } from "./provider.js";
import { useLatest } from "./use-latest.js";

/** Calls the handler of the last render for each event of the client. */
export function useEvent<K extends keyof ClientEvents>(type: K, handler: (event: ClientEvents[K]) => unknown): void;
/** Calls the handler of the last render for each message of a type; each message once, none is skipped. */
export function useEvent(type: string, handler: (data: any, message: Message) => unknown): void;
export function useEvent(type: string, handler: (data: any, message: Message) => unknown): void {
  const client = useClient();
  const latest = useLatest(handler);
  useEffect(() => client.on(type, (data: unknown, message: Message) => latest.current(data, message)), [client, type, latest]);
}
