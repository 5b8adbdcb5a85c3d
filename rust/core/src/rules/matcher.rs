//! One pattern against one path, as git's wildmatch decides it, by a set of states: the work is bounded by the
//! pattern's length times the path's, whatever the pattern.

/// A pattern, ready to be matched.
#[derive(Debug, Clone)]
pub struct Pattern(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// No text at all.
    Never,
    /// This text.
    Literal(Vec<u8>),
    /// `*` and this ending, no slash before it.
    Ending(Vec<u8>),
    /// Everything else.
    States(Box<States>),
}

impl Pattern {
    /// Reads a pattern; a malformed one matches nothing, as in git.
    pub fn new(pattern: &[u8]) -> Self {
        Self(match tokens(pattern) {
            None => Kind::Never,
            Some(tokens) => simple(&tokens).unwrap_or_else(|| Kind::States(Box::new(States::new(&tokens)))),
        })
    }

    /// The one text that it matches, where there is one.
    pub fn literal(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Literal(literal) => Some(literal),
            _ => None,
        }
    }

    /// What a text must end with, and have no slash before, where that is all.
    pub fn ending(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Ending(ending) => Some(ending),
            _ => None,
        }
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        match &self.0 {
            Kind::Never => false,
            Kind::Literal(literal) => text == literal.as_slice(),
            Kind::Ending(ending) => text.strip_suffix(ending.as_slice()).is_some_and(|rest| !rest.contains(&b'/')),
            Kind::States(states) => states.matches(text),
        }
    }
}

/// What one place in a pattern takes.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// One byte of this set.
    One(ByteSet),
    /// Any number of bytes that are no slash.
    Star,
    /// Any number of bytes.
    Deep,
    /// Any number of whole folders, each with its slash, or none; the rest of the pattern may start right here.
    Folders,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct ByteSet([u64; 4]);

impl ByteSet {
    fn of(byte: u8) -> Self {
        let mut set = Self::default();
        set.insert(byte);
        set
    }

    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn remove(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] &= !(1 << (byte & 63));
    }

    fn holds(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    fn inverted(self) -> Self {
        Self(self.0.map(|word| !word))
    }

    /// The one byte that it holds, where it holds one.
    fn single(&self) -> Option<u8> {
        let count: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        (count == 1).then(|| (0..=u8::MAX).find(|&byte| self.holds(byte))).flatten()
    }
}

/// Cuts a pattern into tokens; `None` where it can match nothing.
fn tokens(pattern: &[u8]) -> Option<Vec<Token>> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            b'\\' => {
                at += 1;
                tokens.push(Token::One(ByteSet::of(*pattern.get(at)?)));
                at += 1;
            }
            b'?' => {
                tokens.push(Token::One(ByteSet::of(b'/').inverted()));
                at += 1;
            }
            b'[' => {
                let (set, end) = class(pattern, at + 1)?;
                tokens.push(Token::One(set));
                at = end;
            }
            b'*' => {
                let start = at;
                while pattern.get(at) == Some(&b'*') {
                    at += 1;
                }
                let token = star(pattern, start, at);
                if token == Token::Folders {
                    at += 1;
                }
                // Twice the same is once: `**/**/` says no more than `**/`.
                if tokens.last() != Some(&token) {
                    tokens.push(token);
                }
            }
            byte => {
                tokens.push(Token::One(ByteSet::of(byte)));
                at += 1;
            }
        }
    }
    Some(tokens)
}

/// What the stars at `start..end` mean: two or more between slashes or ends span folders.
fn star(pattern: &[u8], start: usize, end: usize) -> Token {
    let opens = start == 0 || pattern[start - 1] == b'/';
    let rest = &pattern[end..];
    if end - start < 2 || !opens {
        Token::Star
    } else if rest.first() == Some(&b'/') {
        Token::Folders
    } else if rest.is_empty() || rest.starts_with(b"\\/") {
        Token::Deep
    } else {
        Token::Star
    }
}

/// Reads a bracket expression from after its `[`; gives its set and where it ends, `None` where it is malformed.
fn class(pattern: &[u8], mut at: usize) -> Option<(ByteSet, usize)> {
    let negated = matches!(pattern.get(at)?, b'!' | b'^');
    if negated {
        at += 1;
    }
    let mut set = ByteSet::default();
    // The byte that a `-` after it would start a range from.
    let mut before: Option<u8> = None;
    let mut first = true;
    loop {
        let byte = *pattern.get(at)?;
        if byte == b']' && !first {
            break;
        }
        first = false;
        let next = pattern.get(at + 1).copied();
        if byte == b'\\' {
            at += 1;
            let literal = *pattern.get(at)?;
            set.insert(literal);
            before = Some(literal);
        } else if let (b'-', Some(low), Some(_)) = (byte, before, next.filter(|&b| b != b']')) {
            at += 1;
            if pattern[at] == b'\\' {
                at += 1;
            }
            let high = *pattern.get(at)?;
            (low..=high).for_each(|b| set.insert(b));
            before = None;
        } else if byte == b'[' && next == Some(b':') {
            let name = at + 2;
            let close = name + pattern[name..].iter().position(|&b| b == b']')?;
            if close > name && pattern[close - 1] == b':' {
                named_class(&pattern[name..close - 1], &mut set)?;
                at = close;
                before = None;
            } else {
                set.insert(b'[');
                before = Some(b'[');
            }
        } else {
            set.insert(byte);
            before = Some(byte);
        }
        at += 1;
    }
    let mut set = if negated { set.inverted() } else { set };
    set.remove(b'/');
    Some((set, at + 1))
}

fn named_class(name: &[u8], set: &mut ByteSet) -> Option<()> {
    let holds: fn(u8) -> bool = match name {
        b"alnum" => |b| b.is_ascii_alphanumeric(),
        b"alpha" => |b| b.is_ascii_alphabetic(),
        b"blank" => |b| matches!(b, b' ' | b'\t'),
        b"cntrl" => |b| b.is_ascii_control(),
        b"digit" => |b| b.is_ascii_digit(),
        b"graph" => |b| b.is_ascii_graphic(),
        b"lower" => |b| b.is_ascii_lowercase(),
        b"print" => |b| b.is_ascii_graphic() || b == b' ',
        b"punct" => |b| b.is_ascii_punctuation(),
        b"space" => |b| matches!(b, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r'),
        b"upper" => |b| b.is_ascii_uppercase(),
        b"xdigit" => |b| b.is_ascii_hexdigit(),
        _ => return None,
    };
    (0..=u8::MAX).filter(|&b| holds(b)).for_each(|b| set.insert(b));
    Some(())
}

/// The kinds that need no states: a literal, and `*` with a literal ending.
fn simple(tokens: &[Token]) -> Option<Kind> {
    let literal = |tokens: &[Token]| -> Option<Vec<u8>> {
        tokens
            .iter()
            .map(|token| match token {
                Token::One(set) => set.single(),
                _ => None,
            })
            .collect()
    };
    if tokens.is_empty() {
        return Some(Kind::Never);
    }
    match tokens {
        [Token::Star, rest @ ..] => {
            let ending = literal(rest)?;
            (!ending.contains(&b'/')).then_some(Kind::Ending(ending))
        }
        _ => literal(tokens).map(Kind::Literal),
    }
}

/// A pattern as sets of bits, one bit a place: which places a byte moves on from, and which it stays at.
#[derive(Debug, Clone)]
struct States {
    words: usize,
    /// For each byte, `words` words: the places that take it and move on.
    moves: Vec<u64>,
    /// Places that take any byte, and those that take any but a slash, and stay.
    stays_deep: Vec<u64>,
    stays_star: Vec<u64>,
    /// Places that may be passed over, to the next, and `**/`, which may be passed over to what follows its slash.
    skips: Vec<u64>,
    jumps: Vec<u64>,
    last: usize,
}

impl States {
    fn new(tokens: &[Token]) -> Self {
        // `**/` takes three places: the jump itself, any bytes, and a slash.
        let places: usize = tokens.iter().map(|t| if *t == Token::Folders { 3 } else { 1 }).sum();
        let words = places / 64 + 1;
        let mut states = Self {
            words,
            moves: vec![0; 256 * words],
            stays_deep: vec![0; words],
            stays_star: vec![0; words],
            skips: vec![0; words],
            jumps: vec![0; words],
            last: places,
        };
        let mut at = 0;
        for token in tokens {
            match token {
                Token::One(set) => states.takes(at, set),
                Token::Star => {
                    set_bit(&mut states.stays_star, at);
                    set_bit(&mut states.skips, at);
                }
                Token::Deep => {
                    set_bit(&mut states.stays_deep, at);
                    set_bit(&mut states.skips, at);
                }
                Token::Folders => {
                    set_bit(&mut states.skips, at);
                    set_bit(&mut states.jumps, at);
                    set_bit(&mut states.stays_deep, at + 1);
                    set_bit(&mut states.skips, at + 1);
                    states.takes(at + 2, &ByteSet::of(b'/'));
                    at += 2;
                }
            }
            at += 1;
        }
        states
    }

    fn takes(&mut self, place: usize, set: &ByteSet) {
        for byte in (0..=u8::MAX).filter(|&byte| set.holds(byte)) {
            let start = usize::from(byte) * self.words;
            set_bit(&mut self.moves[start..start + self.words], place);
        }
    }

    fn matches(&self, text: &[u8]) -> bool {
        if self.words == 1 {
            return self.matches_in_a_word(text);
        }
        let mut now = vec![0_u64; self.words];
        let mut next = vec![0_u64; self.words];
        now[0] = 1;
        self.pass_over(&mut now);
        for &byte in text {
            self.step(byte, &now, &mut next);
            self.pass_over(&mut next);
            std::mem::swap(&mut now, &mut next);
            if now.iter().all(|&word| word == 0) {
                return false;
            }
        }
        now[self.last / 64] >> (self.last % 64) & 1 == 1
    }

    /// The same, for the many patterns whose places fit into one word.
    fn matches_in_a_word(&self, text: &[u8]) -> bool {
        let (deep, star, skips, jumps) = (self.stays_deep[0], self.stays_star[0], self.skips[0], self.jumps[0]);
        let pass_over = |mut set: u64| loop {
            let grown = set | (set & skips) << 1 | (set & jumps) << 3;
            if grown == set {
                return set;
            }
            set = grown;
        };
        let mut now = pass_over(1);
        for &byte in text {
            let stays = deep | if byte == b'/' { 0 } else { star };
            now = pass_over((now & self.moves[usize::from(byte)]) << 1 | now & stays);
            if now == 0 {
                return false;
            }
        }
        now >> self.last & 1 == 1
    }

    fn step(&self, byte: u8, now: &[u64], next: &mut [u64]) {
        let moves = &self.moves[usize::from(byte) * self.words..][..self.words];
        let mut carry = 0;
        for (index, &word) in now.iter().enumerate() {
            let taken = word & moves[index];
            let stays = self.stays_deep[index] | if byte == b'/' { 0 } else { self.stays_star[index] };
            next[index] = taken << 1 | carry | word & stays;
            carry = taken >> 63;
        }
    }

    /// Adds the places that are reached without taking a byte; they always lie further on.
    fn pass_over(&self, set: &mut [u64]) {
        loop {
            let mut grown = false;
            let (mut carry, mut far_carry) = (0, 0);
            for (index, word) in set.iter_mut().enumerate() {
                let skipped = *word & self.skips[index];
                let jumped = *word & self.jumps[index];
                let more = skipped << 1 | carry | jumped << 3 | far_carry;
                carry = skipped >> 63;
                far_carry = jumped >> 61;
                grown |= more & !*word != 0;
                *word |= more;
            }
            if !grown {
                return;
            }
        }
    }
}

fn set_bit(words: &mut [u64], at: usize) {
    words[at / 64] |= 1 << (at % 64);
}
