//! Error codes, close codes and reasons.
//!
//! Generated from spec/codes.toml by `cargo run -p tidy --bin codes`; do not edit.

/// What was wrong, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The message is not one JSON value.
    InvalidJson,
    /// The message is not one MessagePack value, or holds something JSON cannot carry.
    InvalidMsgpack,
    /// The message is well formed, but a field is missing, has the wrong type or breaks a limit.
    BadRequest,
    /// The request asks for a WebSocket and breaks a rule of its handshake.
    BadHandshake,
    /// Nothing here answers to this `type`.
    UnknownType,
    /// The name of the channel breaks a rule.
    BadChannel,
    /// The position is not one that this server wrote.
    BadPosition,
    /// The event has the name of a built-in type.
    ReservedEvent,
    /// This needs authentication, and there was none.
    Unauthorized,
    /// The token or key was not accepted.
    AuthFailed,
    /// The token is past its time.
    TokenExpired,
    /// Who asks is known, and may not do this.
    Forbidden,
    /// The `Host` header names another machine than this one.
    HostNotAllowed,
    /// A page of an origin that is not allowed tried to open a line.
    OriginNotAllowed,
    /// The application refused the request with a sentence of its own; the status is its choice
    /// too.
    Rejected,
    /// There is nothing of this name.
    NotFound,
    /// No namespace is configured for what stands before the first `:` of the channel.
    UnknownNamespace,
    /// The session that an SSE or polling request names has ended.
    UnknownSession,
    /// The path does not take this HTTP method.
    MethodNotAllowed,
    /// This needs a subscription to the channel on the same line.
    NotSubscribed,
    /// This line has a subscription to the channel already.
    AlreadySubscribed,
    /// The channel keeps no history.
    NoHistory,
    /// The channel keeps no presence.
    NoPresence,
    /// Another poll of this session waits for its answer.
    SessionBusy,
    /// Another message was published under this `key` within the last 5 minutes, or another file
    /// sent under it.
    IdempotencyConflict,
    /// The chunk begins beyond what came of the file so far.
    BadOffset,
    /// The file is not complete: bytes of it are missing.
    Incomplete,
    /// The message, one of its parts or the file is longer than the limit.
    TooLarge,
    /// The bytes that came are not those that the client summed up; they were discarded.
    ChecksumMismatch,
    /// This is a WebSocket endpoint, and the request is not a handshake of a version it speaks.
    UpgradeRequired,
    /// This line has as many subscriptions as it may have.
    ChannelLimit,
    /// This line has as many transfers open, or this user as many bytes stored, as they may have.
    UploadLimit,
    /// Too many requests in a short time.
    RateLimited,
    /// The head of the HTTP request exceeds its limit.
    HeadersTooLarge,
    /// The server met a bug of its own.
    Internal,
    /// The broker between the nodes does not answer.
    BrokerUnavailable,
    /// The server has as many lines as it may have.
    ConnectionLimit,
    /// The server has more to do than it can.
    Overloaded,
    /// The server stops.
    ShuttingDown,
    /// The store could not read or write; the message or chunk was not accepted.
    StorageFailed,
    /// A part that this needs is not there now.
    Unavailable,
    /// There was no answer in time; whether it was done is not known.
    Timeout,
    /// The store has no room left; the message or file was not accepted.
    StorageFull,
}

impl ErrorCode {
    /// All there are.
    pub const ALL: &[Self] = &[
        Self::InvalidJson,
        Self::InvalidMsgpack,
        Self::BadRequest,
        Self::BadHandshake,
        Self::UnknownType,
        Self::BadChannel,
        Self::BadPosition,
        Self::ReservedEvent,
        Self::Unauthorized,
        Self::AuthFailed,
        Self::TokenExpired,
        Self::Forbidden,
        Self::HostNotAllowed,
        Self::OriginNotAllowed,
        Self::Rejected,
        Self::NotFound,
        Self::UnknownNamespace,
        Self::UnknownSession,
        Self::MethodNotAllowed,
        Self::NotSubscribed,
        Self::AlreadySubscribed,
        Self::NoHistory,
        Self::NoPresence,
        Self::SessionBusy,
        Self::IdempotencyConflict,
        Self::BadOffset,
        Self::Incomplete,
        Self::TooLarge,
        Self::ChecksumMismatch,
        Self::UpgradeRequired,
        Self::ChannelLimit,
        Self::UploadLimit,
        Self::RateLimited,
        Self::HeadersTooLarge,
        Self::Internal,
        Self::BrokerUnavailable,
        Self::ConnectionLimit,
        Self::Overloaded,
        Self::ShuttingDown,
        Self::StorageFailed,
        Self::Unavailable,
        Self::Timeout,
        Self::StorageFull,
    ];

    /// As it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidMsgpack => "invalid_msgpack",
            Self::BadRequest => "bad_request",
            Self::BadHandshake => "bad_handshake",
            Self::UnknownType => "unknown_type",
            Self::BadChannel => "bad_channel",
            Self::BadPosition => "bad_position",
            Self::ReservedEvent => "reserved_event",
            Self::Unauthorized => "unauthorized",
            Self::AuthFailed => "auth_failed",
            Self::TokenExpired => "token_expired",
            Self::Forbidden => "forbidden",
            Self::HostNotAllowed => "host_not_allowed",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::Rejected => "rejected",
            Self::NotFound => "not_found",
            Self::UnknownNamespace => "unknown_namespace",
            Self::UnknownSession => "unknown_session",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotSubscribed => "not_subscribed",
            Self::AlreadySubscribed => "already_subscribed",
            Self::NoHistory => "no_history",
            Self::NoPresence => "no_presence",
            Self::SessionBusy => "session_busy",
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::BadOffset => "bad_offset",
            Self::Incomplete => "incomplete",
            Self::TooLarge => "too_large",
            Self::ChecksumMismatch => "checksum_mismatch",
            Self::UpgradeRequired => "upgrade_required",
            Self::ChannelLimit => "channel_limit",
            Self::UploadLimit => "upload_limit",
            Self::RateLimited => "rate_limited",
            Self::HeadersTooLarge => "headers_too_large",
            Self::Internal => "internal",
            Self::BrokerUnavailable => "broker_unavailable",
            Self::ConnectionLimit => "connection_limit",
            Self::Overloaded => "overloaded",
            Self::ShuttingDown => "shutting_down",
            Self::StorageFailed => "storage_failed",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::StorageFull => "storage_full",
        }
    }

    /// The status of an HTTP answer that carries it.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::InvalidJson
            | Self::InvalidMsgpack
            | Self::BadRequest
            | Self::BadHandshake
            | Self::UnknownType
            | Self::BadChannel
            | Self::BadPosition
            | Self::ReservedEvent => 400,
            Self::Unauthorized | Self::AuthFailed | Self::TokenExpired => 401,
            Self::Forbidden | Self::HostNotAllowed | Self::OriginNotAllowed | Self::Rejected => 403,
            Self::NotFound | Self::UnknownNamespace | Self::UnknownSession => 404,
            Self::MethodNotAllowed => 405,
            Self::NotSubscribed
            | Self::AlreadySubscribed
            | Self::NoHistory
            | Self::NoPresence
            | Self::SessionBusy
            | Self::IdempotencyConflict
            | Self::BadOffset
            | Self::Incomplete => 409,
            Self::TooLarge => 413,
            Self::ChecksumMismatch => 422,
            Self::UpgradeRequired => 426,
            Self::ChannelLimit | Self::UploadLimit | Self::RateLimited => 429,
            Self::HeadersTooLarge => 431,
            Self::Internal => 500,
            Self::BrokerUnavailable
            | Self::ConnectionLimit
            | Self::Overloaded
            | Self::ShuttingDown
            | Self::StorageFailed
            | Self::Unavailable => 503,
            Self::Timeout => 504,
            Self::StorageFull => 507,
        }
    }

    /// Whether the same request may succeed later without being changed.
    pub const fn retryable(self) -> bool {
        match self {
            Self::SessionBusy
            | Self::RateLimited
            | Self::BrokerUnavailable
            | Self::ConnectionLimit
            | Self::Overloaded
            | Self::ShuttingDown
            | Self::StorageFailed
            | Self::Unavailable
            | Self::Timeout
            | Self::StorageFull => true,
            Self::InvalidJson
            | Self::InvalidMsgpack
            | Self::BadRequest
            | Self::BadHandshake
            | Self::UnknownType
            | Self::BadChannel
            | Self::BadPosition
            | Self::ReservedEvent
            | Self::Unauthorized
            | Self::AuthFailed
            | Self::TokenExpired
            | Self::Forbidden
            | Self::HostNotAllowed
            | Self::OriginNotAllowed
            | Self::Rejected
            | Self::NotFound
            | Self::UnknownNamespace
            | Self::UnknownSession
            | Self::MethodNotAllowed
            | Self::NotSubscribed
            | Self::AlreadySubscribed
            | Self::NoHistory
            | Self::NoPresence
            | Self::IdempotencyConflict
            | Self::BadOffset
            | Self::Incomplete
            | Self::TooLarge
            | Self::ChecksumMismatch
            | Self::UpgradeRequired
            | Self::ChannelLimit
            | Self::UploadLimit
            | Self::HeadersTooLarge
            | Self::Internal => false,
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for ErrorCode {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(UnknownCode)
    }
}

/// Why messages after a position cannot be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Messages after the position are older than the channel keeps them.
    Expired,
    /// The channel keeps fewer messages than were published after the position.
    Trimmed,
    /// The stream was started anew after the position was given.
    Epoch,
    /// The position is of a line of messages that this store does not have, as after a restored
    /// backup.
    Fork,
    /// More messages are missing than are given at one time.
    Limit,
    /// The store could not be read.
    Storage,
}

impl Reason {
    /// All there are.
    pub const ALL: &[Self] =
        &[Self::Expired, Self::Trimmed, Self::Epoch, Self::Fork, Self::Limit, Self::Storage];

    /// As it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Trimmed => "trimmed",
            Self::Epoch => "epoch",
            Self::Fork => "fork",
            Self::Limit => "limit",
            Self::Storage => "storage",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Reason {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text).ok_or(UnknownCode)
    }
}

/// The text is none of the codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownCode;

impl std::fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a code of protocol v1")
    }
}

impl std::error::Error for UnknownCode {}

/// The built-in types. No event may have one of these names.
pub const BUILT_IN_TYPES: &[&str] = &[
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
];

/// Close codes, and what a client does about them.
pub mod close {
    /// What a client does about a line that the server ended.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Policy {
        /// Connect again after a random time whose bound grows.
        Retry,
        /// Show the reason and connect again after `retryAfter`, or after 30 seconds if there was
        /// none.
        RetryLater,
        /// Ask for a new token and connect again once at once; if that fails too, as for `retry`.
        NewToken,
        /// Do not connect again; show the reason.
        Stop,
    }

    /// The line has done its work.
    pub const NORMAL: u16 = 1000;

    /// The server stops, or the page goes away.
    pub const GOING_AWAY: u16 = 1001;

    /// The other side broke the WebSocket protocol.
    pub const PROTOCOL_ERROR: u16 = 1002;

    /// Text where only binary messages are taken, or the reverse.
    pub const UNSUPPORTED_DATA: u16 = 1003;

    /// Text that is not UTF-8, or data that does not inflate.
    pub const INVALID_DATA: u16 = 1007;

    /// A rule was broken that has no code of its own.
    pub const POLICY_VIOLATION: u16 = 1008;

    /// A message longer than the limit.
    pub const MESSAGE_TOO_BIG: u16 = 1009;

    /// An extension that the client needs was not agreed to.
    pub const EXTENSION_REQUIRED: u16 = 1010;

    /// The server met a bug of its own.
    pub const INTERNAL_ERROR: u16 = 1011;

    /// The server restarts.
    pub const SERVICE_RESTART: u16 = 1012;

    /// The server is overloaded.
    pub const TRY_AGAIN_LATER: u16 = 1013;

    /// The token is past its time.
    pub const SESSION_EXPIRED: u16 = 4000;

    /// Another line of the same client took over.
    pub const DUPLICATE: u16 = 4001;

    /// The token was not accepted.
    pub const INVALID_AUTH: u16 = 4002;

    /// Too many requests or lines in a short time.
    pub const RATE_LIMITED: u16 = 4003;

    /// The service is closed for maintenance.
    pub const MAINTENANCE: u16 = 4004;

    /// An operator or the application ended the line.
    pub const KICKED: u16 = 4005;

    /// The client did not keep up with what was sent.
    pub const SLOW_CONSUMER: u16 = 4006;

    /// The endpoint demands authentication, and there was none in time.
    pub const NO_AUTHENTICATION: u16 = 4007;

    /// What a client does about a line that ended with this code, or without one.
    pub const fn policy(code: Option<u16>) -> Policy {
        match code {
            Some(1013 | 4003..=4004) => Policy::RetryLater,
            Some(4000) => Policy::NewToken,
            Some(1000 | 1002..=1003 | 1007..=1010 | 4001..=4002 | 4005) => Policy::Stop,
            _ => Policy::Retry,
        }
    }
}
