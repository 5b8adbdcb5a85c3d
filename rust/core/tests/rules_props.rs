//! The matcher that works by sets of states, against one that tries everything; and patterns made to hang matchers.

mod naive;

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use scriptstep_core::rules::{Pattern, RuleFile, RuleStack};

use naive::means;

fn joined(pieces: &[&'static str], most: usize) -> impl Strategy<Value = String> + use<> {
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..=most).prop_map(|parts| parts.concat())
}

const PIECES: &[&str] = &[
    "a",
    "b",
    "/",
    "*",
    "**",
    "?",
    "**/",
    "/**",
    "/**/",
    "**\\/",
    "***",
    "[ab]",
    "[!a]",
    "[^b]",
    "[a-c]",
    "[]a]",
    "[a",
    "]",
    "-",
    "\\",
    "\\*",
    "\\/",
    "[[:alpha:]]",
    "[[:punct:]-b]",
    "[[:digit:]a]",
    "[[:none:]]",
    "[[:",
    "[a-]",
    "[\\]]",
    "[a-\\c]",
    "[--/]",
    "é",
    "[",
    "!",
    "^",
    ":",
];
const TEXTS: &[&str] = &["a", "b", "c", "/", "ab", "-", "[", "]", "\\", "*", "é", ":", "!", "a/b", "."];

proptest! {
    #![proptest_config(ProptestConfig { cases: 6_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_set_of_states_agrees_with_trying_everything(pattern in joined(PIECES, 7), text in joined(TEXTS, 8)) {
        let found = Pattern::new(pattern.as_bytes()).matches(text.as_bytes());
        // A pattern of nothing is a rule of nothing: it matches nothing, the empty text neither.
        let wanted = !pattern.is_empty() && means(pattern.as_bytes(), 0, text.as_bytes());
        prop_assert_eq!(found, wanted, "{:?} on {:?}", pattern, text);
    }

    #[test]
    fn of_few_letters_too(pattern in "[ab*/?]{0,9}", text in "[ab/]{0,9}") {
        let found = Pattern::new(pattern.as_bytes()).matches(text.as_bytes());
        prop_assert_eq!(found, !pattern.is_empty() && means(pattern.as_bytes(), 0, text.as_bytes()), "{:?} on {:?}", pattern, text);
    }

    #[test]
    fn any_bytes_are_a_rule_file_and_any_bytes_a_path(
        rules in prop::collection::vec(any::<u8>(), 0..200),
        path in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        let stack = RuleStack::with_builtins().push(b"", Arc::new(RuleFile::parse(b"f", &rules)));
        stack.ignores(&path, false);
    }

    #[test]
    fn a_name_escaped_matches_itself_alone(name in "[ -~&&[^/]]{1,20}", other in "[ -~&&[^/]]{1,20}") {
        let escaped: String = name.chars().flat_map(|c| ['\\', c]).collect();
        let pattern = Pattern::new(escaped.as_bytes());
        prop_assert!(pattern.matches(name.as_bytes()));
        prop_assert_eq!(pattern.matches(other.as_bytes()), name == other);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn more_than_64_places_are_held_like_few(head in "a{0,140}", tail in "[ab]{0,140}") {
        let text = format!("{head}/{tail}");
        let found = |pattern: String| Pattern::new(pattern.as_bytes()).matches(text.as_bytes());
        let (under, named, glued) = (format!("{head}/**"), format!("**/{tail}*"), format!("{head}**/**/{tail}"));
        prop_assert!(found(under) && found(named) && found(glued));
        let longer = format!("{head}?/**/{tail}");
        prop_assert!(!found(longer));
    }
}

/// Milliseconds on any machine, where a matcher that goes back takes from seconds to ages.
const SOON: Duration = Duration::from_secs(2);

fn takes(pattern: &str, text: &str) -> Duration {
    let start = Instant::now();
    assert!(!Pattern::new(pattern.as_bytes()).matches(text.as_bytes()), "{pattern} on {text}");
    start.elapsed()
}

#[test]
fn no_pattern_hangs_the_matcher() {
    let folders = "aaaa/".repeat(800);
    let letters = "a".repeat(4_000);
    for (pattern, text) in [
        ("**/a*/".repeat(100) + "b", &folders),
        ("**/*a*/".repeat(60) + "b", &folders),
        ("*a".repeat(200) + "b", &letters),
        ("**/".repeat(1_000) + "b", &folders),
        ("*".repeat(5_000) + "b", &letters),
        ("[a-z]*".repeat(300) + "b", &letters),
        ("?*".repeat(300) + "/b", &letters),
    ] {
        let taken = takes(&pattern, text);
        assert!(taken < SOON, "{taken:?} for {}...", &pattern[..12]);
    }
}

#[test]
fn a_whole_rule_file_of_such_patterns_is_read_and_asked_soon() {
    let rules = "**/a*/**/a*/**/a*/**/b\n".repeat(2_000);
    let start = Instant::now();
    let stack = RuleStack::default().push(b"", Arc::new(RuleFile::parse(b"f", rules.as_bytes())));
    assert!(!stack.ignores("aaaa/".repeat(50).trim_end_matches('/').as_bytes(), false));
    assert!(start.elapsed() < 5 * SOON, "{:?}", start.elapsed());
}
