//! What is decided about a request before it is served: whether it is in order, and whose
//! connection it is about.

use std::sync::Arc;

use ::http::{Method, Request};

use super::connection::Connection;
use super::mounts::Mounted;
use super::outlet::Carrier;
use super::query::{Carriage, Query};
use super::refusal::Refusal;
use crate::node::Node;
use crate::transport::{Home, SessionSecret, find_home};

/// What a request is about.
pub(super) enum Wanted {
    /// A new connection.
    New,
    Known(Arc<Connection>),
    /// One that is on another node.
    Elsewhere(Home),
}

/// Checks a request whose host and origin are checked, and which asks for a WebSocket or not.
pub(super) fn check<B>(
    request: &Request<B>,
    mounted: &Mounted,
    node: &Node,
    is_upgrade: bool,
) -> Result<Wanted, Refusal> {
    let query = Query::read(request.uri().query())?;
    let wanted = match query.sid {
        Some(sid) => {
            let sid = SessionSecret::parse(sid).ok_or(Refusal::SessionUnknown)?;
            // A WebSocket is tried out where its session is, or not at all: the polls go on.
            let home = find_home(node, request, sid).filter(|_| !is_upgrade);
            if let Some(home) = home.filter(|_| query.carriage == Carriage::Polling) {
                let elsewhere = Wanted::Elsewhere(home);
                return query.is_version_4.then_some(elsewhere).ok_or(Refusal::VersionUnsupported);
            }
            let connection = node.engine.find(sid).filter(|connection| {
                // One of another path is none here.
                connection.outlet.terms.is_kin(&mounted.terms())
            });
            let connection = connection.ok_or(Refusal::SessionUnknown)?;
            let is_polling = matches!(connection.outlet.state().carrier, Carrier::Polling(_));
            match (is_upgrade, query.carriage) {
                // Whether it may take over is decided when it is open.
                (true, Carriage::WebSocket) => {}
                (false, Carriage::Polling) if is_polling => {}
                _ => return Err(Refusal::BadRequest),
            }
            Wanted::Known(connection)
        }
        // Over HTTP/2 a WebSocket is asked for by another method, which has been looked at.
        None if !is_upgrade && request.method() != Method::GET => return Err(Refusal::BadMethod),
        None if is_upgrade != (query.carriage == Carriage::WebSocket) => {
            return Err(Refusal::BadRequest);
        }
        None => Wanted::New,
    };
    match query.is_version_4 {
        true => Ok(wanted),
        false => Err(Refusal::VersionUnsupported),
    }
}
