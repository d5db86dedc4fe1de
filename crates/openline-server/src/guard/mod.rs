//! Who may ask, from where, and how often: what stands between the network and the sessions.
//!
//! [`Guard`] holds what is decided before a line is open: the host and the page that ask
//! (`host`, `origin`, `cors`), whose address it is (`client_address`, `proxy_protocol`), how many
//! lines there may be (`connections`) and how fast new ones may come (`admission`). What is counted
//! afterwards, by command, is in [`rate`] and [`keyed`]; sessions hold those themselves.
//!
//! The clock is a parameter everywhere: milliseconds since any moment, the same for all threads.

mod admission;
mod client_address;
mod connections;
mod cors;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod host;
mod keyed;
mod network;
mod origin;
mod peer_text;
mod proxy_protocol;
mod rate;
mod refusal;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ::http::header::ORIGIN;
use ::http::{HeaderMap, Request, Response, StatusCode};
use openline_ws::Rejection;

use admission::Admission;
pub(crate) use admission::Kind;
use client_address::TrustedProxies;
pub(crate) use connections::Connections;
pub(crate) use connections::{ConnectionLimits, Held, Slot, Whose};
pub(crate) use cors::{Cors, Preflight};
use host::{Host, Hosts};
pub(crate) use keyed::Keyed;
use origin::{Origin, Origins};
use peer_text::shown;
pub(crate) use proxy_protocol::read as read_proxy_header;
pub(crate) use rate::{Bucket, Rate, RetryAfter};
pub(crate) use refusal::Refusal;

/// What the guard goes by. The default is that of a server without a config: no limits, nobody is
/// believed about an address, loopback names and origins only where the server listens on loopback.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// `http.allowed_origins`; see [`Origins::new`]. Empty: loopback origins where the server
    /// listens on loopback, pages of the same host elsewhere.
    pub(crate) allowed_origins: Vec<String>,
    /// `http.allowed_hosts`; see [`Hosts::new`]. Empty: loopback names where the server listens on
    /// loopback, any elsewhere.
    pub(crate) allowed_hosts: Vec<String>,
    /// `http.trusted_proxies`: addresses and networks that are believed about a client's address.
    pub(crate) trusted_proxies: Vec<String>,
    /// `http.proxy_protocol`: connections from trusted proxies begin with a PROXY header.
    pub(crate) proxy_protocol: bool,
    /// Lines, of whatever transport.
    pub(crate) lines: ConnectionLimits,
    /// Sockets, which may carry no line (yet) or many. `per_user` means nothing here.
    pub(crate) sockets: ConnectionLimits,
    /// `limits.admission`: new lines, resumed ones included. None: as fast as they come.
    pub(crate) admission: Option<Rate>,
}

/// Decides who gets a line.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Nobody outside this machine can reach the server, so a page from elsewhere can only be a
    /// trick.
    loopback_only: bool,
    hosts: Hosts,
    origins: Origins,
    proxies: TrustedProxies,
    proxy_protocol: bool,
    lines: Arc<Connections>,
    sockets: Arc<Connections>,
    limits: [ConnectionLimits; 2],
    admission: Option<Arc<Mutex<Admission>>>,
    admission_rate: Option<Rate>,
}

impl Guard {
    /// # Errors
    /// Which entry of which list cannot be used, and what would be right.
    pub(crate) fn new(options: &Options, listen: IpAddr) -> Result<Self, String> {
        let loopback_only = listen.to_canonical().is_loopback();
        Ok(Self {
            loopback_only,
            hosts: Hosts::new(&options.allowed_hosts, loopback_only)?,
            origins: Origins::new(&options.allowed_origins)?,
            proxies: TrustedProxies::new(&options.trusted_proxies)?,
            proxy_protocol: options.proxy_protocol,
            lines: Connections::new(options.lines),
            sockets: Connections::new(options.sockets),
            limits: [options.lines, options.sockets],
            admission: options.admission.map(|rate| Arc::new(Mutex::new(Admission::new(rate)))),
            admission_rate: options.admission,
        })
    }

    /// One with other options that goes on with what this one has counted. Until
    /// [`Guard::take_over`] its limits do not hold.
    ///
    /// # Errors
    /// As of [`Guard::new`].
    pub(crate) fn renewed(&self, options: &Options) -> Result<Self, String> {
        let admission = options.admission.map(|rate| match &self.admission {
            Some(admission) => admission.clone(),
            None => Arc::new(Mutex::new(Admission::new(rate))),
        });
        Ok(Self {
            loopback_only: self.loopback_only,
            hosts: Hosts::new(&options.allowed_hosts, self.loopback_only)?,
            origins: Origins::new(&options.allowed_origins)?,
            proxies: TrustedProxies::new(&options.trusted_proxies)?,
            proxy_protocol: options.proxy_protocol,
            lines: self.lines.clone(),
            sockets: self.sockets.clone(),
            limits: [options.lines, options.sockets],
            admission,
            admission_rate: options.admission,
        })
    }

    /// Has the limits of this one hold for all that share its counts.
    pub(crate) fn take_over(&self) {
        let [lines, sockets] = self.limits;
        self.lines.limit(lines);
        self.sockets.limit(sockets);
        if let (Some(admission), Some(rate)) = (&self.admission, self.admission_rate) {
            admission.lock().unwrap_or_else(PoisonError::into_inner).set_rate(rate);
        }
    }

    /// Checks what the request says it was sent to.
    pub(crate) fn check_host<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        self.hosts.check(request)
    }

    /// Checks the page that opens a line, if it is one.
    pub(crate) fn check_origin<B>(&self, request: &Request<B>) -> Result<(), Rejection> {
        let mut origins = request.headers().get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return Ok(()) };
        let message = if origins.next().is_some() {
            "There must be one Origin header.".to_owned()
        } else if self.allows_origin(request, origin.as_bytes()) {
            return Ok(());
        } else {
            format!("Origin {} is not in http.allowed_origins.", shown(origin.as_bytes()))
        };
        Err(Rejection::new(StatusCode::FORBIDDEN, "origin_not_allowed", message))
    }

    /// What a response to this request must say for other origins' pages to read it. Take it before
    /// the request is consumed, and [`Cors::apply`] it to the response.
    pub(crate) fn cors<B>(&self, request: &Request<B>) -> Cors {
        if self.origins.is_any() {
            return Cors::any();
        }
        let mut origins = request.headers().get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (Some(origin), None) if self.allows_origin(request, origin.as_bytes()) => {
                Cors::listed(origin.clone())
            }
            _ => Cors::refused(),
        }
    }

    /// The answer to a preflight request; None if it is not one.
    pub(crate) fn preflight<B>(
        &self,
        request: &Request<B>,
        allowed: &Preflight,
    ) -> Option<Result<Response<()>, Rejection>> {
        Preflight::is_asked(request).then(|| {
            self.check_origin(request)?;
            Ok(allowed.answer(&self.cors(request)))
        })
    }

    /// Whether a connection from `peer` begins with a PROXY header: read it with
    /// [`read_proxy_header`] before anything else, TLS included, and take the address it names for
    /// the peer's.
    pub(crate) fn expects_proxy_header(&self, peer: IpAddr) -> bool {
        self.proxy_protocol && self.proxies.contain(peer)
    }

    /// Whose request it is, as far as proxies that are trusted say.
    pub(crate) fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.proxies.client_address(peer, headers)
    }

    /// A place for a socket, before a byte is read from it. A trusted proxy's sockets are not
    /// counted by address: they are many clients'.
    ///
    /// # Errors
    /// Which limit is reached. Before TLS there is no way to say so: end the connection.
    pub(crate) fn accept(&self, peer: IpAddr, random: u64) -> Result<Slot, Refusal> {
        let address = (!self.proxies.contain(peer)).then_some(peer);
        Connections::enter(&self.sockets, address).map_err(|over| over.refusal(random))
    }

    /// A place for a line of the client at `address` ([`Guard::client_address`]). It is given back
    /// when the slot is dropped.
    ///
    /// # Errors
    /// Which limit is reached: answer with its [`Rejection`], or close with 1013 where the line is
    /// open already.
    pub(crate) fn admit(
        &self,
        address: IpAddr,
        kind: Kind,
        now_ms: u64,
        random: u64,
    ) -> Result<Slot, Refusal> {
        // What is beyond the lines is kept for requests.
        if let Some(most) = self.reserve_begins()
            && self.sockets.count() > most
        {
            return Err(Connections::full(most).refusal(random));
        }
        // The counts first: who is refused by them takes no turn from others.
        let slot =
            Connections::enter(&self.lines, Some(address)).map_err(|over| over.refusal(random))?;
        if let Some(admission) = &self.admission {
            let mut admission = admission.lock().unwrap_or_else(PoisonError::into_inner);
            admission.take(kind, now_ms, random).map_err(Refusal::too_fast)?;
        }
        Ok(slot)
    }

    /// A place for a line that another process let in.
    ///
    /// # Errors
    /// As [`Guard::admit`]; it takes no turn from those who come.
    pub(crate) fn readmit(&self, address: IpAddr, random: u64) -> Result<Slot, Refusal> {
        Connections::enter(&self.lines, Some(address)).map_err(|over| over.refusal(random))
    }

    /// Whether there are so many sockets that the newest are to be brief: those beyond the lines that
    /// may be are for whoever asks how the server is.
    pub(crate) fn is_crowded(&self) -> bool {
        self.reserve_begins().is_some_and(|most| self.sockets.count() > most)
    }

    /// Sockets that may become lines.
    fn reserve_begins(&self) -> Option<u32> {
        let lines = self.lines.limits().per_node?;
        self.sockets.limits().per_node.filter(|sockets| *sockets > lines).map(|_| lines)
    }

    /// Over how long clients are to spread their first attempt to come back, if all of them are cut
    /// off now.
    pub(crate) fn retry_spread_ms(&self) -> u64 {
        admission::retry_spread_ms(self.lines(), self.admission_rate)
    }

    /// Lines that hold a slot.
    pub(crate) fn lines(&self) -> u32 {
        self.lines.count()
    }

    /// Those lines, for other nodes to count too.
    pub(crate) fn counted_lines(&self) -> &Connections {
        &self.lines
    }

    fn allows_origin<B>(&self, request: &Request<B>, origin: &[u8]) -> bool {
        let Some(origin) = Origin::parse(origin) else { return false };
        if !self.origins.is_empty() {
            self.origins.contain(&origin)
        } else if self.loopback_only {
            origin.is_loopback()
        } else {
            Host::of(request).is_some_and(|host| origin.is_at(host))
        }
    }
}
