//! The client in a terminal.

use std::collections::VecDeque;
use std::time::Instant;

use openline_ws::{CloseCode, Error, Incoming, Message};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Receiver;

use super::command::Command;
use super::editor::Editor;
use super::render::{self, Style};
use super::session::{End, Line, Session, Turn};
use crate::cli::Connect;
use crate::exit::{Exit, Failure};

/// Pings whose pongs are awaited; a server need not answer each (RFC 6455 §5.5.3).
const PINGS_MAX: usize = 100;

pub(super) async fn run(
    ws: Line,
    editor: Editor,
    typed: Receiver<String>,
    style: &Style,
    arguments: &Connect,
) -> Result<End, Failure> {
    let connected = render::connected(&arguments.url, ws.protocol(), ws.deflate());
    editor.show(render::welcome(style, &connected)).await;
    let mut terminal = Terminal {
        session: Session::new(ws, typed),
        editor,
        style,
        pings: VecDeque::new(),
        pings_sent: 0,
        binary: arguments.binary,
        verbose: arguments.verbose,
    };
    // Both would otherwise leave the terminal as rustyline has set it up.
    let signals = signal(SignalKind::terminate())
        .and_then(|terminate| Ok((terminate, signal(SignalKind::hangup())?)));
    let end = match signals {
        Ok((mut terminate, mut hangup)) => Ok(terminal.talk(&mut terminate, &mut hangup).await),
        Err(error) => Err(Failure::new(Exit::Io, error)),
    };
    drop(terminal.session);
    terminal.editor.finish().await;
    end
}

struct Terminal<'a> {
    session: Session<String>,
    editor: Editor,
    style: &'a Style,
    /// Pings that were typed and when they were sent, the oldest first.
    pings: VecDeque<(Vec<u8>, Instant)>,
    pings_sent: u64,
    binary: bool,
    verbose: bool,
}

impl Terminal<'_> {
    async fn talk(&mut self, terminate: &mut Signal, hangup: &mut Signal) -> End {
        loop {
            let turn = tokio::select! {
                turn = self.session.next() => turn,
                _ = terminate.recv() => Turn::InputEnded,
                _ = hangup.recv() => Turn::InputEnded,
            };
            let handled = match turn {
                Turn::Incoming(incoming) => {
                    self.show_incoming(&incoming).await;
                    Ok(None)
                }
                Turn::Input(line) => self.act(&line).await,
                Turn::InputEnded => Ok(Some(self.session.close(CloseCode::NORMAL, "").await)),
                Turn::Over(end) => Ok(Some(end)),
            };
            match handled {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(error) => return End::Failed(error),
            }
        }
    }

    async fn show_incoming(&mut self, incoming: &Incoming) {
        let shown = match incoming {
            Incoming::Message(Message::Text(text)) => render::text(self.style, text),
            Incoming::Message(Message::Binary(data)) => render::binary(self.style, data),
            Incoming::Ping(payload) => render::ping(self.style, payload),
            Incoming::Pong(payload) => {
                let took = self.answered(payload);
                // The client's own pings, which keep the line alive, are empty.
                if took.is_none() && payload.is_empty() && !self.verbose {
                    return;
                }
                render::pong(self.style, payload, took)
            }
        };
        self.editor.show(shown).await;
    }

    /// How long ago the ping was sent that this payload answers. Those before it will not be.
    fn answered(&mut self, payload: &[u8]) -> Option<std::time::Duration> {
        let index = self.pings.iter().position(|(sent, _)| sent == payload)?;
        let (_, at) = self.pings.drain(..=index).next_back()?;
        Some(at.elapsed())
    }

    /// Does what a line says; returns the end if it closed the line.
    async fn act(&mut self, line: &str) -> Result<Option<End>, Error> {
        match Command::parse(line, self.binary) {
            Ok(Command::Nothing) => {}
            Ok(Command::Text(text)) => self.session.queue(text).await?,
            Ok(Command::Binary(data)) => self.session.queue(data).await?,
            Ok(Command::Ping(text)) => self.ping(text).await?,
            Ok(Command::Close { code, reason }) => {
                return Ok(Some(self.session.close(code, &reason).await));
            }
            Ok(Command::Help) => self.editor.show(render::help(self.style)).await,
            Err(what) => self.editor.show(render::wrong(self.style, &what)).await,
        }
        Ok(None)
    }

    /// Sends a ping; one without a text carries a number, by which its pong is known.
    async fn ping(&mut self, text: Option<String>) -> Result<(), Error> {
        self.pings_sent += 1;
        let payload = text.unwrap_or_else(|| self.pings_sent.to_string()).into_bytes();
        self.session.ping(&payload).await?;
        if self.pings.len() == PINGS_MAX {
            self.pings.pop_front();
        }
        self.pings.push_back((payload, Instant::now()));
        Ok(())
    }
}
