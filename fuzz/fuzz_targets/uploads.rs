//! Names of files, and headers that ask for a part of one. What holds stands in the server.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openline_server::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::uploads(data));
