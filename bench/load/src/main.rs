//! The load behind `bench/run.py`: one thread, one epoll, frames made before the clock starts.
//!
//! ```text
//! openline-load echo   --url URL --lines N --size BYTES --in-flight K --seconds S --warmup S [--text] [--raw]
//! openline-load idle   --url URL --lines N --hold S [--receive-buffer BYTES] [HELLO]
//! openline-load fanout --url URL --lines N --burst B --size BYTES --seconds S --warmup S [--rate R] [--deflate]
//!                      [--publish TEMPLATE] [--delivery PREFIX] [HELLO]
//! openline-load ask    --url URL --lines N --size BYTES --in-flight K --seconds S --warmup S
//!                      --request TEMPLATE --answer PREFIX
//! openline-load stream --url URL --lines N --burst B --size BYTES --seconds S --warmup S --publisher PATH
//!                      [--publish TEMPLATE] [--delivery PREFIX]
//! openline-load cycle  --url URL --lines N --seconds S --warmup S [--hello TEXT --answer PREFIX [--holds TEXT]]
//!                      [--published N --publish MESSAGE]
//! ```
//!
//! With `--ca FILE`, a certificate, lines go over TLS. What is asked has `{line}`, `{id}` and `{data}` in
//! it. In a `cycle` with `--published`, so many messages are published first, and `{position}` in the hello
//! becomes the position of the first of them.
//!
//! HELLO is how lines are introduced: `--bearers FILE` holds tokens for the handshake, one a
//! line, used in turn; `--hello TEXT` is each line's first message, `--answer PREFIX` the
//! beginning of the message that it then waits for, and `--quiet S` how long the server must
//! have been silent before the work begins. `{data}` in the TEMPLATE of what is published
//! becomes the text; deliveries are the messages that begin with PREFIX. With `--socketio` lines
//! are Socket.IO clients: each is connected to the namespace `/` before its first message, and
//! answers the server's pings. `{room}` in that message becomes a number below `--rooms N`, one
//! line after the other; 0 without it.
//!
//! It is itself light, so that the server is what is measured: it reads only the heads
//! of frames, compares a sample of the payloads, and writes once per line and read.
//! Results are JSON lines on standard output. It talks to loopback only.

mod args;
mod ask;
mod crowd;
mod cycle;
mod echo;
mod fanout;
mod frame;
mod idle;
mod latency;
mod line;
mod prefix;
mod stream;
mod target;
mod window;
mod wire;

use std::process::ExitCode;
use std::time::Duration;

/// Shared by all lines; four of the largest messages fit.
const READ_BUFFER_BYTES: usize = 512 * 1024;

/// A server that is silent for this long has lost something.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match args::Args::parse(std::env::args().skip(1)).and_then(run) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("openline-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: args::Args) -> Result<String, String> {
    match args.mode.as_str() {
        "echo" => echo::run(args),
        "idle" => idle::run(args),
        "fanout" => fanout::run(args),
        "ask" => ask::run(args),
        "stream" => stream::run(args),
        "cycle" => cycle::run(args),
        mode => Err(format!("unknown mode {mode:?}: echo, idle, fanout, ask, stream or cycle")),
    }
}
