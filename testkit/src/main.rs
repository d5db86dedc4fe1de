//! The delivery checker as a program. It ends with 0 if nothing was found, with 1 if something was,
//! and with 2 if it could not run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use openline_check::faults::{BrokerKind, Selection};
use openline_check::history::{self, Event};
use openline_check::run::{CATCH_UP, RunOptions, run};
use openline_check::{bugs, report, verdict};
use tokio::signal::unix::{SignalKind, signal};

/// Checks that a server keeps its delivery promise while things break.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a server, break it while clients use it, and judge what they saw
    Run(RunArgs),
    /// See whether bugs that are put into a server on purpose are found
    Bugs(BugsArgs),
    /// Judge the history of a run, and write the report beside it
    Verdict {
        /// The history
        history: PathBuf,
    },
}

#[derive(Args)]
struct RunArgs {
    /// What keeps the channels: embedded, redis or nats
    #[arg(long, default_value = "embedded")]
    broker: BrokerKind,
    /// How many nodes; 1 with the embedded broker
    #[arg(long, default_value_t = 1)]
    nodes: usize,
    /// What all chance follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// For how long clients work
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What is broken: all, none, or a list with commas
    #[arg(long, default_value = "all")]
    faults: String,
    /// The server's program
    #[arg(long, env = "OPENLINE_BIN", default_value = "target/debug/openline")]
    bin: PathBuf,
    /// Where to put the history, the report, data and logs
    #[arg(long, default_value = "delivery-check")]
    out: PathBuf,
    /// The kinds of clients that subscribe, with commas; all by default
    #[arg(long, value_delimiter = ',')]
    clients: Vec<String>,
    /// The folder where the TypeScript SDK was built, for clients in TypeScript
    #[arg(long)]
    sdk: Option<PathBuf>,
    /// A file with more lines for each node's configuration
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Args)]
struct BugsArgs {
    /// What keeps the channels: embedded, redis or nats
    #[arg(long, default_value = "embedded")]
    broker: BrokerKind,
    /// How many nodes; 1 with the embedded broker
    #[arg(long, default_value_t = 1)]
    nodes: usize,
    /// The first seed of each bug
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A bug that was not found with so many seeds is missed
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// For how long clients work in each run
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// The server's program, built with the feature seeded-bugs
    #[arg(long, env = "OPENLINE_BIN", default_value = "target/debug/openline")]
    bin: PathBuf,
    /// Where to put the histories, data and logs
    #[arg(long, default_value = "delivery-bugs")]
    out: PathBuf,
    /// The kinds of clients that subscribe, with commas; all by default
    #[arg(long, value_delimiter = ',')]
    clients: Vec<String>,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => make(args),
        Command::Bugs(args) => seek(args),
        Command::Verdict { history } => judge(&history),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(why) => {
            eprintln!("openline-check: {why}");
            ExitCode::from(2)
        }
    }
}

fn make(args: RunArgs) -> Result<bool, String> {
    let faults: Selection = args.faults.parse()?;
    let config = match &args.config {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?
        }
        None => String::new(),
    };
    let options = RunOptions {
        broker: args.broker,
        nodes: args.nodes,
        seed: args.seed,
        length: Duration::from_secs(args.seconds),
        catch_up: CATCH_UP,
        faults,
        faults_text: args.faults,
        bin: args.bin,
        out: args.out,
        clients: args.clients,
        sdk: args.sdk,
        config,
        env: Vec::new(),
    };
    let history = in_runtime(run(&options))?;
    judge(&history)
}

fn seek(args: BugsArgs) -> Result<bool, String> {
    let options = RunOptions {
        broker: args.broker,
        nodes: args.nodes,
        seed: args.seed,
        length: Duration::from_secs(args.seconds),
        catch_up: CATCH_UP,
        faults: Selection::None,
        faults_text: String::new(),
        bin: args.bin,
        out: args.out,
        clients: args.clients,
        sdk: None,
        config: String::new(),
        env: Vec::new(),
    };
    in_runtime(async { Ok(bugs::search(&options, args.seeds, |line| println!("{line}")).await) })
}

/// Does it, unless it is interrupted. What was started ends with it in either case.
fn in_runtime<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mut ended = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        tokio::select! {
            done = work => done,
            _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
            _ = ended.recv() => Err("terminated".to_owned()),
        }
    })
}

fn judge(path: &Path) -> Result<bool, String> {
    let records = history::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let verdict = verdict::judge(&records)?;
    let Some(Event::Run(run)) = records.first().map(|record| &record.event) else {
        return Err("a history begins with a record of the run".to_owned());
    };
    let page = path.with_file_name("report.html");
    std::fs::write(&page, report::html(run, &records, &verdict))
        .map_err(|error| format!("{}: {error}", page.display()))?;
    println!("{}report: {}", report::text(run, &verdict), page.display());
    Ok(verdict.is_clean())
}
