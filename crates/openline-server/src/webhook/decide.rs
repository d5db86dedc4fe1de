//! Asking the backend.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::counters::count;
use super::{Answer, Question, QuestionKind, Verdict, Webhooks, unix_ms};
use crate::outbound::OutboundError;

/// How many questions may wait for their turn, for each that may be with the backend. More could
/// not be answered in time, and each holds what it asks about.
const WAITING_PER_PLACE: usize = 16;

impl Webhooks {
    /// Asks the backend. For kinds that it [wants](Webhooks::wants) only.
    ///
    /// # Errors
    /// When there is no answer that counts. The caller refuses what was asked, as `unavailable`.
    /// With the option `fail_open`, a backend out of reach is a bare yes instead, except to
    /// requests.
    pub(crate) async fn decide(&self, question: Question<'_>) -> Result<Verdict, DecideError> {
        let kind = question.kind;
        let asked = self.ask(&question).await;
        let tally = self.desk.tally.decisions(kind);
        count(match &asked {
            Ok(Verdict::Allowed(_)) => &tally.allowed,
            Ok(Verdict::Denied(_)) => &tally.denied,
            Err(_) => &tally.failed,
        });
        let error = match asked {
            Ok(verdict) => return Ok(verdict),
            Err(error) => error,
        };
        self.report(&format_args!("no decision about {}: {error}", kind.as_str()));
        let is_open = self.terms.options.fail_open && kind != QuestionKind::Request;
        match is_open && error.is_out_of_reach() {
            true => Ok(Verdict::Allowed(Answer::default())),
            false => Err(error),
        }
    }

    async fn ask(&self, question: &Question<'_>) -> Result<Verdict, DecideError> {
        let Some(url) = &self.terms.options.decide_url else { return Err(DecideError::NotWanted) };
        let deciding = Deciding::begin(&self.desk.tally.deciding);
        let places = self.terms.options.decisions_max;
        if deciding.others >= (places * (1 + WAITING_PER_PLACE)) as u64 {
            return Err(DecideError::Overloaded);
        }
        let id = self.desk.ids.next();
        let body = question.encode(&id, unix_ms(), &self.terms.options.forward_headers);
        let body = body.map_err(|error| DecideError::Question(error.to_string()))?;
        let timeout = self.terms.options.timeout;
        let answered = self.answer(url, &id, Bytes::from(body), question.kind.is_repeatable());
        let answered = tokio::time::timeout(timeout, answered).await;
        answered.unwrap_or(Err(DecideError::Timeout(timeout)))
    }

    async fn answer(
        &self,
        url: &str,
        id: &str,
        body: Bytes,
        is_repeatable: bool,
    ) -> Result<Verdict, DecideError> {
        let _place = self.desk.places.acquire().await.expect("the semaphore is never closed");
        let mut answer = self.post(url, id, body.clone()).await;
        // A backend that ends an idle connection just as it is used has not seen the question, or
        // so it looks from here.
        if is_repeatable && matches!(answer, Err(OutboundError::Ended(_))) {
            answer = self.post(url, id, body).await;
        }
        let answer = answer.map_err(DecideError::Outbound)?;
        if !answer.status.is_success() {
            return Err(DecideError::Status(answer.status));
        }
        Verdict::parse(&answer.body).map_err(DecideError::Answer)
    }
}

/// Why there is no decision. What a client is told is only that there is none.
#[derive(Debug, Clone)]
pub(crate) enum DecideError {
    /// There is no URL for questions: the caller did not ask whether this kind is wanted.
    NotWanted,
    /// More questions wait already than could be answered in time.
    Overloaded,
    /// No answer in this time, waiting for the turn included.
    Timeout(Duration),
    /// The backend was not reached or did not answer.
    Outbound(OutboundError),
    /// An answer that is not 2xx.
    Status(StatusCode),
    /// An answer that cannot be understood; says why.
    Answer(String),
    /// A question that cannot be written: its data is not JSON.
    Question(String),
}

impl DecideError {
    /// The backend did not get to answer. One that answers wrongly is to be mended, and nothing is
    /// allowed because of it.
    fn is_out_of_reach(&self) -> bool {
        match self {
            Self::Overloaded | Self::Timeout(_) => true,
            Self::Outbound(error) => matches!(
                error,
                OutboundError::Resolve { .. }
                    | OutboundError::Connect { .. }
                    | OutboundError::Ended(_)
                    | OutboundError::Timeout(_)
            ),
            Self::Status(status) => {
                status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
                    )
            }
            Self::NotWanted | Self::Answer(_) | Self::Question(_) => false,
        }
    }
}

/// For logs: it names the backend's host.
impl fmt::Display for DecideError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWanted => f.write_str("there is no URL for questions"),
            Self::Overloaded => f.write_str("too many questions wait for an answer"),
            Self::Timeout(timeout) => write!(f, "no answer in {} s", timeout.as_secs_f32()),
            Self::Outbound(error) => error.fmt(f),
            Self::Status(status) if status.is_redirection() => {
                write!(f, "status {status}; redirects are not followed")
            }
            Self::Status(status) => write!(f, "status {status}"),
            Self::Answer(what) => write!(f, "the answer cannot be understood: {what}"),
            Self::Question(what) => write!(f, "the data is not JSON: {what}"),
        }
    }
}

impl std::error::Error for DecideError {}

/// Counts a question for as long as it lasts, also when the caller gives it up.
struct Deciding<'a> {
    counter: &'a AtomicU64,
    others: u64,
}

impl<'a> Deciding<'a> {
    fn begin(counter: &'a AtomicU64) -> Self {
        Self { counter, others: counter.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Deciding<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::Relaxed);
    }
}
