//! What SIGUSR2 asks for: the program that stands now where this one was started from takes over.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

const TAKEOVER: &str = "--takeover";

/// How this program was started, to start it again in the same folder, with the same variables and
/// arguments. It is in the same cgroup then, where a supervisor looks for it.
#[derive(Debug, Clone)]
pub(crate) struct Succession {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Succession {
    /// To be called at the start: the file may be replaced later, which is the point of it.
    ///
    /// # Errors
    /// When the system does not say which program this is.
    pub(crate) fn of_this_program() -> io::Result<Self> {
        Ok(Self { program: env::current_exe()?, arguments: with_takeover(env::args_os().skip(1)) })
    }

    /// Starts the next process. What becomes of it is in the log of both.
    pub(crate) fn begin(&self) {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        // These name this process: the next has no socket of its own, and feeds the watchdog too.
        for variable in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"] {
            command.env_remove(variable);
        }
        let started = command.spawn().and_then(|mut next| {
            // Someone has to ask for its end if it ends first.
            let wait = move || drop(next.wait());
            thread::Builder::new().name("openline-successor".to_owned()).spawn(wait)
        });
        if let Err(error) = started {
            let program = self.program.display();
            // Nobody has to read it.
            let _ = writeln!(io::stderr(), "openline: SIGUSR2: {program}: {error}");
        }
    }
}

/// The arguments of this program, with the one by which it takes over. `serve` stands first, and
/// flags may stand behind it in any order.
fn with_takeover(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<_> = arguments.collect();
    if !arguments.iter().any(|argument| argument == TAKEOVER) {
        arguments.push(TAKEOVER.into());
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_process_takes_over_and_so_does_the_one_behind_it() {
        let first = ["serve", "--demo"].map(OsString::from);
        let next = with_takeover(first.into_iter());
        assert_eq!(next, ["serve", "--demo", "--takeover"]);
        assert_eq!(with_takeover(next.clone().into_iter()), next);
    }
}
