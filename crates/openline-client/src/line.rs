//! The task of one line, from its opening to its end.

use std::sync::Arc;
use std::time::Duration;

use openline_ws::{CloseCode, QueueOptions, Reader, Sender, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::core::LineControl;
use crate::dial::{Dialed, Refused};
use crate::machine::Input;
use crate::shared::Shared;

/// Bytes that wait for the socket, above which no more messages are taken from the core.
const QUEUED_BYTES_MAX: usize = 64 * 1024;
/// What the line's own queue takes: what is above, and a message of the greatest length.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long the end of a line that nobody listens to any more may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Opens a line and carries messages both ways until it ends or is abandoned.
pub(crate) async fn run(shared: &Shared, generation: u64, control: Arc<LineControl>) {
    let comes_back = shared.with(|core, _| core.had_line());
    let dialed = tokio::select! {
        dialed = shared.dialer.dial(comes_back) => dialed,
        () = abandoned(&control) => return,
    };
    match dialed {
        Ok(Dialed::Socket(line)) => talk(shared, generation, &control, line).await,
        Ok(Dialed::Given(line)) => talk(shared, generation, &control, line).await,
        Err(Refused { code, reason, retry_after }) => {
            shared.with(|core, now| {
                if retry_after.is_some() {
                    core.handle_input(now, Input::Closing { generation, retry_after });
                }
                core.handle_closed(now, generation, code, reason);
            });
        }
    }
}

async fn abandoned(control: &LineControl) {
    while control.abandoned().is_none() {
        control.wake.notified().await;
    }
}

async fn talk<S>(shared: &Shared, generation: u64, control: &LineControl, line: WebSocket<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let options = QueueOptions { bytes_max: LINE_BYTES_MAX, ..QueueOptions::default() };
    let (mut reader, sender) = line.split_with(options);
    shared.with(|core, now| core.handle_opened(now, generation));
    loop {
        if let Some(code) = control.abandoned() {
            return farewell(reader, &sender, code).await;
        }
        let has_more = transmit(shared, generation, control, &sender);
        tokio::select! {
            received = reader.recv() => match received {
                Ok(Some(message)) => {
                    let taken =
                        shared.with(|core, now| core.handle_frame(now, generation, message));
                    if let Err(misunderstood) = taken {
                        let (code, reason) = (misunderstood.code, misunderstood.reason);
                        shared.with(|core, now| core.handle_closed(now, generation, code, reason));
                        return farewell(reader, &sender, 1002).await;
                    }
                }
                ended => {
                    let (code, reason) = match ended {
                        Err(error) => (1006, error.to_string()),
                        Ok(_) => ending(&reader),
                    };
                    return shared
                        .with(|core, now| core.handle_closed(now, generation, code, reason));
                }
            },
            () = control.wake.notified() => {}
            _ = sender.flush(), if has_more => {}
        }
    }
}

/// Hands the line what the core has for it. True if there is more than may wait for the socket.
fn transmit(shared: &Shared, generation: u64, control: &LineControl, sender: &Sender) -> bool {
    let mut core = shared.lock();
    loop {
        if control.abandoned().is_some() {
            return false;
        }
        if sender.queued_bytes() > QUEUED_BYTES_MAX {
            return true;
        }
        let Some(message) = core.poll_transmit(generation) else { return false };
        // A line that has ended takes nothing; the reader is about to say so.
        if sender.try_send(message).is_err() {
            return false;
        }
    }
}

fn ending<S: AsyncRead + AsyncWrite + Unpin>(reader: &Reader<S>) -> (u16, String) {
    match reader.closed() {
        Some(closed) => (closed.reason.code.into(), closed.reason.text),
        None => (1006, String::new()),
    }
}

/// Ends a line that nobody listens to any more.
async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(
    mut reader: Reader<S>,
    sender: &Sender,
    code: u16,
) {
    let _ = sender.close(CloseCode::from(code), "");
    let drained = async { while let Ok(Some(_)) = reader.recv().await {} };
    let _ = tokio::time::timeout(FAREWELL, drained).await;
}
