//! The matcher that works by sets of states, against one that tries everything; and patterns made to hang matchers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use scriptstep_core::rules::{Pattern, RuleFile, RuleStack};

/// What a pattern means, read off git's documentation and tried out without any cleverness: exponential, and plain.
fn means(pattern: &[u8], at: usize, text: &[u8]) -> bool {
    let Some(&byte) = pattern.get(at) else { return text.is_empty() };
    match byte {
        b'*' => stars_mean(pattern, at, text),
        b'?' => text.first().is_some_and(|&found| found != b'/') && means(pattern, at + 1, &text[1..]),
        b'[' => match (bracket(pattern, at), text.first()) {
            (Some((holds, end)), Some(&found)) => found != b'/' && holds(found) && means(pattern, end, &text[1..]),
            _ => false,
        },
        b'\\' => pattern
            .get(at + 1)
            .is_some_and(|literal| text.first() == Some(literal) && means(pattern, at + 2, &text[1..])),
        _ => text.first() == Some(&byte) && means(pattern, at + 1, &text[1..]),
    }
}

fn stars_mean(pattern: &[u8], at: usize, text: &[u8]) -> bool {
    let end = at + pattern[at..].iter().take_while(|&&byte| byte == b'*').count();
    let after = &pattern[end..];
    let opens = at == 0 || pattern[at - 1] == b'/';
    let closes = after.is_empty() || after[0] == b'/' || after.starts_with(b"\\/");
    let deep = end - at > 1 && opens && closes;
    // `**/` may be no folder at all.
    if deep && after.first() == Some(&b'/') && means(pattern, end + 1, text) {
        return true;
    }
    let reach = if deep { text.len() } else { text.iter().take_while(|&&byte| byte != b'/').count() };
    (0..=reach).any(|taken| means(pattern, end, &text[taken..]))
}

type Holds = Box<dyn Fn(u8) -> bool>;

/// A bracket expression: what it holds, and where it ends; none where it never does, or names no class.
fn bracket(pattern: &[u8], open: usize) -> Option<(Holds, usize)> {
    let mut at = open + 1;
    let negated = matches!(pattern.get(at)?, b'!' | b'^');
    at += usize::from(negated);
    let first = at;
    let mut ranges: Vec<(u8, u8)> = Vec::new();
    let mut low = None;
    while *pattern.get(at)? != b']' || at == first {
        let rest = &pattern[at..];
        if rest.starts_with(b"[:")
            && let end = 2 + rest[2..].iter().position(|&byte| byte == b']')?
            && end > 2
            && rest[end - 1] == b':'
        {
            ranges.extend(match &rest[2..end - 1] {
                b"alpha" => vec![(b'a', b'z'), (b'A', b'Z')],
                b"digit" => vec![(b'0', b'9')],
                b"punct" => vec![(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')],
                _ => return None,
            });
            low = None;
            at += end + 1;
        } else if let (b'-', Some(from), true) = (rest[0], low, rest.get(1).is_some_and(|&byte| byte != b']')) {
            let escaped = rest[1] == b'\\';
            ranges.push((from, *rest.get(1 + usize::from(escaped))?));
            low = None;
            at += 2 + usize::from(escaped);
        } else {
            let escaped = rest[0] == b'\\';
            let byte = *rest.get(usize::from(escaped))?;
            ranges.push((byte, byte));
            low = Some(byte);
            at += 1 + usize::from(escaped);
        }
    }
    Some((Box::new(move |byte| ranges.iter().any(|(from, to)| (*from..=*to).contains(&byte)) != negated), at + 1))
}

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
