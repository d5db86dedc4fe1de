//! Pages of `docs` whose code is compiled with the tests of the documentation.

#[doc = include_str!("../../../docs/handlers.md")]
struct Handlers;

#[doc = include_str!("../../../docs/migrating/socketio.md")]
struct FromSocketIo;

#[doc = include_str!("../../../docs/migrating/ws.md")]
struct FromWs;
