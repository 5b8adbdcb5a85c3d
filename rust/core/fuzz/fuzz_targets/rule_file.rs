#![no_main]

#[path = "../../tests/fuzzed/mod.rs"]
#[allow(dead_code)] // The other targets' part.
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::rule_file(data));
