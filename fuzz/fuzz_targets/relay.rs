//! Two peers' bytes in fragments through a relay, its guard and its recording.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::fuzzing::relay(data));
