//! What a run came to, for people.

mod text;

pub use text::text;
