//! The delivery checker as a program. It ends with 0 if nothing was found, with 1 if something was,
//! and with 2 if it could not run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use openline_check::faults::{BrokerKind, Selection};
use openline_check::history::{self, Event};
use openline_check::run::{CATCH_UP, RunOptions, run};
use openline_check::{report, verdict};

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

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => make(args),
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
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let history = runtime.block_on(async {
        tokio::select! {
            done = run(&options) => done,
            _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
        }
    })?;
    judge(&history)
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
