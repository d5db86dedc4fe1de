//! A run: starts the server, lets clients work while it is broken, and waits until they caught up.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::faults::{self, BrokerKind, Planned, Selection, Stage};
use crate::generators::{self, Progress, Shared};
use crate::history::{Channel, Entry, Event, Place, Recorder, Run};
use crate::plan::Plan;
use crate::subject::{Openline, Subject};

/// How long readers may take to catch up, and a little.
pub const CATCH_UP: Duration = Duration::from_secs(31);
/// How long publishers may take to learn what became of their last messages.
const LAST_WORDS: Duration = Duration::from_secs(30);
/// How long the store may take to tell what it has of a channel.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
const HISTORY: &str = "history.jsonl";
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Whatever comes twice comes within this.
const SETTLE: Duration = Duration::from_millis(500);

/// What a run is.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// What keeps the channels.
    pub broker: BrokerKind,
    /// How many nodes.
    pub nodes: usize,
    /// What chance follows from.
    pub seed: u64,
    /// For how long clients work.
    pub length: Duration,
    /// How long to wait until readers have caught up: [`CATCH_UP`], unless it does not matter.
    pub catch_up: Duration,
    /// What is broken.
    pub faults: Selection,
    /// The same as text.
    pub faults_text: String,
    /// The server's program.
    pub bin: PathBuf,
    /// Where to put the history, data and logs.
    pub out: PathBuf,
    /// The kinds of clients that subscribe; all that there are if empty.
    pub clients: Vec<String>,
    /// Where the TypeScript SDK was built; without it there are no clients in TypeScript.
    pub sdk: Option<PathBuf>,
    /// More lines for each node's configuration.
    pub config: String,
    /// What every node has in its environment.
    pub env: Vec<(String, String)>,
}

/// Starts Openline and makes a run; returns where its history is.
///
/// # Errors
/// Why it could not be made, or its history is not whole.
pub async fn run(options: &RunOptions) -> Result<PathBuf, String> {
    let folder = options.out.join("stage");
    begin_anew(&options.out, &folder)?;
    let stage = Stage::start(faults::Options {
        broker: options.broker,
        nodes: options.nodes,
        seed: options.seed,
        bin: options.bin.clone(),
        folder,
        config: format!("{CONFIG}{}\n", options.config),
        faults: options.faults.clone(),
        env: options.env.clone(),
    })
    .await?;
    let subject = Arc::new(Openline::new(stage.api_key(), options.sdk.as_deref()));
    let nodes = stage.nodes().to_vec();
    make(options, subject, nodes, Some(stage)).await
}

/// Removes what an earlier run left: a store that has its messages would be none of this run.
fn begin_anew(out: &Path, folder: &Path) -> Result<(), String> {
    if folder.exists() && !out.join(HISTORY).exists() {
        let folder = folder.display();
        return Err(format!("{folder} is there and not of an earlier run: choose another --out"));
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(in_file(folder, &error)),
        _ => fs::create_dir_all(folder).map_err(|error| in_file(folder, &error)),
    }
}

/// Makes a run against servers that somebody else has started, which are not broken; returns where
/// its history is. What of `options` is for starting them counts for nothing.
///
/// # Errors
/// As [`run`].
pub async fn run_against(
    options: &RunOptions,
    subject: Arc<dyn Subject>,
    nodes: Vec<SocketAddr>,
) -> Result<PathBuf, String> {
    fs::create_dir_all(&options.out).map_err(|error| in_file(&options.out, &error))?;
    make(options, subject, nodes, None).await
}

async fn make(
    options: &RunOptions,
    subject: Arc<dyn Subject>,
    nodes: Vec<SocketAddr>,
    stage: Option<Stage>,
) -> Result<PathBuf, String> {
    let history = options.out.join(HISTORY);
    let recorder = Recorder::create(&history).map_err(|error| in_file(&history, &error))?;
    let mut running = Running::new(options, stage, subject, nodes, Arc::new(recorder))?;
    let done = running.go(options).await;
    if let Some(stage) = running.stage {
        stage.stop().await;
    }
    done?;
    running.shared.recorder.finish().map_err(|error| in_file(&history, &error))?;
    Ok(history)
}

/// With every guard out of the way: what they do is not looked at here.
const CONFIG: &str = r#"
[auth]
anonymous = true
[drain]
delay = "0s"
duration = "100ms"
notice = "100ms"
[limits]
admission = "off"
connections_per_ip = 0
[rates]
commands = "off"
publish = "off"
publish_user = "off"
subscribe = "off"
[upgrade]
duration = "2s"
[namespace.default]
publish = "anyone"
presence_push = false
[namespace.long]
history_size = 100000
[namespace.short]
history_size = 20
"#;

/// What the store has: where each channel is, and its messages.
type Contents = BTreeMap<String, (Option<Place>, Vec<Entry>)>;

type Tasks = JoinSet<Result<(), String>>;

struct Running {
    /// None where somebody else has started the servers.
    stage: Option<Stage>,
    shared: Shared,
    plan: Plan,
    clients: Vec<String>,
    faults: Vec<Planned>,
    stop: watch::Sender<bool>,
}

impl Running {
    fn new(
        options: &RunOptions,
        stage: Option<Stage>,
        subject: Arc<dyn Subject>,
        addresses: Vec<SocketAddr>,
        recorder: Arc<Recorder>,
    ) -> Result<Self, String> {
        let all = subject.clients();
        let clients =
            if options.clients.is_empty() { all.clone() } else { options.clients.clone() };
        if let Some(unknown) = clients.iter().find(|client| !all.contains(client)) {
            return Err(format!("{unknown} is no kind of client; there are {}", all.join(", ")));
        }
        let plan = Plan::new(options.seed, options.length, options.nodes, &clients);
        let (seed, nodes) = (options.seed, options.nodes);
        let faults = faults::schedule(seed, options.length, &options.faults, options.broker, nodes);
        if stage.is_none() && !faults.is_empty() {
            return Err("servers that others have started are not broken: no faults".to_owned());
        }
        let stop = watch::Sender::new(false);
        let shared = Shared {
            subject,
            nodes: addresses.into(),
            recorder,
            progress: Arc::new(Progress::default()),
            stop: stop.subscribe(),
        };
        Ok(Self { stage, shared, plan, clients, faults, stop })
    }

    async fn go(&mut self, options: &RunOptions) -> Result<(), String> {
        self.record(Event::Run(Run {
            seed: options.seed,
            subject: self.shared.subject.name().to_owned(),
            broker: options.broker.to_string(),
            nodes: options.nodes,
            seconds: options.length.as_secs(),
            faults: options.faults_text.clone(),
            clients: self.clients.clone(),
            contiguous: self.shared.subject.is_contiguous(),
            recovery_max: self.shared.subject.recovery_max(),
            channels: self.plan.channels.clone(),
        }));
        let began = Instant::now();
        let (mut publishers, mut readers) = self.start(began, options.length);
        self.breaks(began).await?;
        sleep_until(began + options.length).await;
        let whole = match &mut self.stage {
            Some(stage) => stage.heal().await,
            None => Ok(()),
        };
        self.unless_broken(whole);
        let ended = timeout(LAST_WORDS, all_of(&mut publishers)).await;
        for note in self.stage.iter().flat_map(Stage::notes) {
            self.record(Event::Broke { what_broke: note.clone() });
        }
        self.record(Event::Healed);
        ended.map_err(|_| format!("publishers are not done after {LAST_WORDS:?}"))??;
        self.unless_broken(self.ends(options.catch_up).await);
        self.stop.send_replace(true);
        all_of(&mut readers).await?;
        self.record(Event::End);
        Ok(())
    }

    /// What does not become whole again is found, and does not keep the rest from being judged.
    fn unless_broken(&self, done: Result<(), String>) {
        if let Err(what_broke) = done {
            self.record(Event::Broke { what_broke });
        }
    }

    fn start(&self, began: Instant, length: Duration) -> (Tasks, Tasks) {
        let (mut publishers, mut readers) = (JoinSet::new(), JoinSet::new());
        let channels: &Vec<Channel> = &self.plan.channels;
        for plan in self.plan.readers.clone() {
            readers.spawn(generators::read(self.shared.clone(), plan, channels.clone(), began));
        }
        for plan in self.plan.publishers.clone() {
            publishers.spawn(generators::publish(
                self.shared.clone(),
                plan,
                channels.clone(),
                (began, began + length),
            ));
        }
        (publishers, readers)
    }

    /// Breaks things as planned, one after the other.
    async fn breaks(&mut self, began: Instant) -> Result<(), String> {
        let faults = std::mem::take(&mut self.faults);
        let begins = faults.iter().enumerate().map(|(index, fault)| (fault.begin, true, index));
        let ends = faults.iter().enumerate().map(|(index, fault)| (fault.end, false, index));
        let mut turns: Vec<_> = begins.chain(ends).collect();
        turns.sort_unstable();
        let Some(stage) = &mut self.stage else { return Ok(()) };
        let recorder = &self.shared.recorder;
        for (at, begins, index) in turns {
            sleep_until(began + at).await;
            let fault = &faults[index];
            let (kind, target) = (fault.kind.to_string(), fault.target.clone());
            if let Some(why) = stage.why_not(fault.kind) {
                if begins {
                    recorder.record(Event::FaultNotRun { kind, target, why: why.to_owned() });
                }
                continue;
            }
            if begins {
                let forgets = fault.kind.forgets();
                recorder.record(Event::FaultBegan { kind, target, forgets });
                stage.begin(fault).await?;
            } else {
                stage.end(fault).await?;
                recorder.record(Event::FaultEnded { kind, target });
            }
        }
        Ok(())
    }

    /// Waits until readers have what the store has, and writes down what that is. A publish that nobody
    /// waits for any more may still arrive meanwhile.
    async fn ends(&self, patience: Duration) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        let mut stored = self.stored(deadline).await?;
        loop {
            let heads = heads(&stored);
            while Instant::now() < deadline && !self.shared.progress.behind(&heads).is_empty() {
                sleep(LOOK_EVERY).await;
            }
            sleep(SETTLE).await;
            stored = self.stored(deadline).await?;
            if Instant::now() >= deadline || heads == self::heads(&stored) {
                break;
            }
        }
        for (channel, (head, entries)) in stored {
            self.record(Event::Stored { channel, head, entries });
        }
        Ok(())
    }

    /// What the store has of all channels. It may take until the deadline to answer.
    async fn stored(&self, deadline: Instant) -> Result<Contents, String> {
        let mut stored = Contents::new();
        for Channel { name, .. } in &self.plan.channels {
            loop {
                let reading = self.shared.subject.stored(self.shared.nodes[0], name);
                match timeout(READ_TIMEOUT, reading).await {
                    Ok(Ok(contents)) => {
                        stored.insert(name.clone(), contents);
                        break;
                    }
                    Ok(Err(why)) if Instant::now() >= deadline => return Err(why),
                    Err(_) if Instant::now() >= deadline => {
                        return Err(format!("the history of {name} does not come"));
                    }
                    Ok(Err(_)) | Err(_) => sleep(LOOK_EVERY).await,
                }
            }
        }
        Ok(stored)
    }

    fn record(&self, event: Event) {
        self.shared.recorder.record(event);
    }
}

fn heads(stored: &Contents) -> HashMap<String, Option<Place>> {
    stored.iter().map(|(channel, (head, _))| (channel.clone(), *head)).collect()
}

async fn all_of(tasks: &mut Tasks) -> Result<(), String> {
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| error.to_string())??;
    }
    Ok(())
}

fn in_file(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
