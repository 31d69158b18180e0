//! Any text through the grammar, the lowering and the analysis.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gateway::fuzzing::analysis(data));
