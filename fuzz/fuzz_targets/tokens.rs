//! Tokens, what stands in them when they are signed, sets of keys, and where in a request they are. What holds stands in the server.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openline_server::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::tokens(data));
