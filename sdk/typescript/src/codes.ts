// Generated from spec/codes.toml by `cargo run -p tidy --bin codes`; do not edit.

/** What was wrong, for programs. */
export const ErrorCode = {
  /** The message is not one JSON value. */
  InvalidJson: "invalid_json",
  /** The message is not one MessagePack value, or holds something JSON cannot carry. */
  InvalidMsgpack: "invalid_msgpack",
  /** The message is well formed, but a field is missing, has the wrong type or breaks a limit. */
  BadRequest: "bad_request",
  /** The request asks for a WebSocket and breaks a rule of its handshake. */
  BadHandshake: "bad_handshake",
  /** Nothing here answers to this `type`. */
  UnknownType: "unknown_type",
  /** The name of the channel breaks a rule. */
  BadChannel: "bad_channel",
  /** The position is not one that this server wrote. */
  BadPosition: "bad_position",
  /** The event has the name of a built-in type. */
  ReservedEvent: "reserved_event",
  /** This needs authentication, and there was none. */
  Unauthorized: "unauthorized",
  /** The token or key was not accepted. */
  AuthFailed: "auth_failed",
  /** The token is past its time. */
  TokenExpired: "token_expired",
  /** Who asks is known, and may not do this. */
  Forbidden: "forbidden",
  /** The `Host` header names another machine than this one. */
  HostNotAllowed: "host_not_allowed",
  /** A page of an origin that is not allowed tried to open a line. */
  OriginNotAllowed: "origin_not_allowed",
  /** The application refused the request with a sentence of its own; the status is its choice too. */
  Rejected: "rejected",
  /** There is nothing of this name. */
  NotFound: "not_found",
  /** No namespace is configured for what stands before the first `:` of the channel. */
  UnknownNamespace: "unknown_namespace",
  /** The session that an SSE or polling request names has ended. */
  UnknownSession: "unknown_session",
  /** The path does not take this HTTP method. */
  MethodNotAllowed: "method_not_allowed",
  /** This needs a subscription to the channel on the same line. */
  NotSubscribed: "not_subscribed",
  /** This line has a subscription to the channel already. */
  AlreadySubscribed: "already_subscribed",
  /** The channel keeps no history. */
  NoHistory: "no_history",
  /** The channel keeps no presence. */
  NoPresence: "no_presence",
  /** Another poll of this session waits for its answer. */
  SessionBusy: "session_busy",
  /** Another message was published under this `key` within the last 5 minutes, or another file sent under it. */
  IdempotencyConflict: "idempotency_conflict",
  /** The chunk begins beyond what came of the file so far. */
  BadOffset: "bad_offset",
  /** The file is not complete: bytes of it are missing. */
  Incomplete: "incomplete",
  /** The message, one of its parts or the file is longer than the limit. */
  TooLarge: "too_large",
  /** The bytes that came are not those that the client summed up; they were discarded. */
  ChecksumMismatch: "checksum_mismatch",
  /** This is a WebSocket endpoint, and the request is not a handshake of a version it speaks. */
  UpgradeRequired: "upgrade_required",
  /** This line has as many subscriptions as it may have. */
  ChannelLimit: "channel_limit",
  /** This line has as many transfers open, or this user as many bytes stored, as they may have. */
  UploadLimit: "upload_limit",
  /** Too many requests in a short time. */
  RateLimited: "rate_limited",
  /** The head of the HTTP request exceeds its limit. */
  HeadersTooLarge: "headers_too_large",
  /** The server met a bug of its own. */
  Internal: "internal",
  /** The broker between the nodes does not answer. */
  BrokerUnavailable: "broker_unavailable",
  /** The server has as many lines as it may have. */
  ConnectionLimit: "connection_limit",
  /** The server has more to do than it can. */
  Overloaded: "overloaded",
  /** The server stops. */
  ShuttingDown: "shutting_down",
  /** The store could not read or write; the message or chunk was not accepted. */
  StorageFailed: "storage_failed",
  /** A part that this needs is not there now. */
  Unavailable: "unavailable",
  /** There was no answer in time; whether it was done is not known. */
  Timeout: "timeout",
  /** The store has no room left; the message or file was not accepted. */
  StorageFull: "storage_full",
} as const;

/** What was wrong, for programs. */
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** Errors after which the same request may succeed later without being changed. */
export const RETRYABLE: ReadonlySet<string> = new Set<ErrorCode>([
  "session_busy",
  "rate_limited",
  "broker_unavailable",
  "connection_limit",
  "overloaded",
  "shutting_down",
  "storage_failed",
  "unavailable",
  "timeout",
  "storage_full",
]);

/** Why messages after a position cannot be given. */
export const Reason = {
  /** Messages after the position are older than the channel keeps them. */
  Expired: "expired",
  /** The channel keeps fewer messages than were published after the position. */
  Trimmed: "trimmed",
  /** The stream was started anew after the position was given. */
  Epoch: "epoch",
  /** The position is of a line of messages that this store does not have, as after a restored backup. */
  Fork: "fork",
  /** More messages are missing than are given at one time. */
  Limit: "limit",
  /** The store could not be read. */
  Storage: "storage",
} as const;

/** Why messages after a position cannot be given. */
export type Reason = (typeof Reason)[keyof typeof Reason];

/** The built-in types. No event may have one of these names. */
export const BUILT_IN_TYPES: ReadonlySet<string> = new Set([
  "auth",
  "auth_failed",
  "auth_success",
  "cancel",
  "chunk",
  "close",
  "complete",
  "drain",
  "error",
  "history",
  "ping",
  "pong",
  "presence",
  "publish",
  "published",
  "setPresence",
  "subscribe",
  "subscribed",
  "typing",
  "unrecovered",
  "unsubscribe",
  "unsubscribed",
  "upload",
  "welcome",
]);

/** Close codes that a server sends. */
export const CloseCode = {
  /** The line has done its work. */
  Normal: 1000,
  /** The server stops, or the page goes away. */
  GoingAway: 1001,
  /** The other side broke the WebSocket protocol. */
  ProtocolError: 1002,
  /** Text where only binary messages are taken, or the reverse. */
  UnsupportedData: 1003,
  /** Text that is not UTF-8, or data that does not inflate. */
  InvalidData: 1007,
  /** A rule was broken that has no code of its own. */
  PolicyViolation: 1008,
  /** A message longer than the limit. */
  MessageTooBig: 1009,
  /** An extension that the client needs was not agreed to. */
  ExtensionRequired: 1010,
  /** The server met a bug of its own. */
  InternalError: 1011,
  /** The server restarts. */
  ServiceRestart: 1012,
  /** The server is overloaded. */
  TryAgainLater: 1013,
  /** The token is past its time. */
  SessionExpired: 4000,
  /** Another line of the same client took over. */
  Duplicate: 4001,
  /** The token was not accepted. */
  InvalidAuth: 4002,
  /** Too many requests or lines in a short time. */
  RateLimited: 4003,
  /** The service is closed for maintenance. */
  Maintenance: 4004,
  /** An operator or the application ended the line. */
  Kicked: 4005,
  /** The client did not keep up with what was sent. */
  SlowConsumer: 4006,
  /** The endpoint demands authentication, and there was none in time. */
  NoAuthentication: 4007,
} as const;

/**
 * What a client does about a line that the server ended:
 * `retry`: connect again after a random time whose bound grows.
 * `retry_later`: show the reason and connect again after `retryAfter`, or after 30 seconds if there was none.
 * `new_token`: ask for a new token and connect again once at once; if that fails too, as for `retry`.
 * `stop`: do not connect again; show the reason.
 */
export type ClosePolicy = "retry" | "retry_later" | "new_token" | "stop";

const POLICIES: ReadonlyMap<number, ClosePolicy> = new Map<number, ClosePolicy>([
  [1000, "stop"],
  [1001, "retry"],
  [1002, "stop"],
  [1003, "stop"],
  [1007, "stop"],
  [1008, "stop"],
  [1009, "stop"],
  [1010, "stop"],
  [1011, "retry"],
  [1012, "retry"],
  [1013, "retry_later"],
  [4000, "new_token"],
  [4001, "stop"],
  [4002, "stop"],
  [4003, "retry_later"],
  [4004, "retry_later"],
  [4005, "stop"],
  [4006, "retry"],
  [4007, "retry"],
]);

/** What a client does about a line that ended with this code, or without one. */
export function closePolicy(code?: number): ClosePolicy {
  return (code === undefined ? undefined : POLICIES.get(code)) ?? "retry";
}
