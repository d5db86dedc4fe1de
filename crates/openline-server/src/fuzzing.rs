//! What holds of any bytes that somebody sends, parser by parser: for the targets in `fuzz/`.
//!
//! Each function takes any bytes and panics where something does not hold. What the targets begin
//! with, and what they found, stands in `fuzz/seeds` and is checked by this module's test.

pub use crate::auth::fuzz::tokens;
pub use crate::broker::fuzz::entries;
pub use crate::cluster::fuzz::cluster;
pub use crate::guard::fuzz::addresses;
pub use crate::plain::fuzz::plain;
pub use crate::socketio::engine::fuzz::engine_io;
pub use crate::transport::fuzz::queries;
pub use crate::uploads::fuzz::uploads;
pub use crate::webhook::fuzz::webhook;

use crate::config::{Config, Place};

/// The file of the configuration: what is wrong with it is told in lines of their own, each with a
/// place that there is.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let none = std::iter::empty::<(String, String)>;
    let Err(errors) = Config::read(Some(("file", text)), none(), none()) else { return };
    assert!(!errors.is_empty());
    for error in errors {
        let shown = error.to_string();
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        if let Place::Line { line, column, .. } = error.place {
            // The end of the file is a place too.
            let there = text.split('\n').nth(line - 1).expect("the line that is named");
            assert!((1..=there.chars().count() + 1).contains(&column), "{shown:?}");
        }
    }
}

/// The halves of a list: up to the first byte 0xff, which is in no text, and behind it.
pub(crate) fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.iter().position(|byte| *byte == 0xff).unwrap_or(data.len());
    (&data[..at], data.get(at + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_seeds_of_every_fuzz_target_hold() {
        type Target = fn(&[u8]);
        let targets: [(&str, Target); 10] = [
            ("addresses", addresses),
            ("cluster", cluster),
            ("config", config),
            ("engine_io", engine_io),
            ("entries", entries),
            ("plain", plain),
            ("queries", queries),
            ("tokens", tokens),
            ("uploads", uploads),
            ("webhook", webhook),
        ];
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
        for (name, check) in targets {
            let files: Vec<_> = fs::read_dir(seeds.join(name)).unwrap().collect();
            assert!(!files.is_empty(), "{name}");
            for file in files {
                let bytes = fs::read(file.unwrap().path()).unwrap();
                check(&bytes);
                // Cut anywhere, and with something behind it.
                (0..bytes.len()).step_by(7).for_each(|end| check(&bytes[..end]));
                check(&[&bytes[..], b"\xff\0x"].concat());
            }
        }
    }
}
