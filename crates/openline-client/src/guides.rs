//! The guides of `docs/clients`, whose code is compiled with the tests of the documentation.

#[doc = include_str!("../../../docs/clients/quick-start.md")]
struct QuickStart;

#[doc = include_str!("../../../docs/clients/authentication.md")]
struct Authentication;

#[doc = include_str!("../../../docs/clients/recovery.md")]
struct Recovery;

#[doc = include_str!("../../../docs/clients/presence.md")]
struct Presence;

#[doc = include_str!("../../../docs/clients/files.md")]
struct Files;

#[doc = include_str!("../../../docs/clients/testing.md")]
struct Testing;
