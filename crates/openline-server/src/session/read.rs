//! `history`.

use openline_engine::Query;
use openline_protocol::{ErrorCode, Fault, HistoryQuery, Id, Reason, Reply};

use super::Session;
use crate::auth::Action;
use crate::exchange::PAGE;
use crate::reload::Settings;

/// Publications in an answer, unless the client asks for another number.
const LIMIT: usize = 100;

impl Session {
    pub(super) async fn history(
        &mut self,
        asked: HistoryQuery,
        id: Option<&Id>,
        settings: &Settings,
    ) -> Result<(), Fault> {
        let channel = asked.channel.clone();
        self.may_read(&channel, Action::History, settings)?;
        let page = self.node.exchange.query(&channel, &query(&asked), &PAGE).await;
        let page = page.map_err(|error| error.fault())?.map_err(no_such_position)?;
        self.reply(&Reply::History {
            id,
            channel: &channel,
            messages: &page.publications,
            position: Some(page.head),
            more: page.more,
        });
        Ok(())
    }
}

/// What the broker is asked.
pub(crate) fn query(asked: &HistoryQuery) -> Query {
    Query {
        since: asked.since,
        before: asked.before,
        since_time: asked.since_time,
        limit: Some(asked.limit.map_or(LIMIT, |limit| limit as usize)),
        reverse: asked.reverse,
    }
}

/// What a position names is not there.
pub(crate) fn no_such_position(reason: Reason) -> Fault {
    let message = format!("what follows this position cannot be had: {}", reason.as_str());
    Fault::new(ErrorCode::BadPosition, message)
}
