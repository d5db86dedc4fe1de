//! `/sse`: protocol v1 as server-sent events, with POST for what the client sends.

use std::convert::Infallible;
use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use ::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::Frame;
use openline_protocol::close;
use openline_ws::Rejection;
use tokio::time::{Instant, Sleep};

use super::asked::Asked;
use super::entry::{enter_by_request, identify};
use super::event::{COMMENT, RETRY_MS, STOP_MARK, write_close, write_event, write_retry};
use super::kept::{Reader, Terms, keep};
use super::post::{self, queue_bytes};
use super::secret::SessionSecret;
use super::web::{self, forbid_keeping, json, no_content, rejection, wrong_method};
use crate::auth::TICKET_LIFETIME;
use crate::clock::Clock;
use crate::config::SlowConsumer;
use crate::connection::Site;
use crate::exchange::{Ending, Line, Mailbox, Since};
use crate::guard::Kind;
use crate::metrics::Transport;
use crate::session::{Arrival, Opening, Session};

/// After so much quiet a comment is sent.
const COMMENT_AFTER: Duration = Duration::from_secs(15);

/// How much is written at a time. What is more waits in the mailbox, which has a bound.
const CHUNK_BYTES_MAX: usize = 16 << 10;

/// What an event has beside its data: its id is most of it.
const EVENT_BYTES: usize = 64;

const LAST_EVENT_ID: &str = "last-event-id";

/// Answers a request to `/sse` or `/sse/ticket` whose host is checked.
pub(crate) async fn handle(site: Site, request: Request<Body>) -> Response<Body> {
    match request.uri().path() {
        "/sse/ticket" => web::answer(site, request, "POST", give_ticket).await,
        _ => web::answer(site, request, "GET, POST", serve).await,
    }
}

async fn serve(site: Site, request: Request<()>, body: Body) -> Result<Response<Body>, Rejection> {
    match *request.method() {
        Method::GET => match open(&site, &request).await {
            Err(refused) if is_passing(&refused) && takes_events(&request) => {
                let spread_ms = site.node.settings().guard.retry_spread_ms();
                Ok(events(Body::from(ended(&refused, spread_ms))))
            }
            opened => opened,
        },
        Method::POST => post::take(site, request, body, Transport::Sse).await,
        _ => Err(wrong_method(&request, "GET, POST")),
    }
}

/// A ticket for whoever shows a token: it stands for it once, in an address.
async fn give_ticket(
    site: Site,
    request: Request<()>,
    _: Body,
) -> Result<Response<Body>, Rejection> {
    if request.method() != Method::POST {
        return Err(wrong_method(&request, "POST"));
    }
    let (identity, token) = identify(&site.node, &request).await?;
    let ticket = site.node.tickets.issue(identity, token, Clock::wall_seconds());
    let ticket = ticket.map_err(|full| {
        Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", full.to_string())
    })?;
    let ticket = ticket.expose();
    let body = format!(r#"{{"ticket":"{ticket}","expiresIn":{TICKET_LIFETIME}}}"#);
    Ok(json(StatusCode::OK, body))
}

async fn open(site: &Site, request: &Request<()>) -> Result<Response<Body>, Rejection> {
    let mut asked = Asked::read(request.uri().query(), request.headers())?;
    // A browser that lost its connection sends this; what is in the address is older.
    if let Some(last) = request.headers().get(LAST_EVENT_ID) {
        let last = String::from_utf8_lossy(last.as_bytes()).into_owned();
        if last.starts_with(STOP_MARK) {
            return Ok(no_content());
        }
        asked.position = Some(last);
    }
    let position = asked.position.as_deref().map(|position| position.trim_start_matches(STOP_MARK));
    let since = Since::read(position, &asked.channels);
    let kind = match since {
        Since::Cursor(_) => Kind::Resume,
        Since::Now | Since::Unknown => Kind::New,
    };
    let Site { peer, shard, node } = site;
    let visitor = enter_by_request(node, request, *peer, kind, asked.ticket.as_ref()).await?;
    let mailbox = Arc::new(match node.settings().config.limits.slow_consumer {
        SlowConsumer::Close => Mailbox::closing_when_full(queue_bytes(site)),
        SlowConsumer::Gap | SlowConsumer::Conflate => Mailbox::new(queue_bytes(site)),
    });
    let arrival = Arrival {
        transport: Transport::Sse,
        line: Line::Mailbox(mailbox.clone()),
        identity: visitor.identity,
        slot: Some(visitor.slot),
        client: Some(visitor.client),
        address: visitor.address,
        handlers: node.operator.doors.exchange(),
    };
    let mut session = Session::open(node, shard, arrival);
    let secret = SessionSecret::random(node.id);
    let text = secret.text();
    let opening = Opening::Greeting {
        session: &text,
        ping_interval: COMMENT_AFTER,
        may_be_bare: asked.says_channels,
    };
    session.follow(&asked.channels, &since, opening).await.map_err(|fault| rejection(&fault))?;
    session.connect().await;
    let channels = asked.channels;
    let terms = Terms {
        secret,
        channels,
        mailbox,
        since,
        linger: Duration::ZERO,
        patience: Some(node.settings().config.limits.queue_age),
    };
    Ok(events(Body::new(EventBody::new(keep(session, terms)))))
}

fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    forbid_keeping(headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // nginx passes on what it has.
    let buffering = HeaderName::from_static("x-accel-buffering");
    headers.insert(buffering, HeaderValue::from_static("no"));
    response
}

/// Whether the same request may be taken later.
fn is_passing(rejection: &Rejection) -> bool {
    let status = rejection.status;
    status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE
}

fn takes_events(request: &Request<()>) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}

/// A stream that ends at once. A browser gives up for good when it is answered with an error; this
/// makes it come again, when it is told to.
fn ended(refused: &Rejection, spread_ms: u64) -> String {
    let seconds = refused.headers.get(RETRY_AFTER);
    let seconds = seconds.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let mut ending = Ending::new(close::TRY_AGAIN_LATER, &*refused.message);
    if let Some(seconds) = seconds {
        ending = ending.retry_after(seconds.saturating_mul(1_000));
    }
    let mut out = String::new();
    write_close(&mut out, &ending, None, rand::random_range(0..spread_ms));
    out
}

/// The body of a stream. It takes from the mailbox when it is asked, not before: a client that does
/// not read leaves what is for it there. Written as one state, not as a future for each event: this
/// is what a delivery costs.
struct EventBody {
    reader: Reader,
    stage: Stage,
    quiet_since: Instant,
    comment: Pin<Box<Sleep>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begins,
    Goes,
    /// The last event is written.
    Over,
}

impl EventBody {
    fn new(reader: Reader) -> Self {
        let comment = Box::pin(tokio::time::sleep(COMMENT_AFTER));
        Self { reader, stage: Stage::Begins, quiet_since: Instant::now(), comment }
    }

    /// What there is to write now; nothing if there is nothing.
    fn write(&mut self) -> String {
        let mut out = String::new();
        if self.stage == Stage::Begins {
            self.stage = Stage::Goes;
            write_retry(&mut out, RETRY_MS + self.chance_ms());
            out.push('\n');
        }
        let kept = &self.reader.kept;
        for letter in kept.mailbox.take(CHUNK_BYTES_MAX) {
            out.reserve(letter.text.len() + EVENT_BYTES);
            let cursor = kept.pass(&letter);
            let id = cursor.as_deref().map(|cursor| cursor as &dyn fmt::Display);
            write_event(&mut out, id, &letter.text);
        }
        if out.is_empty()
            && let Some(ending) = kept.mailbox.closed()
        {
            self.stage = Stage::Over;
            let position = kept.position();
            write_close(&mut out, &ending, position.as_deref(), self.chance_ms());
        }
        out
    }

    /// Ready when it has been quiet for long.
    fn poll_quiet(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.comment.as_mut().poll(cx));
            let due = self.quiet_since + COMMENT_AFTER;
            let was_quiet = Instant::now() >= due;
            self.comment.as_mut().reset(if was_quiet {
                Instant::now() + COMMENT_AFTER
            } else {
                due
            });
            if was_quiet {
                return Poll::Ready(());
            }
        }
    }

    /// So that not all come back together.
    fn chance_ms(&self) -> u64 {
        rand::random_range(0..self.reader.node.settings().guard.retry_spread_ms())
    }
}

impl HttpBody for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = loop {
            if self.stage == Stage::Over {
                return Poll::Ready(None);
            }
            let out = self.write();
            if !out.is_empty() {
                break out.into();
            }
            if self.reader.kept.mailbox.poll_news(cx).is_pending() {
                ready!(self.poll_quiet(cx));
                break Bytes::from_static(COMMENT.as_bytes());
            }
        };
        self.quiet_since = Instant::now();
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}
