//! Socket.IO v5 on Engine.IO v4: its packets, and what stands on them.

#[allow(dead_code, reason = "what stands on its connections calls it")]
pub(crate) mod engine;
mod packet;

use crate::app::Doors;
use crate::config::Config;

/// What stands at the paths of Engine.IO.
pub(crate) fn mounts(_config: &Config, _doors: &Doors) -> engine::Mounts {
    engine::Mounts::default()
}
