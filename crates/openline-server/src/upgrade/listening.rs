//! [`Listening`]: the listening socket, wherever it comes from.

use std::env;
use std::net::{SocketAddr, TcpListener};
use std::{io, process};

use listenfd::ListenFd;
use rustix::net::sockopt;
use socket2::{Domain, Socket, Type};

use super::control;
use super::predecessor::Predecessor;
use crate::config::{Config, ConfigError};
use crate::node::StartError;

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 4096;

/// A socket that listens. The system answers clients from now on; they are served when a server runs
/// on it.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    predecessor: Option<Predecessor>,
}

impl Listening {
    /// Listens on an address. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`StartError::Listen`].
    pub fn at(address: SocketAddr) -> Result<Self, StartError> {
        let failed = |error| StartError::Listen { address, error };
        let listener = listen(address).map_err(failed)?;
        Self::on(listener).map_err(failed)
    }

    /// The socket that systemd, or another program that starts services, has opened for this process
    /// (`LISTEN_PID`, `LISTEN_FDS`); none if it has not. The variables are taken out of the
    /// environment, so this is to be called before there are threads, and once.
    ///
    /// # Errors
    /// [`StartError::Config`] if there are several sockets, or one that a server cannot use.
    pub fn from_environment() -> Result<Option<Self>, StartError> {
        // Without a process named the sockets could be those of a parent.
        let ours = env::var("LISTEN_PID").is_ok_and(|pid| pid == process::id().to_string());
        if !ours {
            return Ok(None);
        }
        let mut sockets = ListenFd::from_env();
        let count = sockets.len();
        if count > 1 {
            return Err(StartError::Config(format!(
                "LISTEN_FDS={count}: this server listens on one socket; name one ListenStream"
            )));
        }
        let unfit = |why: &dyn std::fmt::Display| {
            StartError::Config(format!("the socket of LISTEN_FDS cannot be used: {why}"))
        };
        let Some(listener) = sockets.take_tcp_listener(0).map_err(|error| unfit(&error))? else {
            return Ok(None);
        };
        Self::passed(listener).map(Some).map_err(|error| unfit(&error))
    }

    /// The socket of the server that runs with the same data directory, or the same
    /// `upgrade.socket`. A server that is made on it has that one close its store, and takes over when
    /// it runs; that one drains then. If it does not get so far, that one goes on as before.
    ///
    /// # Errors
    /// [`StartError::Takeover`] if there is none or it does not agree, [`StartError::Config`] if it
    /// cannot be asked.
    pub fn take_over(config: &Config) -> Result<Self, StartError> {
        let Some(socket) = control::path(config) else {
            let what =
                "a server with ephemeral=true is taken over from where upgrade.socket says; set it";
            return Err(StartError::Config(what.to_owned()));
        };
        let (predecessor, listener) = Predecessor::ask(&socket, config.upgrade.timeout)?;
        let unfit = |error| StartError::Listen { address: config.listen, error };
        let listening = Self::passed(listener).map_err(unfit)?;
        Ok(Self { predecessor: Some(predecessor), ..listening })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The configuration of a server that is reached here, whatever its `listen` says.
    ///
    /// # Errors
    /// What is unsafe at this address, and was not at that of `listen`.
    pub fn configure(&self, config: Config) -> Result<Config, Vec<ConfigError>> {
        config.reached_at(self.address)
    }

    /// A socket that another process opened.
    fn passed(listener: TcpListener) -> io::Result<Self> {
        if !sockopt::socket_acceptconn(&listener)? {
            let what = "it does not listen; a TCP socket that does is needed";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        listener.set_nonblocking(true)?;
        Self::on(listener)
    }

    fn on(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Self { listener, address, predecessor: None })
    }

    /// The process before, whose socket this is.
    pub(crate) fn predecessor(&mut self) -> Option<&mut Predecessor> {
        self.predecessor.as_mut()
    }

    pub(crate) fn into_parts(self) -> (TcpListener, Option<Predecessor>) {
        (self.listener, self.predecessor)
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A server that restarts takes its port again while old connections linger. Two servers cannot
    // share it: that would need SO_REUSEPORT, which would also hide that the port is taken.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
