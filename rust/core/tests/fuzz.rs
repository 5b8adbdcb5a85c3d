//! Random rules against a matcher that tries everything, and random bytes against whatever reads bytes from a disk.
//!
//! What is bent at random are the rule files of the ignore cases and the manifests of the golden vectors.
//! `SCRIPTSTEP_FUZZ_SECONDS` says for how long, each.

#![allow(clippy::disallowed_methods, clippy::print_stderr, clippy::unwrap_used)] // A test reads its own data.

mod naive;

use std::sync::Arc;
use std::time::{Duration, Instant};

use scriptstep_core::manifest::Manifest;
use scriptstep_core::rules::{Pattern, RuleFile, RuleStack, SdkRules};
use serde_json::Value;

/// Draws numbers (splitmix64); each run draws others, and says from which seed.
struct Draw(u64);

impl Draw {
    fn new() -> Self {
        let seed = std::env::var("SCRIPTSTEP_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            u64::try_from(now.as_nanos() % u128::from(u64::MAX)).unwrap()
        });
        eprintln!("SCRIPTSTEP_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % end.max(1) as u64).unwrap()
    }

    fn bend(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        const ODD: &[u8] = b"*?[]!/\\-^:# ab\0\r\n\t\xff";
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 => bytes.insert(at, ODD[self.below(ODD.len())]),
                2 if !bytes.is_empty() => drop(bytes.remove(at)),
                3 => bytes.truncate(at),
                4 => {
                    let from = self.below(other.len());
                    let to = other.len().min(from + self.below(12));
                    bytes.splice(at..at, other[from..to].iter().copied());
                }
                _ if !bytes.is_empty() => bytes[at] = ODD[self.below(ODD.len())],
                _ => {}
            }
        }
    }
}

/// Calls again and again, for as long as was asked for.
fn repeatedly(mut act: impl FnMut(&mut Draw)) {
    let seconds = std::env::var("SCRIPTSTEP_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let (end, mut draw, mut turns) = (Instant::now() + Duration::from_secs(seconds), Draw::new(), 0_u64);
    while Instant::now() < end {
        for _ in 0..100 {
            act(&mut draw);
        }
        turns += 100;
    }
    eprintln!("{turns} turns in {seconds} s");
    assert!(turns > 1_000);
}

fn data(name: &str) -> Value {
    let path = format!("{}/../../tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// All rule files of the ignore cases.
fn rule_files() -> Vec<Vec<u8>> {
    let cases = data("ignore_cases.json");
    let entries = cases["cases"].as_array().unwrap().iter().flat_map(|case| case["entries"].as_array().unwrap());
    let rules = entries.filter(|entry| entry["p"].as_str().is_some_and(|path| path.ends_with(".gitignore")));
    let read = |entry: &Value| match (entry["c"].as_str(), entry["cx"].as_str()) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(hex)) => unhex(hex),
        _ => Vec::new(),
    };
    rules.map(read).collect()
}

#[test]
fn patterns_mean_what_they_mean_to_a_matcher_that_tries_everything() {
    let files = rule_files();
    assert!(files.len() > 1_000);
    let lines: Vec<&[u8]> = files.iter().flat_map(|file| file.split(|&byte| byte == b'\n')).collect();
    repeatedly(|draw| {
        let mut pattern = lines[draw.below(lines.len())].to_vec();
        let other = lines[draw.below(lines.len())];
        draw.bend(&mut pattern, other);
        // The other one is exponential.
        pattern.truncate(14);
        pattern.retain(|&byte| byte != 0);
        let mut text = lines[draw.below(lines.len())].to_vec();
        draw.bend(&mut text, &pattern);
        text.truncate(12);
        let wanted = !pattern.is_empty() && naive::means(&pattern, 0, &text);
        if is_understood(&pattern) {
            let shown = (String::from_utf8_lossy(&pattern), String::from_utf8_lossy(&text));
            assert_eq!(Pattern::new(&pattern).matches(&text), wanted, "{shown:?}");
        }
    });
}

/// The naive matcher knows three of the named classes; and it reads on after a malformed end that it never comes to.
fn is_understood(pattern: &[u8]) -> bool {
    !pattern.windows(2).any(|pair| pair == b"[:") && !pattern.contains(&b'[') && !pattern.ends_with(b"\\")
}

#[test]
fn whatever_bytes_a_rule_file_holds_it_is_one() {
    let files = rule_files();
    repeatedly(|draw| {
        let mut bytes = files[draw.below(files.len())].clone();
        let other = files[draw.below(files.len())].clone();
        draw.bend(&mut bytes, &other);
        let path = &other[..other.len().min(40)];
        let file = RuleFile::parse(b".gitignore", &bytes);
        let stack = RuleStack::with_builtins().push(b"", Arc::new(file.clone()));
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        // The index finds what going through all of them finds.
        let slow = file.rules().iter().rev().find(|rule| rule.matches(path, name, true)).map(|rule| rule.line);
        assert_eq!(file.deciding(path, name, true).map(|rule| rule.line), slow);
        stack.ignores(path, false);
        SdkRules::parse(&bytes).ignores(path);
    });
}

#[test]
fn whatever_bytes_a_manifest_holds_they_are_its_own_or_refused() {
    let vectors = data("manifest_vectors.json");
    let known: Vec<Vec<u8>> =
        vectors.as_array().unwrap().iter().map(|one| unhex(one["encoded"].as_str().unwrap())).collect();
    repeatedly(|draw| {
        let mut bytes = known[draw.below(known.len())].clone();
        let other = known[draw.below(known.len())].clone();
        draw.bend(&mut bytes, &other);
        if let Ok(read) = Manifest::decode(bytes.clone()) {
            assert_eq!(read.as_bytes(), bytes);
            let again = Manifest::new(read.entries().collect()).unwrap();
            assert_eq!(again.digest(), read.digest());
            assert!(read.diff(&again).is_empty());
        }
    });
}
