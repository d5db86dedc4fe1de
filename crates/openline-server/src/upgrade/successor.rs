//! What a running process does for one that takes over from it, and how it has everything back if
//! that one does not make it.

use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::control;
use super::movers;
use super::revoked;
use super::talk::{Broken, PROTOCOL, Step, Talk};
use crate::broker::GiveError;
use crate::clock::Clock;
use crate::lifecycle::Terms;
use crate::node::Node;
use crate::session::Baggage;

/// How long a new process may take to say what it wants.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the store is tried that another process still has.
const TAKE_BACK_EVERY: Duration = Duration::from_millis(50);

/// How often it is looked whether more was taken back before its time.
const REVOKED_EVERY: Duration = Duration::from_millis(100);

/// When the system has no descriptors left.
const BACK_OFF: Duration = Duration::from_secs(1);

/// A line is told so long before it is closed. Longer would be of no use: where the successor has the
/// store, nothing new comes to it here any more.
const NOTICE: Duration = Duration::from_secs(1);

/// For clients whose connection was accepted here just before, to say what they want.
const SETTLE: Duration = Duration::from_millis(500);

/// Lets new processes take over, one at a time, until one has, or the server begins to end. Whoever
/// listens on `listener` at the start goes on until the drain that this begins.
pub(crate) async fn serve(node: Arc<Node>, listener: TcpListener, succeeded: bool) {
    let Some(path) = control::path(&node.settings().config) else { return };
    let control = control::listen(&path, succeeded).and_then(UnixListener::from_std);
    let control = match control {
        Ok(control) => control,
        Err(error) => return node.log.no_upgrades(&path, &error),
    };
    let ended = node.lifecycle.draining();
    let stopped = node.lifecycle.stopped();
    tokio::select! {
        () = one_after_the_other(&node, control, Arc::new(listener)) => {}
        _ = ended => {}
        () = stopped => {}
    }
}

async fn one_after_the_other(node: &Arc<Node>, control: UnixListener, listener: Arc<TcpListener>) {
    let mut ongoing: Option<oneshot::Receiver<()>> = None;
    loop {
        let stream = match control.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                sleep(BACK_OFF).await;
                continue;
            }
        };
        let peer = stream.peer_cred();
        let Ok(talk) = stream.into_std().and_then(Talk::on) else { continue };
        let is_busy = ongoing.as_mut().is_some_and(|done| {
            matches!(done.try_recv(), Err(oneshot::error::TryRecvError::Empty))
        });
        let ours = rustix::process::geteuid().as_raw();
        let why = match peer {
            Ok(peer) if peer.uid() != ours => {
                format!("it is for user {ours}, not for user {}", peer.uid())
            }
            Err(error) => format!("it cannot see who asks: {error}"),
            Ok(_) if is_busy => "another upgrade is going on".to_owned(),
            Ok(peer) => {
                let (done, ends) = oneshot::channel();
                ongoing = Some(ends);
                let process = peer.pid().and_then(|process| u32::try_from(process).ok());
                begin(node.clone(), listener.clone(), talk, process.unwrap_or_default(), done);
                continue;
            }
        };
        node.log.upgrade_failed(&why);
        let _ = talk.say(&Step::Refused { why });
    }
}

/// Works on a thread of its own, which blocks, and which nobody waits for: when this process ends in
/// the middle the new one notices, and goes on alone.
fn begin(
    node: Arc<Node>,
    listener: Arc<TcpListener>,
    talk: Talk,
    process: u32,
    done: oneshot::Sender<()>,
) {
    let work = move || {
        let _done = done;
        hand_over(&node, &listener, talk, process);
    };
    // Without a thread the new process is left alone, and says so.
    let _ = thread::Builder::new().name("openline-upgrade".to_owned()).spawn(work);
}

fn hand_over(node: &Node, listener: &TcpListener, mut talk: Talk, process: u32) {
    let timeout = node.settings().config.upgrade.timeout;
    let takes_lines = match agree(node, listener, &mut talk) {
        Ok(takes_lines) => takes_lines,
        Err(why) => {
            node.metrics.upgraded(0, 1);
            return node.log.upgrade_failed(&why);
        }
    };
    let lines = if takes_lines { UnixStream::pair().ok() } else { None };
    let (lines, theirs) = lines.unzip();
    give(node);
    match wait_until_it_serves(node, &mut talk, theirs, timeout) {
        Ok(()) => {
            node.metrics.upgraded(1, 0);
            if let Some(lines) = lines {
                movers::move_lines(node, lines, timeout);
            }
            node.log.upgraded();
            node.lifecycle.succeed(process, terms(node));
            tell_what_is_revoked(node, &talk);
        }
        Err(why) => {
            node.metrics.upgraded(0, 1);
            node.log.upgrade_failed(&why);
            take_back(node, talk, why);
        }
    }
}

/// Passes the listening socket, and waits until the other has all it needs but the store. Says whether
/// it is to have the lines as well.
fn agree(node: &Node, listener: &TcpListener, talk: &mut Talk) -> Result<bool, String> {
    let broken = |broken: Broken| broken.to_string();
    let Step::Hello { protocol, version } = talk.hear(HELLO_TIMEOUT).map_err(broken)? else {
        return Err("it said something before hello".to_owned());
    };
    let refused = if protocol != PROTOCOL {
        Some(format!(
            "it speaks version {PROTOCOL} of the handover, the new program version {protocol}; \
             stop it and start the new one"
        ))
    } else if !node.lifecycle.is_serving() {
        Some("it is ending".to_owned())
    } else {
        None
    };
    if let Some(why) = refused {
        // It may be gone.
        let _ = talk.say(&Step::Refused { why: why.clone() });
        return Err(why);
    }
    node.log.upgrade_begun(&version);
    let (done, failed) = node.metrics.upgrades();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let step = Step::Listener { version, done, failed };
    talk.say_with(&step, &[listener.as_fd()]).map_err(broken)?;
    match talk.hear(node.settings().config.upgrade.timeout).map_err(broken)? {
        Step::Ready { lines } => Ok(lines == Baggage::VERSION && movers::can_move(node)),
        _ => Err("it said something before it was ready".to_owned()),
    }
}

/// Gives away what only one process can have. Publications are answered with an error from here on,
/// where no other node orders them, and so are parts of files.
fn give(node: &Node) {
    node.uploads.pause();
    if let Err(error) = node.exchange.broker().give() {
        // What could not be written was answered so. The store is closed, and that is what counts.
        node.log.upgrade_store(&error.to_string());
    }
}

fn wait_until_it_serves(
    node: &Node,
    talk: &mut Talk,
    lines: Option<UnixStream>,
    timeout: Duration,
) -> Result<(), String> {
    let steps = revoked::steps(&node.revocations, Clock::wall_seconds());
    let given = Step::Given { lines: if lines.is_some() { Baggage::VERSION } else { 0 } };
    let said = steps.iter().try_for_each(|step| talk.say(step)).and_then(|()| match &lines {
        Some(lines) => talk.say_with(&given, &[lines.as_fd()]),
        None => talk.say(&given),
    });
    drop(lines);
    let heard = said.and_then(|()| talk.hear(timeout));
    // If it said so by now it serves; if not, it cannot any more.
    talk.stop_hearing();
    let heard = match heard {
        Err(broken) => talk.hear(Duration::ZERO).map_err(|_| broken),
        heard => heard,
    };
    match heard {
        Ok(Step::Serving) => Ok(()),
        Ok(_) => Err("it said something before it served".to_owned()),
        Err(broken) => Err(broken.to_string()),
    }
}

/// Takes everything back. The other process gives the lock of the store back when it ends, at the
/// latest when it has read that it is not to serve.
fn take_back(node: &Node, talk: Talk, why: String) {
    let _ = talk.say(&Step::TakenBack { why });
    drop(talk);
    loop {
        match node.exchange.broker().take_back() {
            Ok(()) => break,
            Err(GiveError::Locked) if !node.lifecycle.is_stopped() => {
                thread::sleep(TAKE_BACK_EVERY);
            }
            Err(error) => return node.log.upgrade_store(&error.to_string()),
        }
    }
    node.uploads.go_on();
    node.log.upgrade_taken_back();
}

/// How the lines go that are left here. The successor accepts at once; who is through that door here
/// already is let in.
fn terms(node: &Node) -> Terms {
    let duration = node.settings().config.upgrade.duration;
    Terms { delay: SETTLE, duration, notice: NOTICE, listens: false, refuses: false }
}

fn tell_what_is_revoked(node: &Node, talk: &Talk) {
    let revocations = &node.revocations;
    let mut told = None;
    while !node.lifecycle.is_stopped() {
        let generation = revocations.generation();
        if told.replace(generation) != Some(generation) {
            let steps = revoked::steps(revocations, Clock::wall_seconds());
            if steps.iter().try_for_each(|step| talk.say(step)).is_err() {
                return;
            }
        }
        thread::sleep(REVOKED_EVERY);
    }
}
