//! The TypeScript client, in a process of Node's for each reader. It comes back by itself.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::super::{Doing, Heard, Line};
use super::message;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/node/reader.mjs");

pub(super) struct NodeLine {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    waiting: VecDeque<Heard>,
    /// Killed when this is dropped.
    _node: Child,
}

impl NodeLine {
    /// Starts a client over the SDK that is built in this folder.
    pub(super) fn start(sdk: &Path, address: SocketAddr) -> Result<Self, String> {
        let mut node = Command::new("node")
            .arg(SCRIPT)
            .arg(sdk)
            .arg(format!("ws://{address}/ws"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("node: {error}"))?;
        let (Some(input), Some(output)) = (node.stdin.take(), node.stdout.take()) else {
            return Err("node has no pipes".to_owned());
        };
        let output = BufReader::new(output).lines();
        Ok(Self { input, output, waiting: VecDeque::new(), _node: node })
    }

    async fn say(&mut self, what: Value) -> Result<(), String> {
        let line = format!("{what}\n");
        self.input.write_all(line.as_bytes()).await.map_err(|error| error.to_string())
    }
}

impl Line for NodeLine {
    fn comes_back(&self) -> bool {
        true
    }

    fn subscribe<'a>(
        &'a mut self,
        channel: &'a str,
        position: Option<&'a str>,
    ) -> Doing<'a, Result<(), String>> {
        Box::pin(self.say(json!({ "act": "subscribe", "channel": channel, "position": position })))
    }

    fn unsubscribe<'a>(&'a mut self, channel: &'a str) -> Doing<'a, Result<(), String>> {
        Box::pin(self.say(json!({ "act": "unsubscribe", "channel": channel })))
    }

    fn heard(&mut self) -> Doing<'_, Result<Heard, String>> {
        Box::pin(async move {
            loop {
                if let Some(heard) = self.waiting.pop_front() {
                    return Ok(heard);
                }
                let line = self.output.next_line().await.map_err(|error| error.to_string())?;
                let line = line.ok_or("the process has ended")?;
                let message: Value =
                    serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
                self.waiting.extend(message::heard(&message));
            }
        })
    }
}
