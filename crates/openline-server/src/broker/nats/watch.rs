//! The task that connects, and watches the connection.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{ConnectOptions, Event, ServerAddr, ServerInfo};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Shared;
use super::connection::{Failure, NO_JETSTREAM_SAID};
use crate::broker::shared::Report;

/// The longest pause between tries to connect.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The oldest version that has what is needed.
const VERSION_LEAST: (i64, i64, i64) = (2, 9, 0);

/// The first that can be told to write each message to disk before it acks it.
const VERSION_SYNCING: (i64, i64, i64) = (2, 10, 0);

/// What a message of the protocol may need beside the data that clients may publish.
const ENVELOPE_BYTES: usize = 8 << 10;
const DATA_MAX: usize = 1 << 20;

/// Connects, and says so each time that the connection comes or goes; ends with the client.
pub(super) async fn watch(shared: Arc<Shared>) {
    let (events, mut happened) = mpsc::unbounded_channel();
    let connected = async {
        let address: ServerAddr = shared.url.parse()?;
        let options = options(&shared, &address, events)?;
        options.connect(address).await.map_err(std::io::Error::other)
    };
    match connected.await {
        Ok(client) => shared.connection.set_client(client),
        Err(error) => {
            // Nothing that waiting could mend: an address or a file that cannot be read.
            shared.hearing.report(Report::Down(error.to_string()));
            return;
        }
    }
    let mut watch = Watch { shared, said_down: false };
    while let Some(event) = happened.recv().await {
        watch.handle(event).await;
    }
}

fn options(
    shared: &Arc<Shared>,
    address: &ServerAddr,
    events: mpsc::UnboundedSender<Event>,
) -> std::io::Result<ConnectOptions> {
    let timeout = shared.connection.timeout();
    let mut options = ConnectOptions::new()
        .name(format!("openline {}", shared.node))
        .retry_on_initial_connect()
        .connection_timeout(timeout)
        // A server that hangs is given up after three of them.
        .ping_interval((timeout / 4).max(Duration::from_millis(20)))
        .request_timeout(None)
        .reconnect_delay_callback(|tries| match tries {
            0 | 1 => Duration::ZERO,
            tries => PAUSE_MAX.min(Duration::from_millis(20) * 2_u32.pow(tries.min(10) as u32)),
        })
        .event_callback(move |event| {
            let _ = events.send(event);
            async {}
        });
    // A user alone is a token.
    match (address.username(), address.password()) {
        (Some(user), Some(password)) => {
            options = options.user_and_password(decoded(user), decoded(password));
        }
        (Some(token), None) => options = options.token(decoded(token)),
        (None, _) => {}
    }
    if let Some(ca) = &shared.ca {
        options = options.add_root_certificates(ca.clone()).require_tls(true);
    }
    Ok(options)
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

struct Watch {
    shared: Arc<Shared>,
    /// That it is down was said, and why.
    said_down: bool,
}

impl Watch {
    async fn handle(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected().await,
            Event::Disconnected => self.down("the connection to NATS is lost"),
            Event::Closed => self.down("the connection to NATS is closed"),
            // What was not read in time is gone: as if the connection had been lost.
            Event::SlowConsumer(_) => self.again("a subscription fell behind").await,
            Event::LameDuckMode => self.leave().await,
            Event::ServerError(error) if !self.shared.connection.is_up() => {
                self.down(&format!("NATS: {error}"));
            }
            Event::ClientError(error) if !self.shared.connection.is_up() => {
                self.down(&format!("NATS is not reached: {error}"));
            }
            Event::ServerError(_) | Event::ClientError(_) | Event::Draining => {}
        }
    }

    /// All is heard anew from here on.
    async fn again(&mut self, why: &str) {
        if self.shared.connection.is_up() {
            self.down(why);
            self.connected().await;
        }
    }

    /// The server is about to end. Another one is gone to before it cuts the connection, at a time of
    /// this node's own, so that not all come there at once.
    async fn leave(&self) {
        let Some(client) = self.shared.connection.client_now() else { return };
        if client.server_pool().await.is_ok_and(|servers| servers.len() > 1) {
            sleep(PAUSE_MAX.mul_f64(rand::random::<f64>())).await;
            let _ = client.force_reconnect().await;
        }
    }

    fn down(&mut self, why: &str) {
        let was_up = self.shared.connection.is_up();
        if was_up || !self.said_down {
            self.said_down = true;
            self.shared.connection.went_down();
            self.shared.hearing.end();
            self.shared.hearing.report(Report::Down(why.to_owned()));
        }
    }

    /// The connection is there; it is up once JetStream answers and nodes are heard.
    async fn connected(&mut self) {
        let shared = self.shared.clone();
        let Some(client) = shared.connection.client_now() else { return };
        let losses = client.statistics().connects.load(std::sync::atomic::Ordering::Relaxed);
        let is_same =
            || client.statistics().connects.load(std::sync::atomic::Ordering::Relaxed) == losses;
        while is_same() {
            match self.prepare().await {
                Ok(()) => {
                    self.said_down = false;
                    shared.connection.came_up();
                    shared.hearing.report(Report::Up);
                    return;
                }
                Err(Failure::NoJetStream) => self.down(NO_JETSTREAM_SAID),
                Err(Failure::Refused(why)) => self.down(&format!("NATS: {why}")),
                Err(_) => self.down("NATS does not answer"),
            }
            sleep(PAUSE_MAX).await;
        }
    }

    async fn prepare(&self) -> Result<(), Failure> {
        let shared = &self.shared;
        shared.connection.api("INFO", Value::Null).await?;
        shared.hear_nodes().await?;
        if let Some(client) = shared.connection.client_now() {
            warn(shared, &client.server_info(), |(major, minor, patch)| {
                client.is_server_compatible(major, minor, patch)
            });
        }
        Ok(())
    }
}

fn warn(shared: &Shared, server: &ServerInfo, is: impl Fn((i64, i64, i64)) -> bool) {
    let version = &server.version;
    if !is(VERSION_LEAST) {
        shared.connection.warn(format!(
            "nats-server {version} lacks what channels with history need; use 2.9 or later"
        ));
    }
    shared.connection.warn(if is(VERSION_SYNCING) {
        "NATS acks what it may not have written to disk yet, unless its sync_interval is \"always\": \
         what was acked since the last sync, 2 minutes if nothing else is set, can be lost with the \
         power, and readers are told so (fork)"
            .to_owned()
    } else {
        format!(
            "nats-server {version} writes what it acked to disk each 2 minutes: that much can be lost \
             with the power, and readers are told so (fork); from 2.10 on it can be set \
             (sync_interval: always)"
        )
    });
    if server.max_payload < DATA_MAX + ENVELOPE_BYTES {
        shared.connection.warn(format!(
            "NATS takes messages of {} bytes: publications near to that or larger are refused; set \
             its max_payload to {} to have all of them",
            server.max_payload,
            DATA_MAX + ENVELOPE_BYTES
        ));
    }
}
