//! Asking the backend what may happen.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use bytestring::ByteString;
use openline_protocol::{ChannelName, Data, ErrorCode, Fault, Publish, limits};

use super::Node;
use crate::reload::Settings;
use crate::webhook::{self, Denial, Question, QuestionKind, Verdict};

/// Clients for which the backend is being asked.
#[derive(Debug, Default)]
pub(crate) struct Asked(Mutex<HashMap<Box<str>, usize>>);

/// A question that is not answered yet, until this is dropped.
struct Open<'a> {
    asked: &'a Asked,
    client: &'a str,
}

impl Asked {
    pub(crate) fn is_asked_for(&self, client: &str) -> bool {
        self.clients().contains_key(client)
    }

    fn open<'a>(&'a self, client: &'a str) -> Open<'a> {
        *self.clients().entry(client.into()).or_default() += 1;
        Open { asked: self, client }
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Box<str>, usize>> {
        self.0.lock().expect("nothing under this lock panics")
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut clients = self.asked.clients();
        if let Some(count) = clients.get_mut(self.client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(self.client);
            }
        }
    }
}

/// On whose behalf.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) client: &'a str,
    pub(crate) user: Option<&'a str>,
}

impl Settings {
    /// Whether the backend decides this.
    pub(crate) fn asks_about(&self, kind: QuestionKind) -> bool {
        self.webhooks.as_ref().is_some_and(|webhooks| webhooks.wants(kind))
    }
}

impl Node {
    /// May it subscribe?
    pub(crate) async fn ask_about_subscribe(
        &self,
        settings: &Settings,
        asking: &Asking<'_>,
        channel: &ChannelName,
    ) -> Result<(), Fault> {
        if !settings.asks_about(QuestionKind::Subscribe) {
            let message = format!("only the backend subscribes clients to {channel}");
            return Err(Fault::new(ErrorCode::Forbidden, message));
        }
        let question = Question::subscribe(asking.client, channel.as_str());
        self.ask(settings, asking, question).await.map(|_| ())
    }

    /// May it publish this? The backend may put something else in its place.
    pub(crate) async fn ask_about_publish(
        &self,
        settings: &Settings,
        asking: &Asking<'_>,
        publish: &Publish,
    ) -> Result<Option<Data>, Fault> {
        let (channel, event) = (publish.channel.as_str(), publish.event.as_deref());
        let question = Question::publish(asking.client, channel, event, lent(&publish.data));
        self.ask(settings, asking, question).await?.data.map(owned).transpose()
    }

    /// What is the answer to this message?
    pub(crate) async fn ask_about_request(
        &self,
        settings: &Settings,
        asking: &Asking<'_>,
        kind: &ByteString,
        data: Option<&Data>,
    ) -> Result<Data, Fault> {
        let question = Question::request(asking.client, kind, data.map(lent));
        let answer = self.ask(settings, asking, question).await?;
        answer.data.map_or_else(|| Ok(Data::null()), owned)
    }

    pub(crate) async fn ask(
        &self,
        settings: &Settings,
        asking: &Asking<'_>,
        mut question: Question<'_>,
    ) -> Result<webhook::Answer, Fault> {
        let unavailable = || {
            let message = "the backend does not decide just now; try again in a moment";
            Fault::new(ErrorCode::Unavailable, message)
        };
        let Some(webhooks) = &settings.webhooks else { return Err(unavailable()) };
        question.user = asking.user;
        let _open = self.asked.open(asking.client);
        match webhooks.decide(question).await {
            Ok(Verdict::Allowed(answer)) => Ok(answer),
            Ok(Verdict::Denied(Denial { code, message })) => {
                let known = ErrorCode::ALL.iter().find(|known| known.as_str() == code);
                Err(Fault::new(known.copied().unwrap_or(ErrorCode::Forbidden), message))
            }
            Err(_) => Err(unavailable()),
        }
    }
}

fn lent(data: &Data) -> webhook::Data<'_> {
    match data {
        Data::Json(text) => webhook::Data::Json(Cow::Borrowed(text)),
        Data::Binary(bytes) => webhook::Data::Binary(Cow::Borrowed(bytes)),
    }
}

/// What the backend wrote is held to the same bounds as what a client writes.
fn owned(data: webhook::Data<'static>) -> Result<Data, Fault> {
    match data {
        webhook::Data::Json(text) => {
            Data::from_json_text(ByteString::from(text.into_owned()), limits::DEPTH_MAX)
        }
        webhook::Data::Binary(bytes) => Ok(Data::Binary(bytes.into_owned().into())),
    }
}
