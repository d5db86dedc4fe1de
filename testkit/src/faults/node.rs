//! [`Node`]: a server under test, with all that stands around it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::sleep;

use super::Options;
use super::broker_server::{BrokerServer, copy_of_a_moment, put_back};
use super::clock::FalseClock;
use super::disk::SmallDisk;
use super::namespace::Namespace;
use super::probe::{free_address, is_ready};
use super::program::Program;
use super::proxy::Proxy;
use crate::seed::Seed;

const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Of a node that was asked to end and has had its time.
const END_TIMEOUT: Duration = Duration::from_millis(300);
/// Of a node from which another process takes over: it closes its lines first.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(30);
/// The exit code of a process that was to take over, and left everything to the one that runs.
const TOOK_NOTHING_OVER: i32 = 75;
/// A node that was taken over from is not ready any more after this.
const DRAIN_BEGINS: Duration = Duration::from_millis(300);
/// Room for the reserve that the server leaves free, and some more.
const DISK_MEBIBYTES: u32 = 256;

/// What a node may be given besides a process.
pub(super) struct Surroundings {
    pub(super) network: bool,
    pub(super) disk: bool,
    pub(super) clock: bool,
}

/// A node. Fields are dropped in their order: the process first.
pub(super) struct Node {
    program: Program,
    /// What takes over from it, until it has.
    successor: Option<Program>,
    listen: SocketAddr,
    /// Between clients and it.
    pub(super) front: Proxy,
    /// Between it and the broker.
    pub(super) link: Option<Proxy>,
    pub(super) clock: Option<FalseClock>,
    pub(super) disk: Option<SmallDisk>,
    pub(super) network: Option<Namespace>,
    data: PathBuf,
    copy: PathBuf,
}

impl Node {
    /// Starts the node of a number, and waits until it is ready.
    pub(super) async fn start(
        options: &Options,
        number: usize,
        broker: Option<&BrokerServer>,
        around: &Surroundings,
        config: &str,
    ) -> Result<Self, String> {
        let name = format!("node-{number}");
        let place = |suffix: &str| options.folder.join(format!("{name}{suffix}"));
        let data = place("");
        let network = if around.network { Some(Namespace::new().await?) } else { None };
        let disk = match around.disk {
            true => Some(SmallDisk::mount(&data, DISK_MEBIBYTES).await?),
            false => None,
        };
        let clock = around.clock.then(|| FalseClock::new(place(".clock"))).transpose()?;
        let inside = network.as_ref().map_or(Ipv4Addr::LOCALHOST, Namespace::there);
        // Ports inside are the node's alone; one that is free here is as good as any.
        let port = free_address(Ipv4Addr::LOCALHOST.into())?.port();
        let listen = SocketAddr::new(inside.into(), port);
        let here = network.as_ref().map_or(Ipv4Addr::LOCALHOST, Namespace::here);
        let seed = Seed::new(options.seed).part(&name);
        let proxy = async |at: IpAddr, to, part: &str| {
            let proxy = Proxy::start(at, to, seed.part(part)).await;
            proxy.map_err(|error| format!("a proxy on {at}: {error}"))
        };
        let front = proxy(Ipv4Addr::LOCALHOST.into(), listen, "front").await?;
        let mut environment = options.env.clone();
        environment.extend(clock.as_ref().map(FalseClock::environment).unwrap_or_default());
        let link = match broker {
            Some(broker) => {
                let link = proxy(here.into(), broker.address(), "link").await?;
                environment.push(("OPENLINE_BROKER_URL".to_owned(), broker.url(link.address())));
                Some(link)
            }
            None => None,
        };
        let file = place(".toml");
        fs::write(&file, config).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut command = network.as_ref().map(Namespace::command).unwrap_or_default();
        command.extend([
            options.bin.to_string_lossy().into_owned(),
            "serve".to_owned(),
            "--threads=1".to_owned(),
            // Inside a network of its own it is not on a loopback address.
            "--insecure-dev".to_owned(),
            format!("--listen={listen}"),
            format!("--config={}", file.display()),
            format!("--data-dir={}", data.display()),
        ]);
        let program = Program::new(&name, command, place(".log")).with_environment(environment);
        let copy = place("-copy");
        let successor = None;
        let mut this =
            Self { program, successor, listen, front, link, clock, disk, network, data, copy };
        this.program.start()?;
        this.wait().await?;
        Ok(this)
    }

    pub(super) async fn kill(&mut self) {
        self.program.kill().await;
    }

    pub(super) async fn pause(&self) -> Result<(), String> {
        self.program.pause().await
    }

    pub(super) async fn go_on(&self) -> Result<(), String> {
        self.program.go_on().await
    }

    /// Starts another process that takes over, and does not wait for that.
    pub(super) fn begin_upgrade(&mut self) -> Result<(), String> {
        let mut successor = self.program.again();
        successor.start_with(&["--takeover"])?;
        self.successor = Some(successor);
        Ok(())
    }

    /// Waits until the other process is the only one, or has found that it cannot take over, because
    /// its broker is away say.
    pub(super) async fn end_upgrade(&mut self) -> Result<(), String> {
        let Some(mut successor) = self.successor.take() else { return Ok(()) };
        let ended = tokio::select! {
            _ = self.program.code() => true,
            Some(TOOK_NOTHING_OVER) = successor.code() => return Ok(()),
            () = sleep(UPGRADE_TIMEOUT) => false,
        };
        if !ended {
            return Err("no other process took over; see the node's log".to_owned());
        }
        self.program = successor;
        Ok(())
    }

    /// Kills the other process. If that had taken over already the node is dead, and started again.
    pub(super) async fn break_off_upgrade(&mut self) -> Result<(), String> {
        let Some(mut successor) = self.successor.take() else { return Ok(()) };
        successor.kill().await;
        if self.program.ends_within(DRAIN_BEGINS).await || !is_ready(self.listen).await {
            self.kill().await;
            self.program.start()?;
        }
        Ok(())
    }

    /// Tells it to end, and does not wait for that.
    pub(super) async fn ask_to_end(&self) -> Result<(), String> {
        self.program.ask_to_end().await
    }

    /// Starts it again after it was asked to end; it may need to be killed.
    pub(super) async fn replace(&mut self) -> Result<(), String> {
        self.program.wait_for_end(END_TIMEOUT).await;
        self.program.start()
    }

    /// Starts it where it does not run. Returns whether it did not.
    pub(super) fn revive(&mut self) -> Result<bool, String> {
        let dead = !self.program.runs();
        if dead {
            self.program.start()?;
        }
        Ok(dead)
    }

    pub(super) async fn take_copy(&self) -> Result<(), String> {
        copy_of_a_moment(&self.program, &self.data, &self.copy).await
    }

    pub(super) async fn roll_back(&mut self) -> Result<(), String> {
        self.kill().await;
        put_back(&self.data, &self.copy)?;
        self.program.start()
    }

    /// The number of its process, if it runs.
    #[cfg(test)]
    pub(super) fn pid(&self) -> Option<u32> {
        self.program.pid()
    }

    /// Waits until it is ready.
    pub(super) async fn wait(&mut self) -> Result<(), String> {
        let listen = self.listen;
        self.program.wait_until(START_TIMEOUT, async || is_ready(listen).await).await
    }
}
