//! What the protocol allows at most. A server may allow less, never more.

/// Bytes of a message.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// How deep arrays and objects may be nested in a message, the message itself counted.
pub const DEPTH_MAX: usize = 32;
/// Fields of a message, or of an object with parameters in it. A payload may have more.
pub const FIELDS_MAX: usize = 64;
/// Bytes of a channel's name.
pub const CHANNEL_BYTES_MAX: usize = 255;
/// Channels that one message may name.
pub const CHANNELS_MAX: usize = 128;
/// Bytes of an id that is text.
pub const ID_BYTES_MAX: usize = 64;
/// Bytes of a `type`.
pub const TYPE_BYTES_MAX: usize = 64;
/// Bytes of an event.
pub const EVENT_BYTES_MAX: usize = 64;
/// Bytes of an idempotency key.
pub const KEY_BYTES_MAX: usize = 64;
/// Bytes of a presence status.
pub const STATUS_BYTES_MAX: usize = 64;
/// Bytes of the text that names a transfer.
pub const UPLOAD_BYTES_MAX: usize = 64;
/// Bytes of a file's name.
pub const NAME_BYTES_MAX: usize = 255;
/// Bytes of a file's content type.
pub const CONTENT_TYPE_BYTES_MAX: usize = 127;
/// Bytes of a SHA-256.
pub const SHA256_BYTES: usize = 32;
/// Members of one page of a presence list.
pub const PRESENCE_PAGE_MAX: usize = 1_000;
