//! Publishing, and asking the backend.

use std::sync::Arc;

use bytestring::ByteString;
use openline_engine::{Draft, History};
use openline_protocol::{Data, ErrorCode, Fault, Id, Publish, Reply, Sender};

use super::Session;
use crate::broker::{Answer, BrokerError, Published};
use crate::exchange::{Line, history};
use crate::metrics::Metrics;
use crate::node::{Asking, Node};
use crate::reload::Settings;
use crate::webhook::QuestionKind;

/// Publications of one line that may wait for their acks. Beyond it the line is not read from.
const IN_FLIGHT_MAX: usize = 256;

impl Session {
    /// `publish`. The order of the line's publications is that in which it sent them; the acks come
    /// when each is as safe as the server promises, and the next are taken meanwhile.
    pub(super) async fn publish(
        &mut self,
        publish: Publish,
        id: Option<&Id>,
        settings: &Settings,
    ) -> Result<(), Fault> {
        self.may_publish(&publish.channel, settings)?;
        let data = match settings.asks_about(QuestionKind::Publish) {
            true => {
                let asking = self.asking();
                let asked = self.node.ask_about_publish(settings, &asking, &publish);
                Box::pin(asked).await?.unwrap_or(publish.data)
            }
            false => publish.data,
        };
        let namespace = settings.namespace(&publish.channel)?;
        let from = namespace
            .from
            .then(|| Sender { client_id: self.client.clone(), user: self.user().cloned() });
        let history = match publish.volatile {
            true => History { size: 0, ttl_ms: 0 },
            false => history(namespace),
        };
        let draft = Draft {
            channel: publish.channel,
            event: publish.event,
            data,
            from,
            key: publish.key,
            history,
        };
        let except = (!publish.echo).then(|| self.client.clone());
        let answer = self.node.exchange.publish(draft, except);
        let is_wanted = self.is_answered(id);
        let in_flight = self.in_flight.get_or_insert_default();
        let acknowledge = Acknowledge {
            line: self.line.clone(),
            is_wanted,
            id: id.cloned(),
            node: self.node.clone(),
            _in_flight: in_flight.clone(),
        };
        match answer.try_now() {
            Ok(result) => acknowledge.tell(result),
            Err(answer) if Arc::strong_count(in_flight) > IN_FLIGHT_MAX => {
                acknowledge.tell(answer.await);
            }
            Err(answer) => drop(tokio::spawn(acknowledge.when_ready(answer))),
        }
        Ok(())
    }
}

/// The ack that a publication waits for.
struct Acknowledge {
    line: Line,
    is_wanted: bool,
    id: Option<Id>,
    node: Arc<Node>,
    _in_flight: Arc<()>,
}

impl Acknowledge {
    async fn when_ready(self, answer: Answer<Published>) {
        let result = answer.await;
        self.tell(result);
    }

    fn tell(self, result: Result<Published, BrokerError>) {
        self.node.metrics.published(result.as_ref().map(|published| published.duplicate));
        match result {
            Ok(published) => {
                if self.is_wanted {
                    self.line.reply(&Reply::Published {
                        id: self.id.as_ref(),
                        position: published.position,
                        duplicate: published.duplicate,
                        level: self.node.level(published.position),
                        timestamp: published.timestamp,
                    });
                }
            }
            Err(error) => {
                let fault = error.fault().with_id(self.id);
                self.node.metrics.refused(fault.code);
                self.line.reply(&Reply::Error(&fault));
            }
        }
    }
}

/// A type that is not built in.
pub(super) fn unknown_type(kind: &str) -> Fault {
    let shown: String = kind.escape_debug().take(64).collect();
    let near = Metrics::kinds().iter().find(|near| strsim::damerau_levenshtein(near, &shown) <= 2);
    let hint = match near {
        Some(near) => format!("did you mean {near}?"),
        None => "to send it to a channel, publish it as the event".to_owned(),
    };
    Fault::new(ErrorCode::UnknownType, format!("unknown type {shown}; {hint}"))
}

impl Session {
    /// A type that is not built in: the backend answers, where there is one.
    pub(super) async fn ask_backend(
        &self,
        kind: &ByteString,
        data: Option<Data>,
        id: Option<&Id>,
    ) -> Result<(), Fault> {
        let settings = &self.node.settings();
        if !settings.asks_about(QuestionKind::Request) {
            return Err(unknown_type(kind));
        }
        let asking = self.asking();
        let data = self.node.ask_about_request(settings, &asking, kind, data.as_ref()).await?;
        // Without an id nobody waits for it.
        if self.is_answered(id) {
            self.reply(&Reply::Answer { id, kind, data: &data });
        }
        Ok(())
    }

    pub(super) fn asking(&self) -> Asking<'_> {
        Asking { client: &self.client, user: self.user().map(|user| &**user) }
    }
}
