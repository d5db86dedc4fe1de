//! `idle`: opens lines and holds them until standard input ends.

use std::io::{Read, stdin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::crowd::{Crowd, Hello, take_bearers};
use crate::target::Target;

pub(crate) fn run(mut args: Args) -> Result<String, String> {
    let mut target = Target::take(&mut args)?;
    let lines: usize = args.required("lines")?;
    let hold = Duration::from_secs_f64(args.required("hold")?);
    let hello = Hello::take(&mut args, &mut target)?;
    target.bearers = take_bearers(&mut args)?;
    target.receive_buffer = args.take("receive-buffer")?;
    args.finish()?;

    let mut crowd = Crowd::open(&target, lines, &hello)?;
    println!("{{\"open\":{lines}}}");

    let released = input_end();
    let begun = Instant::now();
    while !released.load(Ordering::Relaxed) && begun.elapsed() < hold {
        crowd.turn(Duration::from_millis(50), |_, _| {})?;
    }
    Ok(format!("{{\"held\":{lines},\"seconds\":{:.3}}}", begun.elapsed().as_secs_f64()))
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
