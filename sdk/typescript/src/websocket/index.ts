export { MaxRetriesReachedEvent, ReconnectingEvent } from "./events.js";
export type { Address, AddressRequest, HeartbeatMessage, ReconnectingWebSocketOptions } from "./options.js";
export type { OutboxLimits } from "./outbox.js";
export { ReconnectingWebSocket, type ReconnectingWebSocketEventMap } from "./reconnecting-websocket.js";
