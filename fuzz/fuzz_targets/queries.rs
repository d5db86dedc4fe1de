//! Addresses of streams and polls, and the places that readers say they are at. What holds stands in the server.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openline_server::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::queries(data));
