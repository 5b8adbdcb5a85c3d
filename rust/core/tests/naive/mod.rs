//! What a pattern means, by trying everything: the reference that the matcher is held against.

/// What a pattern means, read off git's documentation and tried out without any cleverness: exponential, and plain.
pub fn means(pattern: &[u8], at: usize, text: &[u8]) -> bool {
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
            ranges.extend(class(&rest[2..end - 1])?);
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

/// The bytes that a named class holds, as isalpha(3) and its like have them in the C locale.
fn class(name: &[u8]) -> Option<Vec<(u8, u8)>> {
    let (upper, lower, digit) = ((b'A', b'Z'), (b'a', b'z'), (b'0', b'9'));
    let punct = [(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')];
    Some(match name {
        b"alnum" => vec![upper, lower, digit],
        b"alpha" => vec![upper, lower],
        b"blank" => vec![(b' ', b' '), (b'\t', b'\t')],
        b"cntrl" => vec![(0, 31), (127, 127)],
        b"digit" => vec![digit],
        b"graph" => vec![(b'!', b'~')],
        b"lower" => vec![lower],
        b"print" => vec![(b' ', b'~')],
        b"punct" => punct.to_vec(),
        b"space" => vec![(b'\t', b'\r'), (b' ', b' ')],
        b"upper" => vec![upper],
        b"xdigit" => vec![digit, (b'a', b'f'), (b'A', b'F')],
        _ => return None,
    })
}
