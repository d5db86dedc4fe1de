//! [`Script`]: what Redis does in one step.

use std::sync::LazyLock;

use redis::{Cmd, cmd};

/// A script, which Redis is told by its digest once it has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Publish,
    Read,
    Head,
    Extent,
    Clear,
}

/// With what all of them share in front.
macro_rules! source {
    ($file:literal) => {
        concat!(include_str!("scripts/stream.lua"), include_str!($file))
    };
}

const SOURCES: [(Script, &str); 5] = [
    (Script::Publish, source!("scripts/publish.lua")),
    (Script::Read, source!("scripts/read.lua")),
    (Script::Head, source!("scripts/head.lua")),
    (Script::Extent, source!("scripts/extent.lua")),
    (Script::Clear, source!("scripts/clear.lua")),
];

static DIGESTS: LazyLock<[String; 5]> =
    LazyLock::new(|| SOURCES.map(|(_, source)| redis::Script::new(source).get_hash().to_owned()));

impl Script {
    /// Runs it. The caller owes the arguments.
    pub(super) fn run(self, keys: &[String]) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(&DIGESTS[self as usize]).arg(keys.len()).arg(keys);
        command
    }

    /// Has Redis know all of them.
    pub(super) fn load_all() -> impl Iterator<Item = Cmd> {
        SOURCES.iter().map(|(_, source)| {
            let mut command = cmd("SCRIPT");
            command.arg("LOAD").arg(*source);
            command
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_script_has_its_own_source() {
        for (index, (script, source)) in SOURCES.iter().enumerate() {
            assert_eq!(*script as usize, index);
            assert!(source.len() > 1500, "{script:?}");
        }
    }
}
