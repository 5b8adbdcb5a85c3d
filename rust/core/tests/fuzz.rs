//! What the fuzz targets found so far, and what they began with, held against what must hold: `make fuzz` looks for more.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // A test reads its own data.

mod fuzzed;

use std::fs;
use std::path::Path;

fn unhex(line: &str) -> Vec<u8> {
    (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn what_was_found_before_holds() {
    for (name, target) in fuzzed::TARGETS {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/corpus/{name}.hex"));
        let corpus = fs::read_to_string(corpus).unwrap();
        corpus.lines().for_each(|line| target(&unhex(line)));
        assert!(corpus.lines().count() > 20, "{name}");
    }
}
