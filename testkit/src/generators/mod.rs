//! Those who publish and subscribe in a run, as the plan says.

mod door;
mod position;
mod publisher;
mod reader;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::history::{Place, Recorder};
use crate::subject::Subject;

pub use publisher::publish;
pub use reader::read;

/// What all of them share.
#[derive(Clone)]
pub struct Shared {
    /// The server under test.
    pub subject: Arc<dyn Subject>,
    /// Where its nodes are.
    pub nodes: Arc<[SocketAddr]>,
    /// Where they write down what happens.
    pub recorder: Arc<Recorder>,
    /// How far readers are.
    pub progress: Arc<Progress>,
    /// True when they are to end.
    pub stop: watch::Receiver<bool>,
}

impl Shared {
    /// Returns when the run is to end.
    async fn stopped(&mut self) {
        // A run that is gone has ended as well.
        let _ = self.stop.wait_for(|stop| *stop).await;
    }
}

/// How far readers are in their channels.
#[derive(Default)]
pub struct Progress {
    at: Mutex<HashMap<(String, String), Option<Place>>>,
}

impl Progress {
    /// Says where a reader is; none while it has no subscription.
    fn set(&self, reader: &str, channel: &str, place: Option<Place>) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.insert((reader.to_owned(), channel.to_owned()), place);
    }

    /// The readers that are not at the head of a channel.
    pub fn behind(&self, heads: &HashMap<String, Option<Place>>) -> Vec<(String, String)> {
        let at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_behind = |((_, channel), place): &(&(String, String), &Option<Place>)| {
            heads.get(channel).is_some_and(|head| head.is_some() && head != *place)
        };
        at.iter().filter(is_behind).map(|(who, _)| who.clone()).collect()
    }
}
