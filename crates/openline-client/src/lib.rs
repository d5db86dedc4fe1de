//! A client of Openline that comes back: channels with recovery, requests, presence.
//!
//! ```no_run
//! # use openline_client::{ChannelEvent, Client};
//! async fn talk(url: &str) -> Result<(), Box<dyn std::error::Error>> {
//!     let client = Client::builder(url)?.build()?;
//!     client.connect().await?;
//!     let mut room = client.channel("room:1").history(10).subscribe().await?;
//!     client.publish("room:1", "hello").event("chat").await?;
//!     while let Some(event) = room.next().await {
//!         match event {
//!             ChannelEvent::Publication(message) => println!("{}", message.json::<String>()?),
//!             ChannelEvent::Gap { reason, .. } => println!("(messages are missing: {reason:?})"),
//!             ChannelEvent::Recovered { count } => println!("(back, {count} messages missed)"),
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What it does
//! - [`Client`] keeps one line to a server. When it is lost, it opens another: after a random time
//!   below a bound that grows, or when the server says. `docs/client-states.md` in the repository is
//!   the whole of it; [`machine`] is it in code.
//! - [`Client::publish`]: each message is published once, in order, over as many lines as it takes, or
//!   the call fails. What waits has bounds ([`Queue`]).
//! - [`Client::channel`] gives a [`Subscription`], a stream of [`ChannelEvent`]s. After a lost line it goes
//!   on where it was; if messages are missing, it says so in their place. A reader that does not keep
//!   up reads from the history later, and holds up nobody.
//! - [`Client::upload`] sends a file, over as many lines as it takes.
//! - [`Client::request`], [`Client::history`], [`Client::presence`], [`Client::on`] for what the server asks.
//!
//! Every call ends: with its answer, or with an [`Error`] that says whether to try again; an upload alone
//! waits for a line for as long as the client tries. Every future may be dropped.
//!
//! # Run loop
//! A task of tokio's, started by the first call that waits; it ends with the last handle. Clients are
//! made anywhere and used inside a runtime. Time is tokio's, so tests may pause it.
//!
//! # Not here
//! Other transports than WebSocket. The messages are in [`openline_protocol`], the lines in
//! [`openline_ws`].

mod auth;
mod builder;
mod channel;
mod client;
mod core;
mod dial;
mod driver;
mod error;
mod event;
#[cfg(doctest)]
mod guides;
mod history;
mod line;
pub mod machine;
mod options;
mod presence;
mod publish;
mod request;
mod shared;
mod status;
mod upload;

pub use openline_protocol::{
    ChannelName, Data, ErrorCode, Failure, Format, Member, Position, PresenceChange, Published,
    Reason, Sender, StoredFile,
};
pub use openline_ws::{Proxy, tls};

pub use auth::{AuthContext, AuthError, Why};
pub use builder::ClientBuilder;
pub use channel::{ChannelBuilder, Subscription};
pub use client::Client;
pub use dial::Stream;
pub use error::{BuildError, Error};
pub use event::{ChannelEvent, GapReason, Publication};
pub use history::{History, HistoryBuilder};
pub use machine::State;
pub use options::{Backoff, Heartbeat, Overflow, Queue};
pub use presence::SetPresence;
pub use publish::Publish;
pub use request::Request;
pub use status::Status;
pub use upload::{Upload, UploadControl};
