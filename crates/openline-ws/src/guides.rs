//! A page of `docs` whose code is compiled with the tests of the documentation.

#[doc = include_str!("../../../docs/migrating/tokio-tungstenite.md")]
struct FromTokioTungstenite;
