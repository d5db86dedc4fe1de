//! Polls and POSTs: a connection's packets in the bodies of requests.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
    CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use openline_ws::Rejection;

use super::connection::Connection;
use super::entry::{Wanted, check};
use super::mounts::Mounted;
use super::outlet::{Carrier, Outlet};
use super::packet::{CLOSE, Packet, open_packet};
use super::payload::{self, Letter};
use super::polls::Polling;
use super::refusal::{Refusal, forbidden};
use super::{Ended, Options};
use crate::cluster::NotAnswered;
use crate::connection::{Site, catch_panic};
use crate::guard::{Kind, Preflight};
use crate::transport::{Home, enter_as, hand_over};

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What clients send side by side, over several connections, may arrive in another order. For so
/// long one waits for the other.
const CROSSING: Duration = Duration::from_millis(50);

/// What pages of other origins may do.
const PREFLIGHT: Preflight =
    Preflight { methods: "GET, POST", headers: "authorization, content-type" };

/// Answers a request to a mount's path that asks for no WebSocket. Its host is checked.
pub(crate) async fn handle(
    site: Site,
    mounted: &Arc<Mounted>,
    request: Request<Body>,
) -> Response<Body> {
    let node = site.node.clone();
    let cors = node.settings().guard.cors(&request);
    if let Some(answer) = node.settings().guard.preflight(&request, &PREFLIGHT) {
        let mut answer = answer.map_or_else(|refused| refuse(&forbidden(refused)), empty);
        allow_what_is_asked(request.headers(), answer.headers_mut());
        return answer;
    }
    let answered = match node.settings().guard.check_origin(&request) {
        Err(refused) => Err(forbidden(refused)),
        Ok(()) => catch_panic(serve(site, mounted, request)).await.unwrap_or_else(|_| {
            node.metrics.panicked();
            let message = "the server met a bug of its own; its log says where";
            Err(Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message))
        }),
    };
    let mut response = answered.unwrap_or_else(|rejection| refuse(&rejection));
    cors.apply(response.headers_mut());
    response
}

/// Clients have a setting for headers of their own (`extraHeaders`): a page that is listed may send
/// whatever it asks for.
fn allow_what_is_asked(request: &HeaderMap, answer: &mut HeaderMap) {
    let is_listed = answer.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS);
    if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|_| is_listed) {
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
}

async fn serve(
    site: Site,
    mounted: &Arc<Mounted>,
    request: Request<Body>,
) -> Result<Response<Body>, Rejection> {
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts, ());
    match check(&request, mounted, &site.node, false)? {
        Wanted::New => begin(&site, mounted, request).await,
        Wanted::Known(connection) => match *request.method() {
            Method::GET => Ok(poll(connection).await?),
            Method::POST => post(connection, body).await,
            _ => Err(Refusal::BadRequest.into()),
        },
        Wanted::Elsewhere(home) => {
            elsewhere(&site, &mounted.terms().options, request, body, &home).await
        }
    }
}

/// Has the connection's own node answer. To a client whose node is gone the connection is unknown,
/// and so it comes anew.
async fn elsewhere(
    site: &Site,
    options: &Options,
    request: Request<()>,
    body: Body,
    home: &Home,
) -> Result<Response<Body>, Rejection> {
    let body = match *request.method() {
        Method::POST => match read_body(body, options.payload_bytes_max).await {
            Ok(body) => body,
            Err(NotRead::TooLarge(refused)) => return Err(refused),
            Err(NotRead::Failed) => return Err(Refusal::BadRequest.into()),
        },
        _ => Bytes::new(),
    };
    // By then a poll has brought a ping.
    let within = options.ping_interval + options.ping_timeout;
    let answered = hand_over(site, &request, home, body, within).await;
    answered.map_err(|not_answered| match not_answered {
        NotAnswered::Overloaded => forbidden(not_answered.rejection()),
        NotAnswered::Gone | NotAnswered::Lost => Refusal::SessionUnknown.into(),
    })
}

async fn begin(
    site: &Site,
    mounted: &Arc<Mounted>,
    request: Request<()>,
) -> Result<Response<Body>, Rejection> {
    let Site { peer, node, .. } = site;
    let visitor = enter_as(node, &request, *peer, Kind::New, "http").await.map_err(forbidden)?;
    let terms = mounted.terms();
    let now_ms = node.exchange.clock.now_ms();
    let carrier = Carrier::Polling(Box::new(Polling::new(terms.queue_bytes, now_ms)));
    let connection = Connection::open(mounted, site, visitor, request, carrier, |_| {});
    Ok(text(open_packet(connection.outlet.sid, r#""websocket""#, &connection.outlet.terms.options)))
}

async fn poll(connection: Arc<Connection>) -> Result<Response<Body>, Refusal> {
    connection.outlet.end_if_overdue(connection.is_busy());
    let is_probed = connection.outlet.begin_poll()?;
    let mut poller = Poller { connection, is_answered: false };
    // A client that changes over may have said so already, by the WebSocket.
    let early = match is_probed {
        true => tokio::time::timeout(CROSSING, poller.letters(false)).await.ok(),
        false => None,
    };
    let letters = match early {
        Some(letters) => letters,
        None => poller.letters(true).await,
    };
    poller.is_answered = true;
    Ok(text(payload::encode(&letters?)))
}

/// A poll that waits. One that goes away before it has an answer ends the connection: nobody knows
/// what became of the answer that was on its way.
struct Poller {
    connection: Arc<Connection>,
    is_answered: bool,
}

impl Poller {
    async fn letters(&mut self, turns: bool) -> Result<Vec<Letter>, Refusal> {
        poll_fn(|cx| self.connection.outlet.poll_letters(turns, cx)).await
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        if !self.is_answered {
            self.connection.outlet.drop_poll();
        }
    }
}

async fn post(connection: Arc<Connection>, body: Body) -> Result<Response<Body>, Rejection> {
    connection.outlet.begin_post()?;
    let mut poster = Poster { connection, is_received: false };
    let outlet = &poster.connection.outlet;
    let body = match read_body(body, outlet.terms.options.payload_bytes_max).await {
        Ok(body) => body,
        Err(NotRead::TooLarge(refused)) => {
            poster.is_received = true;
            return Err(refused);
        }
        Err(NotRead::Failed) => return Err(Refusal::BadRequest.into()),
    };
    outlet.node.metrics.received(body.len());
    let Ok(packets) = payload::parse(body) else {
        outlet.end(Ended::ParseError);
        return Err(Refusal::BadRequest.into());
    };
    poster.is_received = true;
    // In a task: a client that goes away does not stop what it has asked for half way.
    let handled = tokio::spawn(work(poster.connection.clone(), packets));
    tokio::select! {
        biased;
        handled = handled => match handled {
            Ok(true) => Ok(text("ok")),
            Ok(false) | Err(_) => Err(Refusal::BadRequest.into()),
        },
        () = poll_fn(|cx| outlet.poll_answer_early(cx)) => Ok(text("ok")),
    }
}

/// Does what a POST asks for; false if it asked for what is none.
async fn work(connection: Arc<Connection>, packets: Vec<Packet>) -> bool {
    let outlet = &connection.outlet;
    let closes = packets.contains(&Packet::Close);
    if closes {
        outlet.await_poll().await;
    }
    let handled = catch_panic(connection.handle(packets)).await;
    outlet.post_done();
    if handled.is_err() {
        outlet.panicked();
        return false;
    }
    closes || outlet.ended() != Some(Ended::ParseError)
}

/// A POST under way. One whose body does not arrive ends the connection: what was in it is lost.
struct Poster {
    connection: Arc<Connection>,
    is_received: bool,
}

impl Drop for Poster {
    fn drop(&mut self) {
        self.connection.outlet.end_post(self.is_received);
    }
}

impl Outlet {
    /// A poll comes. Whether the client is trying a WebSocket out.
    fn begin_poll(&self) -> Result<bool, Refusal> {
        let mut state = self.state();
        let has_ended = state.ended.is_some();
        let Carrier::Polling(polling) = &mut state.carrier else {
            return Err(Refusal::BadRequest);
        };
        if has_ended && !polling.lingers() {
            return Err(Refusal::SessionUnknown);
        }
        let is_probed = polling.is_probed();
        if polling.attend() {
            return Ok(is_probed);
        }
        drop(state);
        self.end(Ended::TransportError);
        Err(Refusal::BadRequest)
    }

    fn poll_letters(
        &self,
        turns: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<Letter>, Refusal>> {
        let mut state = self.state();
        let ended = state.ended;
        let Carrier::Polling(polling) = &mut state.carrier else {
            return Poll::Ready(Err(Refusal::BadRequest));
        };
        let polled = polling.poll_letters(ended, turns, cx);
        if let Poll::Ready(letters) = &polled {
            polling.unattend();
            let is_told =
                ended == Some(Ended::TransportClose) || *letters == [Letter::packet(CLOSE)];
            if ended.is_some() && is_told {
                self.forget(&mut state);
            }
        }
        polled.map(Ok)
    }

    fn drop_poll(&self) {
        let mut state = self.state();
        if let Carrier::Polling(polling) = &mut state.carrier {
            polling.unattend();
            drop(state);
            self.end(Ended::TransportError);
        }
    }

    /// Waits a moment for a poll that the client sent before, so that it is the one to be answered.
    async fn await_poll(&self) {
        let is_attended =
            matches!(&self.state().carrier, Carrier::Polling(polling) if polling.is_attended());
        if !is_attended {
            tokio::time::sleep(CROSSING).await;
        }
    }

    fn begin_post(&self) -> Result<(), Refusal> {
        let mut state = self.state();
        if state.ended.is_some() {
            return Err(Refusal::SessionUnknown);
        }
        let Carrier::Polling(polling) = &mut state.carrier else {
            return Err(Refusal::BadRequest);
        };
        if polling.post() {
            return Ok(());
        }
        drop(state);
        self.end(Ended::TransportError);
        Err(Refusal::BadRequest)
    }

    fn end_post(&self, is_received: bool) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        if let Carrier::Polling(polling) = &mut state.carrier {
            polling.posted(now_ms);
            drop(state);
            if !is_received {
                self.end(Ended::TransportError);
            }
        }
    }

    /// Waits until handlers are done with most of what POSTs brought before.
    pub(super) fn poll_worked(&self, bytes: usize, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        match (state.ended, &mut state.carrier) {
            (None, Carrier::Polling(polling)) => polling.poll_worked(bytes, cx),
            _ => Poll::Ready(()),
        }
    }

    /// Waits until polls have made room for what comes of so many bytes of a POST.
    pub(super) fn poll_room(&self, bytes: usize, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        match (state.ended, &mut state.carrier) {
            (None, Carrier::Polling(polling)) => polling.poll_room(bytes, cx),
            _ => Poll::Ready(()),
        }
    }

    /// A handler begins with an event of so many bytes, and is at work until what this returns is dropped. The
    /// line of a WebSocket needs no such thing: it is not read while much waits.
    pub(crate) fn begin_work(self: &Arc<Self>, bytes: usize) -> Option<AtWork> {
        let Carrier::Polling(polling) = &mut self.state().carrier else { return None };
        polling.work_begins(bytes);
        Some(AtWork { outlet: self.clone(), bytes })
    }

    /// Waits until a POST is to be answered before it is done with.
    fn poll_answer_early(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.state().carrier {
            Carrier::Polling(polling) => polling.poll_answer_early(cx),
            // The client has changed over, for which it had to know that its POST is there.
            Carrier::WebSocket(_) => Poll::Ready(()),
        }
    }

    fn post_done(&self) {
        if let Carrier::Polling(polling) = &mut self.state().carrier {
            polling.post_done();
        }
    }

    /// Whether a POST is under way.
    pub(super) fn is_posting(&self) -> bool {
        matches!(&self.state().carrier, Carrier::Polling(polling) if polling.is_posting())
    }
}

/// An event that a POST brought and a handler is at work on.
pub(crate) struct AtWork {
    outlet: Arc<Outlet>,
    bytes: usize,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if let Carrier::Polling(polling) = &mut self.outlet.state().carrier {
            polling.work_ends(self.bytes);
        }
    }
}

/// Why a body was not read.
enum NotRead {
    TooLarge(Rejection),
    /// It did not arrive.
    Failed,
}

async fn read_body(body: Body, bytes_max: usize) -> Result<Bytes, NotRead> {
    let too_large = || {
        let message = format!("a body has at most {bytes_max} bytes (maxPayload)");
        let refused = Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message);
        NotRead::TooLarge(Refusal::BadRequest.say(refused))
    };
    // What is somewhat too long is read to its end, or its sender would see the connection break
    // rather than the answer.
    let passed_over_max = bytes_max.saturating_mul(2);
    if body.size_hint().lower() > passed_over_max as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, collect(body, bytes_max, passed_over_max)).await {
        Ok(Ok(Some(body))) => Ok(body),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(_)) | Err(_) => Err(NotRead::Failed),
    }
}

/// A body of at most `bytes_max`; none if it is longer, of which so much is read and dropped.
async fn collect(
    mut body: Body,
    bytes_max: usize,
    passed_over_max: usize,
) -> Result<Option<Bytes>, axum::Error> {
    let (mut collected, mut length) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= bytes_max {
            collected.extend_from_slice(&data);
        } else if length > passed_over_max {
            break;
        } else {
            collected = Vec::new();
        }
    }
    Ok((length <= bytes_max).then(|| collected.into()))
}

fn text(body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    let plain = HeaderValue::from_static("text/plain; charset=UTF-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    forbid_keeping(&mut response);
    response
}

fn refuse(rejection: &Rejection) -> Response<Body> {
    let mut response = rejection.response().map(Body::from);
    forbid_keeping(&mut response);
    response
}

fn forbid_keeping(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn empty(response: Response<()>) -> Response<Body> {
    response.map(|()| Body::empty())
}
