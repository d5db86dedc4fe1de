//! How clients come to endpoints with a vocabulary of their own.

use std::sync::Arc;

use ::http::Request;
use openline_ws::{QueueOptions, Rejection, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::form::{Form, Style};
use crate::app::{Endpoint, Wire};
use crate::connection::Site;
use crate::exchange::Line;
use crate::metrics::Transport;
use crate::node::Node;
use crate::session::{Arrival, Served, Session};
use crate::shard::Shard;
use crate::transport::{self, Visitor, websocket};

/// An endpoint, and what the path has in the place of its parameter.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) parameter: Box<str>,
}

/// A client that was let in.
pub(crate) struct Guest {
    pub(crate) visitor: Visitor,
    pub(crate) door: Door,
}

impl Door {
    /// The subprotocol to choose.
    pub(crate) fn protocol(&self, offered: &[String]) -> Option<String> {
        let known = &self.endpoint.options.protocols;
        known.iter().find(|protocol| offered.contains(protocol)).cloned()
    }

    fn form(&self) -> Form {
        let options = &self.endpoint.options;
        match self.endpoint.wire {
            Wire::Plain => {
                Form::Plain(Style { repeats: options.repeats, is_quiet: options.is_quiet })
            }
            // Those over Engine.IO have connections of their own.
            Wire::Raw | Wire::EngineIo => Form::Raw,
        }
    }

    fn queue(&self, node: &Node) -> Arc<QueueOptions> {
        self.endpoint.options.queue.clone().unwrap_or_else(|| node.settings().queue_options.clone())
    }
}

/// Lets a client in, or says why not. A page here has no message to say who it is: what is wrong with
/// its token, or that it has none, is told by the answer to its request.
pub(crate) async fn enter<B>(
    door: Door,
    request: &Request<B>,
    site: &Site,
) -> Result<Guest, Rejection> {
    let Site { node, peer, .. } = site;
    let visitor = match door.endpoint.options.is_open {
        true => transport::enter_without_token(node, request, *peer)?,
        false => transport::enter_endpoint(node, request, *peer).await?,
    };
    Ok(Guest { visitor, door })
}

/// Serves a line until it closes, in a task of its own.
pub(crate) fn spawn<S>(
    ws: WebSocket<S>,
    guest: Guest,
    shard: Arc<Shard>,
    node: Arc<Node>,
) -> JoinHandle<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Guest { visitor: Visitor { client, address, slot, identity }, door } = guest;
    let (reader, sender) = ws.split_with(door.queue(&node));
    let arrival = Arrival {
        transport: Transport::WebSocket,
        line: Line::Plain { sender, form: door.form() },
        identity,
        slot: Some(slot),
        client: Some(client),
        address,
        handlers: Some(served(door)),
    };
    websocket::run(reader, Session::open(&node, &shard, arrival))
}

fn served(door: Door) -> Served {
    Served { set: door.endpoint.set.clone(), parameter: door.parameter }
}
