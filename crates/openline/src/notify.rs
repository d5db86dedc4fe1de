//! What a supervisor such as systemd is told: see `sd_notify(3)`, whose protocol is a datagram.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use openline_server::{Pulse, Server};

/// Where a supervisor listens, if there is one. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Supervisor {
    socket: Arc<UnixDatagram>,
    address: SocketAddr,
}

impl Supervisor {
    /// The one that the environment names. A name that cannot be used is an error: that supervisor
    /// would wait for news until it gives up.
    pub(crate) fn of_environment() -> io::Result<Option<Self>> {
        match env::var_os("NOTIFY_SOCKET") {
            Some(name) if !name.is_empty() => Self::at(&name).map(Some),
            _ => Ok(None),
        }
    }

    fn at(name: &OsStr) -> io::Result<Self> {
        let address = address(name).map_err(|error| {
            let name = name.display();
            io::Error::new(error.kind(), format!("NOTIFY_SOCKET={name}: {error}"))
        })?;
        Ok(Self { socket: Arc::new(UnixDatagram::unbound()?), address })
    }

    /// Says this; `news` are assignments, a line each. A supervisor that is gone misses nothing.
    fn say(&self, news: &str) {
        let _ = self.socket.send_to_addr(news.as_bytes(), &self.address);
    }

    /// Says that the configuration is read again, and when that is over.
    pub(crate) fn around_reload<T>(&self, reload: impl FnOnce() -> T) -> T {
        self.say("RELOADING=1\nSTATUS=reading its configuration again");
        let reloaded = reload();
        self.say("READY=1\nSTATUS=serving");
        reloaded
    }

    /// Says that the server is ready once its threads take turns, feeds the watchdog as long as they
    /// do, and says when the server begins to stop.
    pub(crate) fn follow(&self, server: &Server) -> io::Result<()> {
        let period = watchdog(
            env::var("WATCHDOG_USEC").ok().as_deref(),
            env::var("WATCHDOG_PID").ok().as_deref(),
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (pulse, handle, told) = (server.pulse(), server.handle(), self.clone());
        let address = server.local_addr();
        let follow = async move {
            let stopping = async {
                handle.stopping().await;
                told.say(&match handle.successor() {
                    // From now on that one is listened to; this one ends unwatched.
                    Some(process) => format!("MAINPID={process}\nSTATUS=another process serves"),
                    None => "STOPPING=1\nSTATUS=ending its lines".to_owned(),
                });
            };
            let living = async {
                pulse.beat().await;
                told.say(&format!("READY=1\nSTATUS=serving on {address}"));
                feed(&told, &pulse, period).await;
            };
            tokio::join!(stopping, living);
        };
        thread::Builder::new()
            .name("openline-notify".to_owned())
            .spawn(move || runtime.block_on(follow))?;
        Ok(())
    }
}

/// One word for each beat: a server whose thread hangs says nothing more, and is restarted.
async fn feed(supervisor: &Supervisor, pulse: &Pulse, period: Option<Duration>) {
    let Some(period) = period else { return };
    loop {
        tokio::time::sleep(period).await;
        pulse.beat().await;
        supervisor.say("WATCHDOG=1");
    }
}

/// How often the watchdog is fed: twice in its time, as `sd_watchdog_enabled(3)` advises. None if it
/// is not set, or meant for another process.
fn watchdog(microseconds: Option<&str>, process: Option<&str>) -> Option<Duration> {
    let microseconds: u64 = microseconds?.parse().ok().filter(|time| *time > 0)?;
    match process {
        Some(process) if process != process::id().to_string() => None,
        _ => Some(Duration::from_micros(microseconds / 2)),
    }
}

/// A path, or behind `@` a name without a file, as Linux has them.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.as_encoded_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name);
    }
    if !name.as_encoded_bytes().starts_with(b"/") {
        let what = "it has to be a whole path, or a name behind @";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    SocketAddr::from_pathname(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let count = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }

    #[test]
    fn a_reload_is_told_before_and_after() {
        let path = env::temp_dir().join(format!("openline-notify-{}", process::id()));
        let socket = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor::at(path.as_os_str()).unwrap();
        let during = supervisor.around_reload(|| heard(&socket));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(during, "RELOADING=1\nSTATUS=reading its configuration again");
        assert_eq!(heard(&socket), "READY=1\nSTATUS=serving");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_supervisor_may_have_a_name_without_a_file() {
        use std::os::linux::net::SocketAddrExt as _;
        let name = format!("openline-notify-{}", process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap());
        Supervisor::at(OsStr::new(&format!("@{name}"))).unwrap().say("READY=1");
        assert_eq!(heard(&socket.unwrap()), "READY=1");
    }

    #[test]
    fn a_name_that_cannot_be_used_is_shown() {
        for wrong in ["relative", "/nul\0", &format!("/{}", "a".repeat(200))] {
            let error = Supervisor::at(OsStr::new(wrong)).unwrap_err().to_string();
            assert!(error.starts_with("NOTIFY_SOCKET="), "{error}");
        }
    }

    #[test]
    fn a_watchdog_is_fed_twice_in_its_time_if_it_is_ours() {
        let own = process::id().to_string();
        let half = Some(Duration::from_secs(15));
        assert_eq!(watchdog(Some("30000000"), None), half);
        assert_eq!(watchdog(Some("30000000"), Some(&own)), half);
        assert_eq!(watchdog(Some("30000000"), Some("1")), None);
        for nothing in [None, Some("0"), Some("soon")] {
            assert_eq!(watchdog(nothing, None), None);
        }
    }
}
