//! What clients send by requests of their own rather than on the line that they read.

use std::sync::Arc;

use openline_protocol::{Command, ErrorCode, Fault, Id, Request};

use super::{Arrival, Beginning, Session};
use crate::exchange::{CHANNELS_MAX, Line, Mailbox};
use crate::node::Node;
use crate::shard::Shard;

/// Where the answer to a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It is put into the mailbox that came with the request, perhaps later.
    Apart,
    /// On the line, in order with what it changes there.
    OnLine,
}

impl Session {
    /// What a request of its own asks for, of a session that goes on.
    pub(crate) async fn handle_apart(
        &mut self,
        request: Request,
        answer: &Arc<Mailbox>,
    ) -> Answered {
        let fault = self.check_channel_count(&request.command).err();
        if fault.is_none() && changes_line(&request.command) {
            self.handle(request).await;
            return Answered::OnLine;
        }
        let line = std::mem::replace(&mut self.line, Line::Mailbox(answer.clone()));
        match fault {
            Some(fault) => self.refuse(fault.with_id(request.id)),
            None => self.handle_answering(request).await,
        }
        self.line = line;
        if let Some(ending) = answer.end() {
            // It asked for too much.
            self.line.end(ending);
        }
        Answered::Apart
    }

    /// A session of one request.
    pub(crate) fn open_alone(node: &Arc<Node>, shard: &Arc<Shard>, arrival: Arrival) -> Self {
        Self::begin_session(node, shard, arrival, Beginning::Alone)
    }

    /// What the request of such a session asks for.
    pub(crate) async fn handle_alone(&mut self, request: Request) {
        match needs_line(&request.command) {
            true => self.refuse(no_line().with_id(request.id)),
            false => self.handle_answering(request).await,
        }
    }

    async fn handle_answering(&mut self, request: Request) {
        self.answers_all = true;
        self.handle(request).await;
        self.answers_all = false;
    }

    /// Whether a request is answered when nothing went wrong.
    pub(super) fn is_answered(&self, id: Option<&Id>) -> bool {
        id.is_some() || self.answers_all
    }

    /// The positions of all channels go out with each message.
    fn check_channel_count(&self, command: &Command) -> Result<(), Fault> {
        let Command::Subscribe { channels } = command else { return Ok(()) };
        let subscribed = self.shard.hub().subscription_count(self.key);
        if subscribed + channels.len() <= CHANNELS_MAX {
            return Ok(());
        }
        let message = format!("{CHANNELS_MAX} channels per stream; open another for more");
        Err(Fault::new(ErrorCode::ChannelLimit, message))
    }
}

/// Whether what follows on the line depends on it.
fn changes_line(command: &Command) -> bool {
    matches!(
        command,
        Command::Auth { .. } | Command::Subscribe { .. } | Command::Unsubscribe { .. }
    )
}

/// Whether it means nothing without subscriptions.
fn needs_line(command: &Command) -> bool {
    changes_line(command) || matches!(command, Command::SetPresence { .. } | Command::Typing { .. })
}

fn no_line() -> Fault {
    let message = "this needs an open stream: open one with the channels, and send its session";
    Fault::new(ErrorCode::UnknownSession, message)
}
