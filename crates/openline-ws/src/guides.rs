//! The pages of `docs` that show this crate's code, which is compiled with the tests of the documentation.

#[doc = include_str!("../../../docs/migrating/tokio-tungstenite.md")]
struct FromTokioTungstenite;

#[doc = include_str!("../../../docs/migrating/ws.md")]
struct FromWs;
