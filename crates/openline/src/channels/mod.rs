//! `openline connect` with an option for channels: a client of an Openline server that comes back.
//!
//! Each option has a module of its name. [`mod@line`] opens and closes what they go over, [`status`] tells
//! how it is, [`output`] prints, [`json`] and [`progress`] are pure, [`failure`] says how it ends.

mod failure;
mod history;
mod json;
mod line;
mod output;
mod presence;
mod progress;
mod publication;
mod publish;
mod status;
mod subscribe;
mod upload;

use std::io;

use openline_client::Client;

use crate::cli::{Channels, Connect};
use crate::exit::{Exit, Failure};
use crate::signals::Signals;
use failure::Stop;
use output::Output;

pub(crate) fn run(arguments: &Connect) -> Result<(), Failure> {
    check(&arguments.channels)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Io, error))?;
    let output = Output::new(&arguments.channels);
    match runtime.block_on(talk(arguments, output)) {
        Ok(()) | Err(Stop::NobodyListens) => Ok(()),
        Err(Stop::Failed { code, failure }) => {
            output.failed(&code, &failure);
            Err(failure)
        }
    }
}

/// What goes beyond what the table of the arguments can say.
fn check(channels: &Channels) -> Result<(), Failure> {
    let wrong = |what| Err(Failure::new(Exit::Usage, what));
    match channels.since {
        Some(_) if channels.subscribe.len() > 1 => {
            wrong("--since is a position of one channel, and there are several to subscribe to")
        }
        Some(_) if channels.history.is_some() && !channels.subscribe.is_empty() => {
            wrong("a subscription begins with --history or behind --since, not with both")
        }
        _ => Ok(()),
    }
}

async fn talk(arguments: &Connect, output: Output) -> Result<(), Stop> {
    let mut signals = Signals::new()?;
    let client = line::client(arguments)?;
    let ended = tokio::select! {
        biased;
        stop = status::tell(&client, &arguments.url, output) => Err(stop),
        () = signals.next() => interrupted(&arguments.channels),
        ended = act(&client, arguments, output) => ended,
    };
    client.close().await;
    ended
}

/// Whoever ends what has no end ends it well. A script must not take a file for sent that is not.
fn interrupted(channels: &Channels) -> Result<(), Stop> {
    match channels.upload {
        Some(_) => Err(Failure::new(Exit::Interrupted, "the file was not sent to its end")
            .hint("run it again: it goes on where it stopped")
            .into()),
        None => Ok(()),
    }
}

async fn act(client: &Client, arguments: &Connect, output: Output) -> Result<(), Stop> {
    line::open(client).await?;
    let channels = &arguments.channels;
    if let Some(channel) = &channels.publish {
        publish::run(client, channel, channels.event.as_deref(), output).await
    } else if let Some(channel) = &channels.history_of {
        history::run(client, channel, channels, output).await
    } else if let Some(channel) = &channels.presence {
        presence::run(client, channel, output).await
    } else if let Some(file) = &channels.upload {
        upload::run(client, file, &arguments.url, channels, output).await
    } else {
        subscribe::run(client, channels, output).await
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NobodyListens,
            _ => Failure::new(Exit::Io, error).into(),
        }
    }
}
