//! [`Hearing`]: what this node hears by NATS, and how it is told that the connection came or went.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use async_nats::{Message, Subscriber};
use futures_core::Stream as _;
use openline_protocol::ChannelName;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Shared;
use super::connection::Failure;
use super::wire::{Heard, said_by};
use crate::broker::shared::Report;

/// The subscriptions, each read by a task.
#[derive(Default)]
pub(super) struct Hearing {
    reports: OnceLock<mpsc::UnboundedSender<Report>>,
    channels: Mutex<HashMap<ChannelName, Task>>,
    nodes: Mutex<Vec<Task>>,
}

/// A task that ends with its handle.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Hearing {
    pub(super) fn set_reports(&self, reports: mpsc::UnboundedSender<Report>) {
        let _ = self.reports.set(reports);
    }

    pub(super) fn report(&self, report: Report) {
        if let Some(reports) = self.reports.get() {
            // Who does not listen any more is about to end.
            let _ = reports.send(report);
        }
    }

    /// Nothing is heard any more.
    pub(super) fn end(&self) {
        self.channels().clear();
        self.nodes.lock().expect("nothing under this lock panics").clear();
    }

    pub(super) fn unsubscribe(&self, channels: &[ChannelName]) {
        let mut heard = self.channels();
        for channel in channels {
            heard.remove(channel);
        }
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<ChannelName, Task>> {
        self.channels.lock().expect("nothing under this lock panics")
    }
}

impl Shared {
    /// Hears what is said to all nodes and to this one.
    pub(super) async fn hear_nodes(self: &Arc<Self>) -> Result<(), Failure> {
        let mut tasks = Vec::new();
        for subject in [self.names.nodes(), self.names.node(self.node)] {
            let subscriber = self.connection.subscribe(subject).await?;
            let shared = self.clone();
            tasks.push(spawn(subscriber, move |message| {
                if let Some((from, said)) = said_by(&message.payload)
                    && from != shared.node
                {
                    shared.hearing.report(Report::Told { from, said });
                }
            }));
        }
        self.connection.sync(self.names.nobody()).await?;
        *self.hearing.nodes.lock().expect("nothing under this lock panics") = tasks;
        Ok(())
    }

    /// Hears what is published to channels, and what nodes say there.
    pub(super) async fn hear(self: &Arc<Self>, channels: &[ChannelName]) -> Result<(), Failure> {
        self.connection.wait_until_up().await?;
        let losses = self.connection.losses();
        let mut tasks = Vec::with_capacity(channels.len());
        for channel in channels {
            if self.hearing.channels().contains_key(channel) {
                continue;
            }
            let subscriber = self.connection.subscribe(self.names.live(channel)).await?;
            let (shared, name) = (self.clone(), channel.clone());
            let task = spawn(subscriber, move |message| shared.heard(&name, &message));
            tasks.push((channel.clone(), task));
        }
        self.connection.sync(self.names.nobody()).await?;
        let mut heard = self.hearing.channels();
        // Those of a connection that is lost are not worth anything, though they may seem to live on.
        if self.connection.losses() != losses {
            return Err(Failure::Unavailable);
        }
        heard.extend(tasks);
        Ok(())
    }

    fn heard(&self, channel: &ChannelName, message: &Message) {
        match Heard::from_bytes(channel, &message.payload) {
            Some(Heard::Stored(batch)) => {
                for entry in batch.entries {
                    let (publication, except) = (entry.publication, entry.except);
                    self.hearing.report(Report::Published { publication, except });
                }
            }
            Some(Heard::Passing(publication, except)) => {
                self.hearing.report(Report::Published { publication, except });
            }
            Some(Heard::Said(from, said)) if from != self.node => {
                let channel = channel.clone();
                self.hearing.report(Report::Emitted { from, channel, said });
            }
            Some(Heard::Said(..)) | None => {}
        }
    }
}

fn spawn(mut subscriber: Subscriber, hear: impl Fn(Message) + Send + 'static) -> Task {
    let task = async move {
        while let Some(message) =
            std::future::poll_fn(|context| Pin::new(&mut subscriber).poll_next(context)).await
        {
            hear(message);
        }
    };
    Task(tokio::spawn(task).abort_handle())
}
