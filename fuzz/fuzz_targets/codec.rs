//! Messages of either side, whole or cut, through everything that reads them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::fuzzing::codec(data));
