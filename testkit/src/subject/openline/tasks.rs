//! A line that is a task for each channel.

use std::collections::HashMap;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::{Doing, Heard, Line};

/// What may wait for the reader; tasks wait beyond it.
const QUEUE: usize = 256;

/// What tasks tell: what was heard, or why the line is over.
pub(super) type Told = Result<Heard, String>;

/// Reads a channel from behind a position, and tells what it hears until it is aborted.
type Read =
    Box<dyn Fn(String, Option<String>, mpsc::Sender<Told>) -> Doing<'static, ()> + Send + Sync>;

pub(super) struct TaskLine {
    read: Read,
    comes_back: bool,
    tasks: HashMap<String, JoinHandle<()>>,
    tell: mpsc::Sender<Told>,
    told: mpsc::Receiver<Told>,
}

impl TaskLine {
    pub(super) fn new<F, T>(comes_back: bool, read: F) -> Self
    where
        F: Fn(String, Option<String>, mpsc::Sender<Told>) -> T + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let (tell, told) = mpsc::channel(QUEUE);
        let read: Read =
            Box::new(move |channel, position, tell| Box::pin(read(channel, position, tell)));
        Self { read, comes_back, tasks: HashMap::new(), tell, told }
    }
}

impl Drop for TaskLine {
    fn drop(&mut self) {
        self.tasks.values().for_each(JoinHandle::abort);
    }
}

impl Line for TaskLine {
    fn comes_back(&self) -> bool {
        self.comes_back
    }

    fn subscribe<'a>(
        &'a mut self,
        channel: &'a str,
        position: Option<&'a str>,
    ) -> Doing<'a, Result<(), String>> {
        let position = position.map(str::to_owned);
        let task = tokio::spawn((self.read)(channel.to_owned(), position, self.tell.clone()));
        if let Some(before) = self.tasks.insert(channel.to_owned(), task) {
            before.abort();
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn unsubscribe<'a>(&'a mut self, channel: &'a str) -> Doing<'a, Result<(), String>> {
        if let Some(task) = self.tasks.remove(channel) {
            task.abort();
            let (tell, channel) = (self.tell.clone(), channel.to_owned());
            // Behind what the task told before it ended, which may have to wait for room.
            tokio::spawn(async move {
                let _ = task.await;
                let _ = tell.send(Ok(Heard::Left { channel })).await;
            });
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn heard(&mut self) -> Doing<'_, Result<Heard, String>> {
        Box::pin(async move {
            let told = self.told.recv().await;
            told.expect("the line has a sender of its own")
        })
    }
}
