//! Socket.IO, protocol v5: its packets, and what stands on them.

#[expect(dead_code, unused_imports, reason = "nothing stands on it yet")]
mod packet;
