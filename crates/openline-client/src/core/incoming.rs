//! What the server says.

use std::time::{SystemTime, UNIX_EPOCH};

use bytestring::ByteString;
use openline_protocol::{Data, Format, Id, Message, Welcome};
use openline_ws::Message as Frame;

use super::{CALLS_MAX, Call, Core, UnderWay};
use crate::error::Error;
use crate::machine::Input;

/// What ids of the server's requests begin with.
const SERVER_ID: &str = "s-";

/// The server cannot be talked to on this line.
#[derive(Debug)]
pub(crate) struct Misunderstood {
    /// The close code that it is taken for.
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl Core {
    /// Takes a message of the line of this generation.
    pub(crate) fn handle_frame(
        &mut self,
        now: u64,
        generation: u64,
        frame: Frame,
    ) -> Result<(), Misunderstood> {
        let is_left = self.left.as_ref().is_some_and(|left| left.generation == generation);
        let Some(welcomed) =
            self.link(generation).map(|link| link.welcomed).or(is_left.then_some(true))
        else {
            return Ok(());
        };
        let (format, bytes) = match frame {
            Frame::Text(text) => (Format::Json, text.into_bytes()),
            Frame::Binary(bytes) => (Format::MessagePack, bytes),
        };
        let message = Message::decode(format, &bytes);
        if !welcomed {
            return self.handle_first(now, generation, message);
        }
        let message = message.map_err(|error| Misunderstood {
            code: 1006,
            reason: format!("the server sent what is {error}"),
        })?;
        let retry_spread = match &message {
            Message::Pong { retry_spread_ms, .. } => *retry_spread_ms,
            _ => None,
        };
        if is_left {
            self.handle_left(message);
            return Ok(());
        }
        self.handle_input(now, Input::Heard { generation, retry_spread });
        self.handle_message(now, generation, message);
        Ok(())
    }

    /// A line that was left has nothing to tell but answers.
    fn handle_left(&mut self, message: Message) {
        let Some(number) = message.id().and_then(number) else { return };
        let answer = match message {
            Message::Error { failure, .. } => Err(Error::from(failure)),
            answer => Ok(answer),
        };
        self.queue.answer_before(number, answer);
        if !self.queue.awaits_line_before() {
            self.end_left();
        }
    }

    fn handle_first(
        &mut self,
        now: u64,
        generation: u64,
        message: Result<Message, openline_protocol::DecodeError>,
    ) -> Result<(), Misunderstood> {
        let Ok(Message::Welcome(welcome)) = message else {
            return Err(Misunderstood {
                code: 1002,
                reason:
                    "this is not an Openline server, or not its /ws: what it sent first is not \
                         `welcome` of protocol version 1"
                        .to_owned(),
            });
        };
        self.had_line = true;
        let Welcome { client_id, user, authenticated, channels, .. } = welcome;
        self.identify(generation, client_id, user);
        if let Some(link) = self.link(generation) {
            link.welcomed = true;
            let given = channels.into_iter().filter_map(|given| {
                given.outcome.ok().map(|subscription| (given.channel, subscription.position))
            });
            link.given.extend(given);
        }
        let input = Input::Welcome {
            generation,
            authenticated,
            ping_interval: welcome.ping_interval_ms,
            retry_spread: welcome.retry_spread_ms,
            expires_in: welcome.expires_at.map(until),
        };
        self.handle_input(now, input);
        Ok(())
    }

    fn identify(&mut self, generation: u64, client_id: ByteString, user: Option<ByteString>) {
        let Some(link) = self.link(generation) else { return };
        link.client_id = Some(client_id.clone());
        link.user = user.clone();
        if generation == self.line.generation {
            self.status.send_modify(|status| {
                status.client_id = Some(client_id);
                status.user = user;
            });
        }
    }

    fn handle_message(&mut self, now: u64, generation: u64, message: Message) {
        if let Some(number) = message.id().and_then(number)
            && let Some(what) =
                self.link(generation).and_then(|link| link.under_way.remove(&number))
        {
            return self.handle_own_answer(now, generation, (number, what), message);
        }
        if generation != self.line.generation {
            // A line that is not in use yet has nothing else to tell.
            return;
        }
        match message {
            Message::Subscribed { id: None, channels } => {
                self.handle_subscribed(now, None, channels);
            }
            Message::Unsubscribed { id: None, channels, reason } => {
                self.handle_unsubscribed(channels, reason);
            }
            Message::Close { retry_after_ms: retry_after, .. } => {
                self.handle_input(now, Input::Closing { generation, retry_after });
            }
            Message::Drain { closes_in_ms, retry_after_ms: retry_after } => {
                let closes_in = Some(closes_in_ms);
                self.handle_input(now, Input::Drain { generation, closes_in, retry_after });
            }
            Message::Publication(_)
            | Message::Unrecovered { .. }
            | Message::PresenceChange { .. }
            | Message::Typing { .. } => self.handle_channel_message(message),
            Message::Error { id: Some(id), failure } => {
                if let Some(number) = number(&id) {
                    self.queue.answer(now, number, Err(Error::from(failure)));
                }
            }
            Message::Other { id, kind, data } if is_servers(id.as_ref()) => {
                if self.calls.len() == CALLS_MAX {
                    self.calls.pop_front();
                }
                let data = data.unwrap_or_else(Data::null);
                self.calls.push_back(Call { id, kind, data });
            }
            answer => {
                if let Some(number) = answer.id().and_then(number) {
                    self.queue.answer(now, number, Ok(answer));
                }
            }
        }
    }

    /// The answer to a request of the client's own.
    fn handle_own_answer(
        &mut self,
        now: u64,
        generation: u64,
        (request, what): (u64, UnderWay),
        answer: Message,
    ) {
        match (what, answer) {
            (UnderWay::Auth, Message::AuthSuccess { client_id, user, expires_at, .. }) => {
                self.identify(generation, client_id, user);
                let expires_in = expires_at.map(until);
                self.handle_input(now, Input::Authenticated { generation, expires_in });
            }
            (UnderWay::Auth, Message::AuthFailed { code, reason, .. }) => {
                let (code, reason) = (code.to_string(), reason.to_string());
                self.handle_input(now, Input::AuthFailed { generation, code, reason });
            }
            (UnderWay::Auth, Message::Error { failure, .. }) => {
                let (code, reason) = (failure.code.to_string(), failure.message.to_string());
                self.handle_input(now, Input::AuthFailed { generation, code, reason });
            }
            (UnderWay::Subscribe(_), Message::Subscribed { channels, .. }) => {
                self.handle_subscribed(now, Some(request), channels);
            }
            (UnderWay::Subscribe(names), Message::Error { failure, .. }) => {
                self.not_subscribed(now, request, names, failure);
            }
            (UnderWay::CatchUp(name), Message::History { page, .. }) => {
                self.caught_up(&name, request, page);
            }
            (UnderWay::CatchUp(name), Message::Error { failure, .. }) => {
                self.not_caught_up(&name, request, &failure);
            }
            // An answer of another kind than the request is none.
            _ => {}
        }
    }
}

/// A push has no id; a request of the server's has one of its own kind.
fn is_servers(id: Option<&Id>) -> bool {
    match id {
        None => true,
        Some(Id::Text(text)) => text.starts_with(SERVER_ID),
        Some(Id::Number(_)) => false,
    }
}

/// The number that this client gave a request.
fn number(id: &Id) -> Option<u64> {
    match id {
        Id::Number(number) => number.as_u64(),
        Id::Text(_) => None,
    }
}

/// How long it is, in milliseconds, until a time by the server's clock.
fn until(time: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    time.saturating_sub(now.as_millis() as u64)
}
