//! Bodies of Engine.IO requests, and their addresses. What holds stands in the server.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openline_server::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::engine_io(data));
