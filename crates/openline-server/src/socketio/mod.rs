//! Socket.IO v5 on Engine.IO v4: its packets, and what stands on them.

#[allow(dead_code, reason = "what stands on its connections calls it")]
pub(crate) mod engine;
mod packet;
