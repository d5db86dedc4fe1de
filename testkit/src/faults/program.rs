//! [`Program`]: a process that can be killed, stopped and started again.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// How often it is asked whether something is ready.
const STEP: Duration = Duration::from_millis(20);

/// A process, and how to start it. It does not outlive this, nor the thread that started it.
pub(super) struct Program {
    name: String,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Program {
    /// Names a program that is not started yet; `command` is it and its arguments.
    pub(super) fn new(name: &str, command: Vec<String>, log: PathBuf) -> Self {
        let name = name.to_owned();
        Self { name, command, environment: Vec::new(), log, child: None }
    }

    pub(super) fn with_environment(mut self, environment: Vec<(String, String)>) -> Self {
        self.environment = environment;
        self
    }

    /// The same program, not started yet.
    pub(super) fn again(&self) -> Self {
        let this = Self::new(&self.name, self.command.clone(), self.log.clone());
        this.with_environment(self.environment.clone())
    }

    /// Starts it. What it writes goes behind what its log holds.
    pub(super) fn start(&mut self) -> Result<(), String> {
        self.start_with(&[])
    }

    /// Starts it with these arguments besides, this time.
    pub(super) fn start_with(&mut self, arguments: &[&str]) -> Result<(), String> {
        let wrong = |error: std::io::Error| format!("{}: {error}", self.name);
        let log = File::options().create(true).append(true).open(&self.log).map_err(wrong)?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .args(&self.command)
            .args(arguments)
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(wrong)?)
            .stderr(log)
            // An interrupt from the terminal is for the checker, which ends this in its turn.
            .process_group(0)
            .kill_on_drop(true);
        self.child = Some(command.spawn().map_err(wrong)?);
        Ok(())
    }

    /// Kills it (`kill -9`), however it is.
    pub(super) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill().await;
        }
    }

    /// Asks it to end, and kills it if it has not done so in time.
    pub(super) async fn end(&mut self, patience: Duration) -> Result<(), String> {
        self.ask_to_end().await?;
        self.wait_for_end(patience).await;
        Ok(())
    }

    /// Asks it to end.
    pub(super) async fn ask_to_end(&self) -> Result<(), String> {
        self.signal("TERM").await
    }

    /// Waits until it has ended, and kills it if it has not in time.
    pub(super) async fn wait_for_end(&mut self, patience: Duration) {
        if let Some(child) = &mut self.child {
            let _ = timeout(patience, child.wait()).await;
        }
        self.kill().await;
    }

    /// Whether it ends by itself in this time.
    pub(super) async fn ends_within(&mut self, patience: Duration) -> bool {
        match &mut self.child {
            Some(child) => timeout(patience, child.wait()).await.is_ok(),
            None => true,
        }
    }

    /// Waits until it has ended by itself; with which code.
    pub(super) async fn code(&mut self) -> Option<i32> {
        match &mut self.child {
            Some(child) => child.wait().await.ok()?.code(),
            None => None,
        }
    }

    /// Has it stand still.
    pub(super) async fn pause(&self) -> Result<(), String> {
        self.signal("STOP").await
    }

    /// Has it go on.
    pub(super) async fn go_on(&self) -> Result<(), String> {
        self.signal("CONT").await
    }

    /// Its number, if it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Whether it was started and has not ended.
    pub(super) fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    async fn signal(&self, signal: &str) -> Result<(), String> {
        let pid = self.pid().ok_or_else(|| format!("{} does not run", self.name))?;
        run(&["kill", &format!("-{signal}"), &pid.to_string()]).await
    }

    /// Waits until it is ready, or has ended, or too much time has passed.
    pub(super) async fn wait_until(
        &mut self,
        patience: Duration,
        ready: impl AsyncFn() -> bool,
    ) -> Result<(), String> {
        let waiting = async {
            while !ready().await {
                if !self.runs() {
                    return Err(format!("{} ended; see {}", self.name, self.log.display()));
                }
                sleep(STEP).await;
            }
            Ok(())
        };
        let waited = timeout(patience, waiting).await;
        waited.unwrap_or_else(|_| {
            Err(format!("{} is not ready after {} s", self.name, patience.as_secs()))
        })
    }
}

/// Runs a command to its end.
pub(super) async fn run(command: &[&str]) -> Result<(), String> {
    let output = Command::new(command[0]).args(&command[1..]).stdin(Stdio::null()).output().await;
    let output = output.map_err(|error| format!("{}: {error}", command[0]))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}", command.join(" "), said.trim()))
}

/// As [`run`], where nothing can be awaited: when something is dropped. What goes wrong is of no use
/// to anybody then.
pub(super) fn run_at_the_end(command: &[&str]) {
    let mut command_ = std::process::Command::new(command[0]);
    let silent = command_.args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null());
    let _ = silent.stderr(Stdio::null()).status();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::faults::folder::Folder;

    /// The letter that the kernel has for what a process does.
    fn state(pid: u32) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(") ").next()?.chars().next()
    }

    fn sleeper(folder: &Folder) -> Program {
        let command = ["sleep", "100"].map(str::to_owned).to_vec();
        Program::new("sleeper", command, folder.path().join("log"))
    }

    async fn becomes(pid: u32, wanted: impl Fn(Option<char>) -> bool) {
        let waiting = async {
            while !wanted(state(pid)) {
                sleep(STEP).await;
            }
        };
        timeout(Duration::from_secs(10), waiting).await.unwrap();
    }

    #[tokio::test]
    async fn a_program_is_paused_goes_on_is_killed_and_starts_again() {
        let folder = Folder::new().unwrap();
        let mut program = sleeper(&folder);
        program.start().unwrap();
        let pid = program.pid().unwrap();
        program.pause().await.unwrap();
        becomes(pid, |state| state == Some('T')).await;
        program.go_on().await.unwrap();
        becomes(pid, |state| state == Some('S')).await;
        program.kill().await;
        assert_eq!(state(pid), None);
        program.start().unwrap();
        assert!(program.runs());
        program.end(Duration::from_secs(5)).await.unwrap();
        assert!(!program.runs());
    }

    #[tokio::test]
    async fn a_program_does_not_outlive_what_started_it() {
        let folder = Folder::new().unwrap();
        let mut program = sleeper(&folder);
        program.start().unwrap();
        let pid = program.pid().unwrap();
        let panicking = tokio::spawn(async move {
            let _kept = program;
            panic!("on purpose");
        });
        assert!(panicking.await.is_err());
        becomes(pid, |state| matches!(state, None | Some('Z'))).await;
    }
}
