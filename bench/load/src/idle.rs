//! `idle`: opens lines and holds them until standard input ends.

use std::io::{Read, stdin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use crate::READ_BUFFER_BYTES;
use crate::args::Args;
use crate::frame::Reader;
use crate::line::{Line, Target};

pub(crate) fn run(mut args: Args) -> Result<String, String> {
    let target = Target::parse(&args.required::<String>("url")?)?;
    let lines: usize = args.required("lines")?;
    let hold = Duration::from_secs_f64(args.required("hold")?);
    args.finish()?;

    let mut poll = Poll::new().map_err(|e| e.to_string())?;
    let mut lines = (0..lines)
        .map(|token| Line::open(&target, Reader::default(), poll.registry(), token))
        .collect::<Result<Vec<_>, _>>()?;
    println!("{{\"open\":{}}}", lines.len());

    let released = input_end();
    let begun = Instant::now();
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    while !released.load(Ordering::Relaxed) && begun.elapsed() < hold {
        poll.poll(&mut events, Some(Duration::from_millis(50))).map_err(|e| e.to_string())?;
        for event in &events {
            let line = &mut lines[event.token().0];
            line.flush()?;
            line.read(&mut buffer, |_| {})?;
        }
    }
    Ok(format!("{{\"held\":{},\"seconds\":{:.3}}}", lines.len(), begun.elapsed().as_secs_f64()))
}

/// A thread waits for the end of standard input, which mio cannot watch when it is a file.
fn input_end() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    std::thread::spawn(move || {
        // A broken input is an ended one.
        let _ = stdin().read_to_end(&mut Vec::new());
        flag.store(true, Ordering::Relaxed);
    });
    ended
}
