/**
 * React hooks for Openline. They hold no connection of their own: a client made by `createClient` and given to
 * `OpenlineProvider` does. `useWebSocket` is the exception: a plain WebSocket that needs no provider.
 * @module
 */
export { OpenlineProvider, useClient, type OpenlineProviderProps } from "./provider.js";
export { useChannel, useChannelReducer, type ChannelView, type UseChannelOptions } from "./use-channel.js";
export { useEvent } from "./use-event.js";
export { usePresence, type UsePresenceOptions } from "./use-presence.js";
export { useMutation, useRequest, type RequestState, type UseRequestOptions } from "./use-request.js";
export { useStatus } from "./use-status.js";
export { useWebSocket, type UseWebSocketOptions, type WebSocketStatus, type WebSocketView } from "./use-web-socket.js";
