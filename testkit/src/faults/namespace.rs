//! [`Namespace`]: a network of its own for a node, whose only way out can be taken away.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::program::{run, run_at_the_end};

/// What all names begin with; the number of the process that made it follows.
const PREFIX: &str = "olc";
/// Addresses that a process gives its namespaces, one after the other.
const ADDRESSES: u32 = 60;

/// A network namespace with one cable to this machine. Dropping it deletes it.
pub(super) struct Namespace {
    name: String,
    /// The ends of the cable.
    inside: String,
    outside: String,
    here: Ipv4Addr,
    there: Ipv4Addr,
}

impl Namespace {
    /// Makes one. Needs root.
    pub(super) async fn new() -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        remove_orphans();
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let name = format!("{PREFIX}-{process}-{count}");
        // Interface names have 15 letters at most.
        let (outside, inside) = (format!("olo{process}-{count}"), format!("oli{process}-{count}"));
        let [.., high, low] = process.to_be_bytes();
        let host = u8::try_from(count % ADDRESSES).unwrap_or_default() * 4;
        let net = 100 + (high & 63);
        let here = Ipv4Addr::new(10, net, low, host + 1);
        let there = Ipv4Addr::new(10, net, low, host + 2);
        run(&["ip", "netns", "add", &name]).await?;
        let this = Self { name, inside, outside, here, there };
        let (name, inside, outside) = (&*this.name, &*this.inside, &*this.outside);
        let peer = ["type", "veth", "peer", "name", inside, "netns", name];
        run(&[&["ip", "link", "add", outside][..], &peer].concat()).await?;
        run(&["ip", "addr", "add", &format!("{here}/30"), "dev", outside]).await?;
        run(&["ip", "link", "set", outside, "up"]).await?;
        this.inside(&["addr", "add", &format!("{there}/30"), "dev", inside]).await?;
        this.inside(&["link", "set", inside, "up"]).await?;
        this.inside(&["link", "set", "lo", "up"]).await?;
        Ok(this)
    }

    /// What runs a program in it.
    pub(super) fn command(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.name].map(str::to_owned).to_vec()
    }

    /// This machine, as who is inside sees it.
    pub(super) fn here(&self) -> Ipv4Addr {
        self.here
    }

    /// Who is inside, as this machine sees it.
    pub(super) fn there(&self) -> Ipv4Addr {
        self.there
    }

    /// Pulls the cable out, or puts it back.
    pub(super) async fn set_cable(&self, plugged: bool) -> Result<(), String> {
        self.inside(&["link", "set", &self.inside, if plugged { "up" } else { "down" }]).await
    }

    /// Has all that is sent from inside vanish, or not any more.
    pub(super) async fn set_route(&self, there: bool) -> Result<(), String> {
        let how = if there { "del" } else { "add" };
        self.inside(&["route", how, "blackhole", &format!("{}/32", self.here)]).await
    }

    async fn inside(&self, arguments: &[&str]) -> Result<(), String> {
        run(&[&["ip", "-n", self.name.as_str()], arguments].concat()).await
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The cable would go with it, but in its own time.
        run_at_the_end(&["ip", "link", "del", &self.outside]);
        run_at_the_end(&["ip", "netns", "del", &self.name]);
    }
}

/// Deletes the namespaces of processes that are gone: ones that were killed.
fn remove_orphans() {
    let Ok(entries) = std::fs::read_dir("/run/netns") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1));
        if process.is_some_and(|process| !std::path::Path::new("/proc").join(process).exists()) {
            run_at_the_end(&["ip", "netns", "del", &name]);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    async fn reaches(namespace: &Namespace) -> bool {
        let (here, there) = (namespace.here().to_string(), namespace.there().to_string());
        let listener = tokio::net::TcpListener::bind((here.as_str(), 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = format!("exec 3<>/dev/tcp/{here}/{port}");
        let mut command = namespace.command();
        command.extend(["timeout", "2", "bash", "-c", &script].map(str::to_owned));
        let command: Vec<_> = command.iter().map(String::as_str).collect();
        let accepted = async { listener.accept().await.unwrap().1.ip().to_string() == there };
        match run(&command).await {
            Ok(()) => accepted.await,
            Err(_) => false,
        }
    }

    #[tokio::test]
    #[ignore = "needs root"]
    async fn a_namespace_loses_its_cable_and_its_route_and_gets_them_back() {
        let namespace = Namespace::new().await.unwrap();
        let name = namespace.name.clone();
        assert!(reaches(&namespace).await);
        namespace.set_cable(false).await.unwrap();
        assert!(!reaches(&namespace).await);
        namespace.set_cable(true).await.unwrap();
        assert!(reaches(&namespace).await);
        namespace.set_route(false).await.unwrap();
        assert!(!reaches(&namespace).await);
        namespace.set_route(true).await.unwrap();
        assert!(reaches(&namespace).await);
        drop(namespace);
        assert!(!std::path::Path::new("/run/netns").join(name).exists());
    }
}
