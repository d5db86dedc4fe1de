//! What a run came to, for people.

mod html;
mod text;
mod timeline;

pub use html::html;
pub use text::text;
