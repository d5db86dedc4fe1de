//! What another node says, and what it hands over. What holds stands in the server.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openline_server::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::cluster(data));
