//! `/poll`: protocol v1 by long polling, with POST for what the client sends.
//!
//! A poll's session waits for the next one for a while; if that comes to another node, it is handed
//! over. It is a convenience: where it is gone, the position that the client brings says all that is
//! needed to go on.

use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, Request, Response, StatusCode};
use axum::body::Body;
use bytes::Bytes;
use openline_protocol::{ErrorCode, Fault};
use openline_ws::Rejection;

use super::asked::Asked;
use super::elsewhere::{find_home, hand_over};
use super::entry::enter_by_request;
use super::event::close_message;
use super::kept::{NotAttended, Reader, Terms, keep};
use super::post::{self, queue_bytes};
use super::secret::SessionSecret;
use super::web::{self, json, rejection, wrong_method};
use crate::cluster::NotAnswered;
use crate::connection::Site;
use crate::exchange::{Line, Mailbox, Since};
use crate::guard::Kind;
use crate::metrics::Transport;
use crate::session::{Arrival, Opening, Session};

/// How long a poll waits for something to come.
const WAIT: Duration = Duration::from_secs(25);

/// How much later the answer to a poll may come that another node answers.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// How long a session waits for its next poll: until then its client is present in its channels.
const LINGER: Duration = Duration::from_secs(10);

/// What one answer may hold, unless a single message is longer. The rest is for the next.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Answers a request to `/poll` whose host is checked.
pub(crate) async fn handle(site: Site, request: Request<Body>) -> Response<Body> {
    web::answer(site, request, "GET, POST", serve).await
}

async fn serve(site: Site, request: Request<()>, body: Body) -> Result<Response<Body>, Rejection> {
    match *request.method() {
        Method::GET => {
            let asked = Asked::read(request.uri().query(), request.headers())?;
            if let Some(answer) = poll_elsewhere(&site, &request, &asked).await? {
                return Ok(answer);
            }
            let reader = match resume(&site, &asked)? {
                Some(reader) => reader,
                None => begin(&site, &request, asked).await?,
            };
            Ok(answer(reader).await)
        }
        Method::POST => post::take(site, request, body, Transport::Poll).await,
        _ => Err(wrong_method(&request, "GET, POST")),
    }
}

/// What the session's own node answers, if that is another. If there is no answer the poll begins
/// anew here, from where the client is.
async fn poll_elsewhere(
    site: &Site,
    request: &Request<()>,
    asked: &Asked,
) -> Result<Option<Response<Body>>, Rejection> {
    let home = asked.session.and_then(|secret| find_home(&site.node, request, secret));
    let Some(home) = home else { return Ok(None) };
    match hand_over(site, request, &home, Bytes::new(), WAIT + ANSWER_MARGIN).await {
        Ok(answer) => Ok(Some(answer)),
        Err(NotAnswered::Gone | NotAnswered::Lost) => Ok(None),
        Err(overloaded @ NotAnswered::Overloaded) => Err(overloaded.rejection()),
    }
}

/// The session of the poll before, if it is here and where the client is. If its answer was lost on
/// the way, the client is behind it, and begins anew from where it is.
fn resume(site: &Site, asked: &Asked) -> Result<Option<Reader>, Rejection> {
    let Some(secret) = asked.session else { return Ok(None) };
    match site.node.kept.attend(secret, &site.node) {
        Ok(reader) => {
            let position = reader.kept.position().unwrap_or_default();
            if asked.position.as_ref() == Some(&position) && asked.channels == reader.kept.channels
            {
                return Ok(Some(reader));
            }
            reader.end();
            Ok(None)
        }
        Err(NotAttended::Unknown) => Ok(None),
        Err(NotAttended::Taken) => {
            let message = "another poll of this session waits; send the next when it is answered";
            Err(Rejection::new(StatusCode::CONFLICT, "session_busy", message))
        }
    }
}

async fn begin(site: &Site, request: &Request<()>, asked: Asked) -> Result<Reader, Rejection> {
    let since = Since::read(asked.position.as_deref(), &asked.channels);
    let kind = match since {
        Since::Cursor(_) => Kind::Resume,
        Since::Now | Since::Unknown => Kind::New,
    };
    let Site { peer, shard, node } = site;
    let visitor = enter_by_request(node, request, *peer, kind, asked.ticket.as_ref()).await?;
    // Nobody reads between two polls. What does not fit is read from the history by the next.
    let mailbox = Arc::new(Mailbox::new(queue_bytes(site)));
    let arrival = Arrival {
        transport: Transport::Poll,
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
    let opening = match since {
        Since::Now => Opening::Greeting {
            session: &text,
            ping_interval: WAIT,
            may_be_bare: asked.says_channels,
        },
        // What such a poll followed, it subscribed to by messages, and that ended with the session.
        Since::Cursor(_) | Since::Unknown if asked.says_channels && asked.channels.is_empty() => {
            let message = "the session has ended, and its subscriptions with it; begin a new one";
            return Err(rejection(&Fault::new(ErrorCode::UnknownSession, message)));
        }
        Since::Cursor(_) | Since::Unknown => Opening::Continuing,
    };
    session.follow(&asked.channels, &since, opening).await.map_err(|fault| rejection(&fault))?;
    session.connect().await;
    let channels = asked.channels;
    let terms = Terms { secret, channels, mailbox, since, linger: LINGER, patience: None };
    Ok(keep(session, terms))
}

/// What there is, as soon as there is something.
async fn answer(reader: Reader) -> Response<Body> {
    let kept = &reader.kept;
    let _ = tokio::time::timeout(WAIT, kept.mailbox.wait()).await;
    let mut messages = String::new();
    for letter in kept.mailbox.take(ANSWER_BYTES_MAX) {
        kept.pass(&letter);
        push(&mut messages, &letter.text);
    }
    let closed = kept.mailbox.closed();
    if let Some(ending) = &closed {
        push(&mut messages, &close_message(ending));
    }
    let position = kept.position().unwrap_or_default();
    let body = match closed {
        None => {
            let session = kept.secret.text();
            format!(r#"{{"messages":[{messages}],"position":"{position}","session":"{session}"}}"#)
        }
        Some(_) => {
            reader.end();
            format!(r#"{{"messages":[{messages}],"position":"{position}"}}"#)
        }
    };
    json(StatusCode::OK, body)
}

fn push(messages: &mut String, message: &str) {
    if !messages.is_empty() {
        messages.push(',');
    }
    messages.push_str(message);
}
