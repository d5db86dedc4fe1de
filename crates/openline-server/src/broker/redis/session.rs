//! [`Session`]: two connections to one Redis, one to ask and one to hear. They come and go together.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo as _, ProtocolVersion, PushInfo, PushKind,
    RedisError, RedisResult, TlsCertificates, Value, cmd, io::tcp::TcpSettings,
};
use tokio::sync::{Notify, mpsc};

use super::commands::IN_FLIGHT_MAX;
use super::entry;
use super::inspection::Inspection;
use super::names::Names;
use super::scripts::Script;
use crate::broker::NodeId;
use crate::broker::shared::Report;
use crate::config;
use crate::node::StartError;

/// How often it is looked whether the connection that only hears is there still.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// What it takes to connect.
pub(super) struct Connector {
    client: Client,
    names: Names,
    node: NodeId,
    timeout: Duration,
}

/// Two connections, until the first of them breaks.
pub(super) struct Session {
    pub(super) commands: MultiplexedConnection,
    pub(super) topics: MultiplexedConnection,
    pub(super) inspection: Inspection,
    hearing: Arc<Hearing>,
    timeout: Duration,
}

/// What a session reports, until it is over.
struct Hearing {
    /// None once it is over: nothing may come behind [`Report::Down`].
    reports: Mutex<Option<mpsc::UnboundedSender<Report>>>,
    broken: Notify,
    names: Names,
    node: NodeId,
}

impl Connector {
    pub(super) fn new(settings: &config::Broker, node: NodeId) -> Result<Self, StartError> {
        let url = settings.url.as_ref().map_or("", |url| url.expose());
        let wrong = |error: RedisError| {
            StartError::Config(format!("broker.url cannot be used: {}", without_url(&error)))
        };
        let info = url.into_connection_info().map_err(wrong)?;
        let login = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let tcp = TcpSettings::default().set_nodelay(true);
        let info = info.set_redis_settings(login).set_tcp_settings(tcp);
        let client = match &settings.ca {
            Some(path) => {
                let wrong = |error: &dyn fmt::Display| {
                    let path = path.display();
                    StartError::Config(format!("broker.ca: {path} cannot be used: {error}"))
                };
                let root_cert = std::fs::read(path).map_err(|error| wrong(&error))?;
                let ca = TlsCertificates { client_tls: None, root_cert: Some(root_cert) };
                Client::build_with_tls(info, ca).map_err(|error| wrong(&error))?
            }
            None => Client::open(info).map_err(wrong)?,
        };
        let names = Names::new(settings.prefix.as_str());
        Ok(Self { client, names, node, timeout: settings.timeout })
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Connects; says why if it cannot.
    pub(super) async fn connect(
        &self,
        reports: &mpsc::UnboundedSender<Report>,
    ) -> Result<Session, String> {
        let connecting = tokio::time::timeout(self.timeout, self.open(reports));
        match connecting.await {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("it did not answer within {:?}", self.timeout)),
        }
    }

    async fn open(
        &self,
        reports: &mpsc::UnboundedSender<Report>,
    ) -> RedisResult<Result<Session, String>> {
        let hearing = Arc::new(Hearing {
            reports: Mutex::new(Some(reports.clone())),
            broken: Notify::new(),
            names: self.names.clone(),
            node: self.node,
        });
        let mut commands = self.connection(&hearing).await?;
        let inspection = Inspection::of(&mut commands).await?;
        if let Some(why) = inspection.refusal() {
            return Ok(Err(why));
        }
        for script in Script::load_all() {
            script.query_async::<()>(&mut commands).await?;
        }
        let mut topics = self.connection(&hearing).await?;
        if Inspection::run_of(&mut topics).await? != inspection.run {
            return Ok(Err("two servers answer at this address by turns; name one".to_owned()));
        }
        topics.subscribe(&[self.names.nodes(), self.names.node(self.node)]).await?;
        let timeout = self.timeout;
        Ok(Ok(Session { commands, topics, inspection, hearing, timeout }))
    }

    async fn connection(&self, hearing: &Arc<Hearing>) -> RedisResult<MultiplexedConnection> {
        let hearing = hearing.clone();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(IN_FLIGHT_MAX + 64)
            .set_push_sender(move |push| {
                hearing.hear(push);
                Ok::<_, redis::aio::SendError>(())
            });
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }
}

impl Session {
    /// Ready when something broke, with the reason.
    pub(super) fn broken(&self) -> impl Future<Output = String> + use<> {
        let (hearing, mut topics) = (self.hearing.clone(), self.topics.clone());
        let timeout = self.timeout;
        let interval = PING_INTERVAL.min(timeout / 2);
        let pings = async move {
            loop {
                tokio::time::sleep(interval).await;
                let ping = cmd("PING");
                let pong = tokio::time::timeout(timeout, ping.query_async::<Value>(&mut topics));
                match pong.await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => return error.to_string(),
                    Err(_) => return format!("it did not answer within {timeout:?}"),
                }
            }
        };
        async move {
            tokio::select! {
                () = hearing.broken.notified() => "the connection was closed".to_owned(),
                why = pings => why,
            }
        }
    }

    /// Has it report nothing any more.
    pub(super) fn silence(&self) {
        *self.hearing.reports() = None;
    }
}

impl Hearing {
    fn hear(&self, push: PushInfo) {
        match push.kind {
            PushKind::Disconnection => self.broken.notify_one(),
            PushKind::Message => {
                let [Value::BulkString(topic), Value::BulkString(message)] = &push.data[..] else {
                    return;
                };
                let report = entry::report(&self.names, self.node, topic, message);
                if let (Some(report), Some(reports)) = (report, &*self.reports()) {
                    let _ = reports.send(report);
                }
            }
            _ => {}
        }
    }

    fn reports(&self) -> std::sync::MutexGuard<'_, Option<mpsc::UnboundedSender<Report>>> {
        self.reports.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The crate's errors about a URL do not repeat it, but what they add in detail might.
fn without_url(error: &RedisError) -> &str {
    error.category()
}
