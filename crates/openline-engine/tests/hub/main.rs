//! The hub: who gets what in a turn, who falls behind, and how it catches up.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

mod lagging;
mod sessions;
mod turns;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytestring::ByteString;
use openline_engine::{
    Broadcast, Delivery, Encoding, Hub, Outlet, Post, SessionKey, SubscriptionKey, Turn, Typing,
};
use openline_protocol::{ChannelName, Data, Member, Position, Publication};

type Line = &'static str;

/// Writes down what each line gets.
#[derive(Default)]
struct Written {
    got: BTreeMap<Line, Vec<String>>,
    full: Vec<Line>,
    encoded: Vec<(Encoding, usize)>,
    /// Each delivery, with whether it was the line's last in the turn.
    deliveries: Vec<(Line, bool)>,
}

impl Outlet<Line> for Written {
    type Batch = Vec<String>;

    fn encode(
        &mut self,
        encoding: Encoding,
        turn: &Turn<'_>,
        broadcasts: &[&Broadcast],
    ) -> Vec<String> {
        assert!(broadcasts.len() <= turn.posts.len());
        self.encoded.push((encoding, broadcasts.len()));
        broadcasts.iter().map(|broadcast| text(broadcast)).collect()
    }

    fn deliver(&mut self, line: &Line, batch: &Vec<String>, last: bool) -> Delivery {
        self.deliveries.push((line, last));
        if self.full.contains(line) {
            return Delivery::Full;
        }
        self.got.entry(line).or_default().extend(batch.iter().cloned());
        Delivery::Taken
    }
}

fn text(broadcast: &Broadcast) -> String {
    match broadcast {
        Broadcast::Publication(publication) => match &publication.data {
            Data::Json(text) => text.to_string(),
            Data::Binary(_) => "bytes".to_owned(),
        },
        Broadcast::Presence(_) => "presence".to_owned(),
        Broadcast::Typing(typing) => format!("{} types", typing.member.client_id),
        Broadcast::Event(event) => event.event.to_string(),
    }
}

fn drain(hub: &mut Hub<Line>) -> Written {
    let mut written = Written::default();
    hub.drain_turn(&mut written);
    written
}

fn name(channel: &str) -> ChannelName {
    ChannelName::new(channel).unwrap()
}

/// The position of an entry whose tag is ten times its offset.
fn at(offset: u64) -> Position {
    Position { epoch: 1, offset, tag: offset * 10 }
}

fn post(hub: &mut Hub<Line>, channel: &str, offset: u64) {
    post_at(hub, channel, at(offset), (offset - 1) * 10);
}

fn post_at(hub: &mut Hub<Line>, channel: &str, position: Position, prev_tag: u64) {
    let publication = Publication {
        channel: name(channel),
        event: None,
        data: Data::Json(ByteString::from(position.offset.to_string())),
        position: Some(position),
        prev_tag,
        timestamp: 0,
        from: None,
    };
    let broadcast = Broadcast::Publication(Arc::new(publication));
    hub.post(&name(channel), Post { broadcast, except: None });
}

fn types(hub: &mut Hub<Line>, channel: &str, client: &str, except: Option<&str>) {
    let client_id = client.into();
    let member = Member { client_id, user: None, info: None, status: None, data: None };
    let typing = Typing { channel: name(channel), member, is_typing: true };
    let broadcast = Broadcast::Typing(Arc::new(typing));
    hub.post(&name(channel), Post { broadcast, except: except.map(Into::into) });
}

fn open(hub: &mut Hub<Line>, line: Line, encoding: Encoding) -> SessionKey {
    hub.open(line, line.into(), encoding)
}

/// A session whose subscription is live behind `head`.
fn live(
    hub: &mut Hub<Line>,
    line: Line,
    channel: &str,
    head: Option<Position>,
) -> (SessionKey, SubscriptionKey) {
    let session = open(hub, line, 0);
    let subscription = hub.subscribe(session, &name(channel)).unwrap();
    assert_eq!(hub.go_live(subscription, head), openline_engine::GoLive::Live);
    (session, subscription)
}
