//! What handlers say to clients, on its way to other nodes.

use std::sync::Arc;

use openline_engine::{Broadcast, Event, Typing};
use openline_protocol::{ChannelName, Data, Member};
use serde::{Deserialize, Serialize};

use super::Cluster;
use super::message::Message;
use super::wire::{Name, Payload, Person};

/// Something that is not kept, for those who listen to a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Audible {
    Typing { member: Person, is_typing: bool },
    Event { event: String, data: Payload },
}

/// Whom something is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Addressed {
    pub(crate) namespace: String,
    /// None is everybody.
    pub(crate) rooms: Option<Vec<Name>>,
    pub(crate) clients: Vec<Arc<str>>,
    pub(crate) except_rooms: Vec<Name>,
    pub(crate) except_clients: Vec<Arc<str>>,
}

impl Cluster {
    /// Has the other nodes' subscribers get what is not kept. What changed among the members every
    /// node tells its own.
    pub(crate) fn broadcast(
        &self,
        channel: &ChannelName,
        broadcast: &Broadcast,
        except: Option<&Arc<str>>,
    ) {
        let what = match broadcast {
            Broadcast::Typing(typing) => Audible::Typing {
                member: Person::from(&typing.member),
                is_typing: typing.is_typing,
            },
            Broadcast::Event(event) => {
                Audible::Event { event: event.event.to_string(), data: Payload::from(&event.data) }
            }
            Broadcast::Publication(_) | Broadcast::Presence(_) => return,
        };
        let _ = self.emit(channel, &Message::Broadcast { what, except: except.cloned() });
    }

    /// Hands on what another node said to a channel's subscribers.
    pub(super) fn hear_audible(
        &self,
        channel: ChannelName,
        what: Audible,
        except: Option<Arc<str>>,
    ) {
        if self.interest.is_overloaded(&channel) {
            return;
        }
        let broadcast = match what {
            Audible::Typing { member, is_typing } => Broadcast::Typing(Arc::new(Typing {
                channel: channel.clone(),
                member: Member::from(member),
                is_typing,
            })),
            Audible::Event { event, data } => {
                let (event, data) = (event.into(), Data::from(data));
                Broadcast::Event(Arc::new(Event { event, data }))
            }
        };
        self.interest.post(&channel, broadcast, except);
    }
}
