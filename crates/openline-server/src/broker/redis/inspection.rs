//! [`Inspection`]: what a Redis says about itself, and what of that an operator should know.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};

/// The first version that has all that is used.
const VERSION_MIN: u32 = 7;

/// A Redis as it was when it was connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inspection {
    /// Names the process.
    pub(super) run: String,
    version: String,
    /// Of whom it is a replica, if it is one.
    replica_of: Option<String>,
    is_cluster: bool,
    /// Which keys it forgets when there is no more memory.
    eviction: String,
    writes_log: bool,
    /// When the log is written to the disk, if that can be known.
    log_sync: Option<String>,
    /// Whether it writes snapshots, if that can be known.
    snapshots: Option<bool>,
}

impl Inspection {
    pub(super) async fn of(connection: &mut MultiplexedConnection) -> RedisResult<Self> {
        let info = info(connection, &[]).await?;
        // Not each Redis lets one read its configuration.
        let mut setting = async |name: &str| -> Option<String> {
            let mut command = cmd("CONFIG");
            command.arg("GET").arg(name);
            let answer: RedisResult<HashMap<String, String>> =
                command.query_async(connection).await;
            answer.ok()?.remove(name)
        };
        let log_sync = setting("appendfsync").await;
        let snapshots = setting("save").await.map(|save| !save.is_empty());
        Ok(Self::from_info(&info, log_sync, snapshots))
    }

    /// Names the process at the other end of a connection.
    pub(super) async fn run_of(connection: &mut MultiplexedConnection) -> RedisResult<String> {
        let info = info(connection, &["server"]).await?;
        Ok(info.get("run_id").cloned().unwrap_or_default())
    }

    fn from_info(
        info: &HashMap<String, String>,
        log_sync: Option<String>,
        snapshots: Option<bool>,
    ) -> Self {
        let value = |name: &str| info.get(name).cloned().unwrap_or_default();
        let is_replica = value("role") == "slave";
        Self {
            run: value("run_id"),
            version: value("redis_version"),
            replica_of: is_replica
                .then(|| format!("{}:{}", value("master_host"), value("master_port"))),
            is_cluster: value("cluster_enabled") == "1",
            eviction: value("maxmemory_policy"),
            writes_log: value("aof_enabled") == "1",
            log_sync,
            snapshots,
        }
    }

    /// Why it cannot be used, if so.
    pub(super) fn refusal(&self) -> Option<String> {
        if let Some(primary) = &self.replica_of {
            return Some(format!(
                "it is a replica of {primary}, which takes no publications; name the primary in \
                 broker.url"
            ));
        }
        self.is_cluster.then(|| {
            "it is a part of a Redis cluster, which is not supported; name a Redis that stands \
             alone, or a primary with replicas"
                .to_owned()
        })
    }

    /// What an operator should know.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let major = self.version.split('.').next().and_then(|major| major.parse().ok());
        if major.is_some_and(|major: u32| major < VERSION_MIN) {
            warnings.push(format!(
                "Redis {} is older than what Openline is tested with; use version {VERSION_MIN}.0 \
                 or later",
                self.version
            ));
        }
        if !matches!(self.eviction.as_str(), "noeviction" | "") {
            warnings.push(format!(
                "Redis has maxmemory-policy {}: under memory pressure it deletes channels, whose \
                 subscribers are then told \"trimmed\" or \"epoch\", and forgets keys, so that \
                 retries are published twice; set it to noeviction",
                self.eviction
            ));
        }
        match (self.writes_log, self.log_sync.as_deref(), self.snapshots) {
            (true, Some("no"), _) => warnings.push(
                "Redis has appendfsync no: a power loss costs what the system had not written, \
                 often 30 s; readers that are ahead are told \"fork\"; set it to everysec or always"
                    .to_owned(),
            ),
            (true, _, _) => {}
            (false, _, Some(false)) => warnings.push(
                "Redis keeps nothing on disk: a restart costs all history and all keys, and \
                 readers are told \"epoch\"; set appendonly yes"
                    .to_owned(),
            ),
            (false, _, _) => warnings.push(
                "Redis has appendonly no: a restart goes back to the last snapshot, and what was \
                 published since is lost; readers that are ahead are told \"fork\"; set appendonly \
                 yes"
                .to_owned(),
            ),
        }
        warnings
    }
}

async fn info(
    connection: &mut MultiplexedConnection,
    sections: &[&str],
) -> RedisResult<HashMap<String, String>> {
    let text: String = cmd("INFO").arg(sections).query_async(connection).await?;
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    Ok(lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspect(
        pairs: &[(&str, &str)],
        log_sync: Option<&str>,
        snapshots: Option<bool>,
    ) -> Inspection {
        let good = [
            ("run_id", "r"),
            ("redis_version", "7.0.15"),
            ("role", "master"),
            ("maxmemory_policy", "noeviction"),
            ("aof_enabled", "1"),
        ];
        let info = good.iter().chain(pairs);
        let info = info.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Inspection::from_info(&info, log_sync.map(str::to_owned), snapshots)
    }

    #[test]
    fn a_redis_that_keeps_what_it_acks_is_not_warned_of() {
        for log_sync in [Some("everysec"), Some("always"), None] {
            let inspection = inspect(&[], log_sync, Some(false));
            assert_eq!((inspection.refusal(), inspection.warnings()), (None, Vec::new()));
        }
    }

    #[test]
    fn each_setting_that_costs_something_is_named() {
        let without_log = [("aof_enabled", "0")];
        let cases = [
            (inspect(&[("redis_version", "6.2.1")], None, None), "6.2.1"),
            (inspect(&[("maxmemory_policy", "allkeys-lru")], None, None), "allkeys-lru"),
            (inspect(&[], Some("no"), None), "appendfsync no"),
            (inspect(&without_log, None, Some(true)), "last snapshot"),
            (inspect(&without_log, None, None), "last snapshot"),
            (inspect(&without_log, None, Some(false)), "nothing on disk"),
        ];
        for (inspection, words) in cases {
            let warnings = inspection.warnings();
            assert!(warnings.len() == 1 && warnings[0].contains(words), "{warnings:?}");
        }
    }

    #[test]
    fn what_takes_no_publications_is_refused() {
        let replica = [("role", "slave"), ("master_host", "redis-1"), ("master_port", "6379")];
        assert!(
            inspect(&replica, None, None).refusal().is_some_and(|w| w.contains("redis-1:6379"))
        );
        assert!(inspect(&[("cluster_enabled", "1")], None, None).refusal().is_some());
    }
}
