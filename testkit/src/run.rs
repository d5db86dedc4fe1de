//! A run: starts the server, lets clients work while it is broken, and waits until they caught up.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::faults::{self, BrokerKind, Planned, Selection, Stage};
use crate::generators::{self, Progress, Shared};
use crate::history::{Channel, Event, Recorder, Run};
use crate::plan::Plan;
use crate::subject::{Openline, Subject};

/// How long readers may take to catch up, and a little.
const CATCH_UP: Duration = Duration::from_secs(31);
/// How long publishers may take to learn what became of their last messages.
const LAST_WORDS: Duration = Duration::from_secs(30);
/// How long the store may take to tell what it has of a channel.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
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

/// Makes a run; returns where its history is.
///
/// # Errors
/// Why it could not be made, or its history is not whole.
pub async fn run(options: &RunOptions) -> Result<PathBuf, String> {
    let stage_folder = options.out.join("stage");
    fs::create_dir_all(&stage_folder).map_err(|error| in_file(&stage_folder, &error))?;
    let history = options.out.join("history.jsonl");
    let stage = Stage::start(faults::Options {
        broker: options.broker,
        nodes: options.nodes,
        seed: options.seed,
        bin: options.bin.clone(),
        folder: stage_folder,
        config: format!("{CONFIG}{}\n", options.config),
        faults: options.faults.clone(),
        env: options.env.clone(),
    })
    .await?;
    let subject: Arc<dyn Subject> =
        Arc::new(Openline::new(stage.api_key(), options.sdk.as_deref()));
    let recorder = Recorder::create(&history).map_err(|error| in_file(&history, &error))?;
    let mut running = Running::new(options, stage, subject, Arc::new(recorder))?;
    let done = running.go(options).await;
    running.stage.stop().await;
    done?;
    running.shared.recorder.finish().map_err(|error| in_file(&history, &error))?;
    Ok(history)
}

/// With every guard out of the way: what they do is not looked at here.
const CONFIG: &str = r#"
[auth]
anonymous = true
[limits]
admission = "off"
connections_per_ip = 0
[rates]
commands = "off"
publish = "off"
publish_user = "off"
subscribe = "off"
[namespace.default]
publish = "anyone"
presence_push = false
[namespace.long]
history_size = 100000
[namespace.short]
history_size = 20
"#;

type Tasks = JoinSet<Result<(), String>>;

struct Running {
    stage: Stage,
    shared: Shared,
    plan: Plan,
    clients: Vec<String>,
    faults: Vec<Planned>,
    stop: watch::Sender<bool>,
}

impl Running {
    fn new(
        options: &RunOptions,
        stage: Stage,
        subject: Arc<dyn Subject>,
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
        let stop = watch::Sender::new(false);
        let shared = Shared {
            subject,
            nodes: stage.nodes().into(),
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
        let (mut publishers, mut readers) = self.start(began);
        self.breaks(began).await?;
        sleep_until(began + options.length).await;
        self.stage.heal().await?;
        let ended = timeout(LAST_WORDS, all_of(&mut publishers)).await;
        for note in self.stage.notes() {
            self.record(Event::Broke { what_broke: note.clone() });
        }
        self.record(Event::Healed);
        ended.map_err(|_| format!("publishers are not done after {LAST_WORDS:?}"))??;
        self.ends().await?;
        self.stop.send_replace(true);
        all_of(&mut readers).await?;
        self.record(Event::End);
        Ok(())
    }

    fn start(&self, began: Instant) -> (Tasks, Tasks) {
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
                began,
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
        for (at, begins, index) in turns {
            sleep_until(began + at).await;
            let fault = &faults[index];
            let (kind, target) = (fault.kind.to_string(), fault.target.clone());
            if let Some(why) = self.stage.why_not(fault.kind) {
                if begins {
                    self.record(Event::FaultNotRun { kind, target, why: why.to_owned() });
                }
                continue;
            }
            if begins {
                let forgets = fault.kind.forgets();
                self.record(Event::FaultBegan { kind, target, forgets });
                self.stage.begin(fault).await?;
            } else {
                self.stage.end(fault).await?;
                self.record(Event::FaultEnded { kind, target });
            }
        }
        Ok(())
    }

    /// Reads what the store has, and waits until readers have it too.
    async fn ends(&self) -> Result<(), String> {
        let deadline = Instant::now() + CATCH_UP;
        let mut heads = HashMap::new();
        for Channel { name, .. } in &self.plan.channels {
            let stored =
                timeout(READ_TIMEOUT, self.shared.subject.stored(self.shared.nodes[0], name));
            let stored =
                stored.await.map_err(|_| format!("the history of {name} does not come"))?;
            let (head, entries) = stored?;
            heads.insert(name.clone(), head);
            self.record(Event::Stored { channel: name.clone(), head, entries });
        }
        while Instant::now() < deadline && !self.shared.progress.behind(&heads).is_empty() {
            sleep(LOOK_EVERY).await;
        }
        sleep(SETTLE).await;
        Ok(())
    }

    fn record(&self, event: Event) {
        self.shared.recorder.record(event);
    }
}

async fn all_of(tasks: &mut Tasks) -> Result<(), String> {
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| error.to_string())??;
    }
    Ok(())
}

fn in_file(path: &std::path::Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
