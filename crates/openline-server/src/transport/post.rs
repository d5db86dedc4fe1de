//! `POST /sse` and `POST /poll`: one message of the protocol, and its answer.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response, StatusCode};
use axum::body::Body;
use bytestring::ByteString;
use openline_protocol::{ErrorCode, Fault, Format, Reply, parse_request};
use openline_ws::Rejection;
use serde::Deserialize;

use super::asked::Asked;
use super::elsewhere::{find_home, hand_over};
use super::entry::enter_by_request;
use super::kept::{Kept, NoAnswer};
use super::web::{json, no_content, read_body, rejection};
use crate::cluster::NotAnswered;
use crate::connection::Site;
use crate::exchange::{Line, Mailbox};
use crate::guard::Kind;
use crate::metrics::Transport;
use crate::session::{Answered, Arrival, Session, check_request_speed};

/// How long an answer may take. The broker and the backend have less.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Whose rates a request counts for that is a session of its own.
#[derive(Debug, Hash)]
enum Whose {
    User(Arc<str>),
    Address(IpAddr),
}

/// How much later the answer may come that another node gives.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// Does what a message asks for: in the session that the request names if that is there, or else by
/// itself.
pub(super) async fn take(
    site: Site,
    request: Request<()>,
    body: Body,
    transport: Transport,
) -> Result<Response<Body>, Rejection> {
    let asked = Asked::read(request.uri().query(), request.headers())?;
    let home = asked.session.and_then(|secret| find_home(&site.node, &request, secret));
    let body = match home {
        Some(home) => {
            let body = read_body(&site, body).await?;
            let within = ANSWER_TIMEOUT + ANSWER_MARGIN;
            match hand_over(&site, &request, &home, body.clone(), within).await {
                // Then the session is gone too.
                Err(NotAnswered::Gone) => Body::from(body),
                answered => return answered.map_err(NotAnswered::rejection),
            }
        }
        None => body,
    };
    let answer = Arc::new(Mailbox::new(queue_bytes(&site)));
    let answered = match asked.session.and_then(|secret| site.node.kept.find(secret)) {
        Some(kept) => in_session(&site, &kept, body, &answer).await?,
        None => alone(&site, &request, &asked, transport, body, &answer).await?,
    };
    if answered == Answered::OnLine {
        return Ok(no_content());
    }
    if tokio::time::timeout(ANSWER_TIMEOUT, answer.wait()).await.is_err() {
        let message = "there was no answer in time; whether it was done is not known";
        return Err(rejection(&Fault::new(ErrorCode::Timeout, message)));
    }
    match &*answer.take(usize::MAX) {
        [letter, ..] => Ok(reply(letter.text.clone())),
        [] => {
            let (code, reason) =
                answer.closed().map(|ending| (ending.code, ending.reason)).unwrap_or_default();
            let message = format!("the request was ended with {code}: {reason}");
            Err(rejection(&Fault::new(ErrorCode::Unavailable, message)))
        }
    }
}

async fn in_session(
    site: &Site,
    kept: &Kept,
    body: Body,
    answer: &Arc<Mailbox>,
) -> Result<Answered, Rejection> {
    let body = read_body(site, body).await?;
    site.node.metrics.received(body.len());
    let request = match parse_request(Format::Json, &body) {
        Ok(request) => request,
        Err(fault) => return Ok(refuse(site, answer, &fault)),
    };
    let id = request.id.clone();
    kept.order(request, answer.clone()).await.or_else(|no_answer| {
        let fault = match no_answer {
            NoAnswer::Gone => {
                Fault::new(ErrorCode::UnknownSession, "the session has ended; open a new one")
            }
            NoAnswer::Overloaded => {
                let message = "too many requests wait for this session; try again in a moment";
                Fault::new(ErrorCode::Overloaded, message)
            }
        };
        Ok(refuse(site, answer, &fault.with_id(id)))
    })
}

async fn alone(
    site: &Site,
    request: &Request<()>,
    asked: &Asked,
    transport: Transport,
    body: Body,
    answer: &Arc<Mailbox>,
) -> Result<Answered, Rejection> {
    let Site { peer, shard, node } = site;
    let visitor = enter_by_request(node, request, *peer, Kind::New, asked.ticket.as_ref()).await?;
    let body = read_body(site, body).await?;
    node.metrics.received(body.len());
    let message = match parse_request(Format::Json, &body) {
        Ok(message) => message,
        Err(fault) => return Ok(refuse(site, answer, &fault)),
    };
    let identity = visitor.identity.as_ref().ok().and_then(Option::as_ref);
    let whose = match identity.and_then(|identity| identity.user.clone()) {
        Some(user) => Whose::User(user),
        None => {
            Whose::Address(network(node.settings().guard.client_address(*peer, request.headers())))
        }
    };
    if let Err(fault) = check_request_speed(node, &whose, &message.command) {
        return Ok(refuse(site, answer, &fault.with_id(message.id)));
    }
    let line = Line::Mailbox(answer.clone());
    let (slot, client) = (Some(visitor.slot), Some(visitor.client));
    let (identity, address) = (visitor.identity, visitor.address);
    let handlers = node.operator.doors.exchange();
    let arrival = Arrival { transport, line, identity, slot, client, address, handlers };
    let mut session = Session::open_alone(node, shard, arrival);
    session.handle_alone(message).await;
    Ok(Answered::Apart)
}

fn refuse(site: &Site, answer: &Arc<Mailbox>, fault: &Fault) -> Answered {
    site.node.metrics.refused(fault.code);
    Line::Mailbox(answer.clone()).reply(&Reply::Error(fault));
    Answered::Apart
}

/// An error has the status of its code.
fn reply(text: ByteString) -> Response<Body> {
    #[derive(Deserialize)]
    struct Error {
        code: String,
    }
    let is_error = text.starts_with(r#"{"type":"error""#);
    let error = is_error.then(|| serde_json::from_str::<Error>(&text).ok()).flatten();
    let status =
        error.map_or(200, |error| ErrorCode::from_str_or_internal(&error.code).http_status());
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(status, text.into_bytes())
}

/// A client has a whole /64 of IPv6 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
        address => address,
    }
}

/// What may wait for a reader.
pub(super) fn queue_bytes(site: &Site) -> usize {
    let most = site.node.settings().config.limits.queue.bytes();
    usize::try_from(most).unwrap_or(usize::MAX)
}
