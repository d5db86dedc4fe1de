//! Socket.IO v5 on Engine.IO v4.
//!
//! A connection (`engine`) carries packets (`packet`). `connection` reads them: a client that asks for
//! a namespace gets a [`Socket`] there (`connect`), which is a session like any other; its events go to
//! the handlers of the namespace, and what its rooms get comes to it as events (`broadcast`).
//!
//! # Coming back
//! Each event that a socket is sent carries a number, an offset, as its last argument, whatever the
//! event is: so what the client remembers as its offset is always one. The numbers are those of the
//! thread's [`Journal`](openline_engine::Journal). A socket whose connection is lost stays for two
//! minutes in its rooms; when its client comes back (`returning`) it gets what the journal says that it
//! missed, and goes on.
//!
//! *Invariant:* what is written into the journal is handed to the sockets under the journal's lock.
//! Who needs both holds the lock of the hub first.

mod bare;
mod broadcast;
mod connect;
mod connection;
pub(crate) mod engine;
mod packet;
mod returning;
mod socket;

use std::sync::Arc;

use engine::{Message, Mounts};
use openline_engine::{Encoding, JournalLimits};

use crate::app::{Doors, Wire};
use crate::config::{Config, SocketIo};

pub(crate) use broadcast::messages;
pub(crate) use socket::Socket;

/// Where Socket.IO clients come.
const PATH: &str = "/socket.io/";

/// How the sockets of the first namespace read; those of the others follow.
pub(crate) const FIRST_ENCODING: Encoding = 16;

/// Namespaces, of which each is an encoding.
pub(crate) const NAMESPACES_MAX: usize = 128;

/// What was handed to the sockets of a thread.
pub(crate) type Journal = openline_engine::Journal<Arc<[Message]>>;

/// What a thread's journal keeps: what a client may miss until its connection is known to be dead,
/// and as long again as it is waited for.
pub(crate) const JOURNAL: JournalLimits =
    JournalLimits { bytes_max: 16 << 20, age_max_ms: 240_000 };

/// The paths on which Socket.IO clients come.
pub(crate) fn mounts(config: &Config, doors: &Doors) -> Mounts {
    let mut mounts = Mounts::default();
    if !doors.namespaces.is_empty() {
        let gateway = connection::Gateway::new(&config.socketio);
        mounts.add(PATH, engine_options(config), config, Arc::new(gateway));
    }
    let bare = doors.endpoints.iter().filter(|endpoint| endpoint.wire == Wire::EngineIo);
    for endpoint in bare {
        let options = engine_options(config);
        mounts.add(endpoint.path(), options, config, Arc::new(bare::Bare(endpoint.clone())));
    }
    mounts
}

/// How connections are kept.
pub(crate) fn engine_options(config: &Config) -> engine::Options {
    let settings = &config.socketio;
    engine::Options {
        ping_interval: settings.ping_interval,
        ping_timeout: settings.ping_timeout,
        payload_bytes_max: payload_bytes_max(settings),
        ..engine::Options::default()
    }
}

fn payload_bytes_max(settings: &SocketIo) -> usize {
    usize::try_from(settings.message.bytes()).unwrap_or(usize::MAX)
}
