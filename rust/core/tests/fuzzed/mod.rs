//! What must hold whatever the bytes are: called by the fuzz targets with all that they think of, and by `fuzz.rs` with
//! what they found.

#[path = "../naive/mod.rs"]
mod naive;

use std::sync::Arc;

use scriptstep_core::manifest::Manifest;
use scriptstep_core::rules::{Pattern, RuleFile, RuleStack, SdkRules};

/// The matcher that tries everything is exponential.
const PATTERN: usize = 14;
const TEXT: usize = 12;

/// A function by the name of its target.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[("manifest", manifest), ("pattern", pattern), ("rule_file", rule_file)];

/// A first line is a pattern, the rest a path: it means what it means to the matcher that tries everything.
pub fn pattern(data: &[u8]) {
    let (pattern, text) = halves(data, b'\n');
    if pattern.is_empty() || pattern.len() > PATTERN || text.len() > TEXT || pattern.contains(&0) {
        return;
    }
    let shown = (String::from_utf8_lossy(pattern), String::from_utf8_lossy(text));
    assert_eq!(Pattern::new(pattern).matches(text), naive::means(pattern, 0, text), "{shown:?}");
}

/// What stands before a NUL is an ignore file, the rest a path: the index finds the rule that going through all finds.
pub fn rule_file(data: &[u8]) {
    let (bytes, path) = halves(data, 0);
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    let file = RuleFile::parse(b".gitignore", bytes);
    for is_folder in [false, true] {
        let all = file.rules().iter().rev().find(|rule| rule.matches(path, name, is_folder)).map(|rule| rule.line);
        assert_eq!(file.deciding(path, name, is_folder).map(|rule| rule.line), all);
    }
    RuleStack::with_builtins().push(b"", Arc::new(file)).ignores(path, false);
    SdkRules::parse(bytes).ignores(path);
}

/// Bytes that are taken for a manifest are those that it is written as.
pub fn manifest(data: &[u8]) {
    let Ok(read) = Manifest::decode(data.to_vec()) else { return };
    assert_eq!(read.as_bytes(), data);
    let Ok(again) = Manifest::new(read.entries().collect()) else { panic!("its own entries make no manifest") };
    assert_eq!(again.digest(), read.digest());
    assert!(read.diff(&again).is_empty());
    for entry in read.entries() {
        assert_eq!(read.get(entry.path), Some(entry));
    }
}

/// What stands before the first such byte, and after it.
fn halves(data: &[u8], between: u8) -> (&[u8], &[u8]) {
    let at = data.iter().position(|&byte| byte == between).unwrap_or(data.len());
    (&data[..at], &data[data.len().min(at + 1)..])
}
