//! The demo's chat: at `/chat` for pages that know no more than `JSON.parse`, and for clients of
//! Socket.IO, in the same rooms.
//!
//! It is written with [`app`](crate::app) as any server's own logic is; only where it is put up, here,
//! it takes what the builder takes.

mod history;
mod member;
mod page;
mod parameters;
mod rooms;
mod socket;

use crate::app::{Doors, EndpointOptions, Wire};
use crate::config::Config;

/// Its rooms are channels of this namespace.
const NAMESPACE: &str = "chat";

/// The subprotocols that are taken, the best first.
const PROTOCOLS: [&str; 4] = ["chat-v2", "chat-v1", "chat", "v2"];

/// What may wait for a line that does not keep up: the longest history and list, and some more.
const QUEUE_BYTES_MAX: usize = 4 << 20;

/// The configuration with a namespace for the chat's rooms, where it has none and only those that it
/// has are known.
pub(crate) fn with_namespace(mut config: Config) -> Config {
    if config.demo && config.namespace_of(NAMESPACE).is_none() {
        let like = config.namespace.default.clone();
        config.namespace.named.insert(NAMESPACE.to_owned(), like);
    }
    config
}

/// Puts it up behind what is there.
pub(crate) fn serve(doors: &mut Doors) {
    let handlers = page::handlers();
    for path in ["/chat", "/chat/{room}"] {
        let options = EndpointOptions::new()
            .protocols(PROTOCOLS)
            .repeat_under_data()
            .without_presence()
            .open_to_all()
            .queue_bytes_max(QUEUE_BYTES_MAX);
        doors.serve_endpoint(path, Wire::Plain, handlers.clone(), options);
    }
    if doors.namespace("/").is_none() {
        doors.serve_namespace("/", socket::handlers());
    }
}
