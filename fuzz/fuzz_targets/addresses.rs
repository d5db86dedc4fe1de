//! Headers that say where a connection or a request is from: PROXY, X-Forwarded-For, Host, Origin. What holds stands in the server.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openline_server::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::addresses(data));
