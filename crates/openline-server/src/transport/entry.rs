//! What is decided about a client before it has a session: its address, its place, its token.

use std::net::IpAddr;
use std::sync::Arc;

use ::http::header::{HeaderValue, ORIGIN, WWW_AUTHENTICATE};
use ::http::{Request, StatusCode};
use openline_ws::Rejection;

use super::asked::Asked;
use crate::auth::{AuthError, Identity, Token, find_credential};
use crate::broker::NodeId;
use crate::clock::Clock;
use crate::guard::{Kind, Refusal, Slot};
use crate::lifecycle;
use crate::node::{Asking, Node};
use crate::reload::Settings;
use crate::session::new_client_id;
use crate::webhook::{Question, QuestionKind};

/// A client that was let in.
pub(crate) struct Visitor {
    pub(crate) client: Arc<str>,
    /// Where it is, behind the proxies that are trusted.
    pub(crate) address: IpAddr,
    /// Its place among the lines.
    pub(crate) slot: Slot,
    /// Who it is. An error is told on the line, where the client can read it.
    pub(crate) identity: Result<Option<Identity>, AuthError>,
}

/// Lets a client in, or says why not. Its host and origin are checked.
///
/// A token that comes with the request is checked here. With `auth.handshake` it has to be there and
/// to be right; otherwise what is wrong with it is told on the line, because a page does not see the
/// answer to a handshake.
pub(crate) async fn enter<B>(
    node: &Node,
    request: &Request<B>,
    peer: IpAddr,
) -> Result<Visitor, Rejection> {
    // Nobody knows yet whether that is so. Who says it without reason gets into a longer queue that
    // moves faster, and takes nothing from those that are new.
    let kind = match Asked::resumes(request.uri().query()) {
        true => Kind::Resume,
        false => Kind::New,
    };
    enter_as(node, request, peer, kind, "websocket").await
}

/// As [`enter`], for whatever carries messages both ways; `transport` is its name in the log.
pub(crate) async fn enter_as<B>(
    node: &Node,
    request: &Request<B>,
    peer: IpAddr,
    kind: Kind,
    transport: &'static str,
) -> Result<Visitor, Rejection> {
    let settings = &node.settings();
    let (address, slot) = admit(node, settings, request, peer, kind)?;
    let handshake = settings.config.auth.handshake;
    let token = credential(settings, request)?;
    let identity = match &token {
        Some(token) => verify(node, settings, token).await.map(Some),
        None if handshake => return Err(unauthorized(&AuthError::Missing)),
        None => Ok(None),
    };
    if let Err(error) = &identity
        && handshake
    {
        return Err(forbidden(error));
    }
    let client = new_client_id();
    node.log.session_opened(&client, transport, address);
    let identity = match identity {
        Ok(identity) if settings.asks_about(QuestionKind::Connect) => {
            Ok(ask(node, settings, request, address, &client, token.as_ref(), identity).await?)
        }
        identity => identity,
    };
    Ok(Visitor { client, address, slot, identity })
}

/// As [`enter`], for a client that has no line to say who it is on: what is wrong with its token, or
/// that it has none, is told by the answer to its request. A ticket goes before a token.
pub(crate) async fn enter_by_request<B>(
    node: &Node,
    request: &Request<B>,
    peer: IpAddr,
    kind: Kind,
    ticket: Option<&Token>,
) -> Result<Visitor, Rejection> {
    let settings = &node.settings();
    let (address, slot) = admit(node, settings, request, peer, kind)?;
    let (token, identity) = match ticket {
        Some(ticket) => {
            let redeemed = redeem(node, settings, ticket).await;
            (None, Some(redeemed.map_err(|error| unauthorized(&error))?))
        }
        None => {
            let token = credential(settings, request)?;
            let auth = &settings.config.auth;
            let needs_token = !auth.anonymous || auth.handshake;
            let identity = match &token {
                Some(token) => Some(
                    verify(node, settings, token).await.map_err(|error| unauthorized(&error))?,
                ),
                None if needs_token => return Err(unauthorized(&AuthError::Missing)),
                None => None,
            };
            (token, identity)
        }
    };
    let client = new_client_id();
    node.log.session_opened(&client, "http", address);
    let identity = match settings.asks_about(QuestionKind::Connect) {
        true => ask(node, settings, request, address, &client, token.as_ref(), identity).await?,
        false => identity,
    };
    Ok(Visitor { client, address, slot, identity: Ok(identity) })
}

/// As [`enter_by_request`], for what is not a session: a ticket may stand in the address.
pub(crate) async fn enter_without_line<B>(
    node: &Node,
    request: &Request<B>,
    peer: IpAddr,
) -> Result<Visitor, Rejection> {
    let asked = Asked::read(request.uri().query(), request.headers())?;
    enter_by_request(node, request, peer, Kind::New, asked.ticket.as_ref()).await
}

/// As [`enter_by_request`], for a line whose messages are its own: a ticket may stand in the address,
/// of which the rest is for the application.
pub(crate) async fn enter_endpoint<B>(
    node: &Node,
    request: &Request<B>,
    peer: IpAddr,
) -> Result<Visitor, Rejection> {
    let ticket = Asked::ticket(request.uri().query())?;
    enter_by_request(node, request, peer, Kind::New, ticket.as_ref()).await
}

/// Lets a client in where everybody may come. Nobody knows who it is.
pub(crate) fn enter_without_token<B>(
    node: &Node,
    request: &Request<B>,
    peer: IpAddr,
) -> Result<Visitor, Rejection> {
    let settings = &node.settings();
    let (address, slot) = admit(node, settings, request, peer, Kind::New)?;
    let client = new_client_id();
    node.log.session_opened(&client, "websocket", address);
    Ok(Visitor { client, address, slot, identity: Ok(None) })
}

/// Who it is whose token came with the request, and the token; it needs one.
pub(crate) async fn identify<B>(
    node: &Node,
    request: &Request<B>,
) -> Result<(Identity, Token), Rejection> {
    let settings = &node.settings();
    match credential(settings, request)? {
        Some(token) => match verify(node, settings, &token).await {
            Ok(identity) => Ok((identity, token)),
            Err(error) => Err(unauthorized(&error)),
        },
        None => Err(unauthorized(&AuthError::Missing)),
    }
}

fn admit<B>(
    node: &Node,
    settings: &Settings,
    request: &Request<B>,
    peer: IpAddr,
    kind: Kind,
) -> Result<(IpAddr, Slot), Rejection> {
    let address = settings.guard.client_address(peer, request.headers());
    lifecycle::admit(node)?;
    let now = node.exchange.clock.now_ms();
    let slot = match node.exchange.overload.level().takes_lines() {
        true => settings.guard.admit(address, kind, now, rand::random()),
        false => Err(Refusal::no_memory(rand::random())),
    };
    let slot = slot.map_err(|refusal| turned_away(node, address, refusal))?;
    Ok((address, slot))
}

/// Lets a client in that nobody counts, as long as there is memory.
pub(crate) fn enter_uncounted<B>(
    node: &Node,
    request: &Request<B>,
    peer: IpAddr,
) -> Result<(), Rejection> {
    if node.exchange.overload.level().takes_lines() {
        return Ok(());
    }
    let address = node.settings().guard.client_address(peer, request.headers());
    Err(turned_away(node, address, Refusal::no_memory(rand::random())))
}

fn turned_away(node: &Node, address: IpAddr, refusal: Refusal) -> Rejection {
    node.metrics.turned_away(refusal.code());
    node.log.turned_away(address, refusal.code());
    refusal.into()
}

async fn verify(node: &Node, settings: &Settings, token: &Token) -> Result<Identity, AuthError> {
    let verified = settings.verifier.verify(token, Clock::wall_seconds()).await;
    node.metrics.authenticated(verified.is_ok());
    verified
}

/// Takes a ticket. What it stands for may have ended since it was given out.
async fn redeem(node: &Node, settings: &Settings, ticket: &Token) -> Result<Identity, AuthError> {
    let no_ticket =
        || AuthError::Malformed("the ticket was used or is too old; ask for another".to_owned());
    if let Some(home) = node.tickets.home_elsewhere(ticket) {
        // The node that gave it out says what was shown for it, and that is checked here.
        let token = match &node.forwards {
            Some(forwards) => forwards.redeem(NodeId(home), ticket.expose()).await.ok().flatten(),
            None => None,
        };
        return match token {
            Some(token) => verify(node, settings, &token).await,
            None => {
                node.metrics.authenticated(false);
                Err(no_ticket())
            }
        };
    }
    let now = Clock::wall_seconds();
    let redeemed = node.tickets.redeem(ticket, now).ok_or_else(no_ticket);
    let redeemed = redeemed.and_then(|(identity, _)| {
        let ends_at = settings.verifier.line_ends_at(&identity);
        if let Some(seconds) = ends_at.and_then(|ends_at| now.checked_sub(ends_at)) {
            let leeway = settings.verifier.options().leeway.as_secs();
            return Err(AuthError::Expired { seconds: seconds + leeway, leeway });
        }
        match node.revocations.covers_identity(&identity, now) {
            true => Err(AuthError::Revoked),
            false => Ok(identity),
        }
    });
    node.metrics.authenticated(redeemed.is_ok());
    redeemed
}

fn credential<B>(settings: &Settings, request: &Request<B>) -> Result<Option<Token>, Rejection> {
    let (headers, query) = (request.headers(), request.uri().query());
    // To its own server a page may send requests without an origin. One that is not allowed has been
    // refused before this, but perhaps by other settings than those that let cookies count.
    let own = headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    let from_page =
        (own || headers.contains_key(ORIGIN)) && settings.guard.check_origin(request).is_ok();
    let found = find_credential(settings.verifier.options(), headers, query, from_page);
    let found = found.map_err(|error| {
        Rejection::new(StatusCode::BAD_REQUEST, "bad_request", error.to_string())
    })?;
    Ok(found.map(|credential| credential.token))
}

/// Asks the backend whether the client may come, and as whom.
async fn ask<B>(
    node: &Node,
    settings: &Settings,
    request: &Request<B>,
    address: IpAddr,
    client: &str,
    token: Option<&Token>,
    identity: Option<Identity>,
) -> Result<Option<Identity>, Rejection> {
    let mut question = Question::connect(client);
    question.token = token.map(Token::expose);
    question.address = Some(address);
    question.headers = Some(request.headers());
    let user = identity.as_ref().and_then(|identity| identity.user.clone());
    let asking = Asking { client, user: user.as_deref() };
    let answer = node.ask(settings, &asking, question).await.map_err(|fault| {
        let status = StatusCode::from_u16(fault.code.http_status());
        Rejection::new(status.unwrap_or(StatusCode::FORBIDDEN), fault.code.as_str(), fault.message)
    })?;
    if answer.user.is_none() && answer.info.is_none() && answer.channels.is_empty() {
        return Ok(identity);
    }
    let identity = identity.unwrap_or_default();
    Ok(Some(Identity {
        user: answer.user.map(Arc::from).or(identity.user),
        info: answer.info.or(identity.info),
        expires_at: answer.expires_at.map(|ms| ms / 1000).or(identity.expires_at),
        channels: if answer.channels.is_empty() { identity.channels } else { answer.channels },
        ..identity
    }))
}

fn unauthorized(error: &AuthError) -> Rejection {
    let code = error.code();
    if error.is_retryable() {
        return Rejection::new(StatusCode::SERVICE_UNAVAILABLE, code, error.message());
    }
    Rejection::new(StatusCode::UNAUTHORIZED, code, error.message())
        .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn forbidden(error: &AuthError) -> Rejection {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::FORBIDDEN);
    Rejection::new(status, error.code(), error.message())
}
