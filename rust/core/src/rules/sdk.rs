//! The Azure ML SDK's own reading of an ignore file: that of pathspec's `gitwildmatch`, of the root's file alone.
//!
//! It differs from git's: a folder that is named with a slash behind it is entered, and what lies in it can be brought
//! back one by one; blanks before a rule go; nothing is built in.

/// The rules of one file, as the SDK reads them.
#[derive(Debug, Clone, Default)]
pub struct SdkRules(Vec<Rule>);

#[derive(Debug, Clone)]
struct Rule {
    takes_out: bool,
    pieces: Vec<Piece>,
    /// Whether all that lies below what it matches is meant too.
    goes_on: bool,
}

/// What one place of a pattern takes. Patterns and paths are held against each other by characters, as Python has them.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    /// This character.
    One(u32),
    /// One character of these ranges, or, negated, one of none of them.
    Set(Vec<(u32, u32)>, bool),
    /// One character.
    Any,
    /// One character that is no slash.
    NoSlash,
    /// Any number of characters that are no slash.
    Star,
    /// Any number of characters.
    Deep,
    /// What may be passed over: any number of whole folders, of the two pieces that follow.
    Folders,
    /// Any number of characters, the last of them a slash.
    ToSlash,
}

const SLASH: u32 = b'/' as u32;

impl Piece {
    /// Whether it takes a character.
    fn takes(&self, character: u32) -> bool {
        match self {
            Self::One(one) => *one == character,
            Self::Set(ranges, negated) => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != *negated
            }
            Self::Any | Self::Deep | Self::ToSlash => true,
            Self::NoSlash | Self::Star => character != SLASH,
            Self::Folders => false,
        }
    }

    /// Whether it may take none, and any number.
    fn repeats(&self) -> bool {
        matches!(self, Self::Star | Self::Deep)
    }
}

impl SdkRules {
    /// Reads a rule file.
    pub fn parse(bytes: &[u8]) -> Self {
        let lines = bytes.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        Self(lines.filter_map(rule).collect())
    }

    /// Whether the file leaves an entry out, whose folders above it does not.
    pub fn ignores(&self, path: &[u8]) -> bool {
        let path = characters(path);
        self.0.iter().rev().find(|rule| rule.matches(&path)).is_some_and(|rule| rule.takes_out)
    }
}

impl Rule {
    /// Whether it speaks of a path; by the set of places that each of its characters leads to.
    fn matches(&self, path: &[u32]) -> bool {
        let end = self.pieces.len();
        let mut now = vec![false; end + 1];
        self.reach(&mut now, 0);
        for &character in path {
            if self.goes_on && now[end] && character == SLASH {
                return true;
            }
            let mut next = vec![false; end + 1];
            for (at, piece) in self.pieces.iter().enumerate().filter(|(at, _)| now[*at]) {
                if piece.takes(character) {
                    let stays = piece.repeats() || *piece == Piece::ToSlash;
                    self.reach(&mut next, if stays { at } else { at + 1 });
                }
                if *piece == Piece::ToSlash && character == SLASH {
                    self.reach(&mut next, at + 1);
                }
            }
            now = next;
        }
        now[end]
    }

    /// Marks a place, and those after it that may be passed over.
    fn reach(&self, places: &mut [bool], mut at: usize) {
        loop {
            places[at] = true;
            match self.pieces.get(at) {
                Some(piece) if piece.repeats() => at += 1,
                Some(Piece::Folders) => {
                    places[at + 1] = true;
                    at += FOLDERS.len();
                }
                _ => return,
            }
        }
    }
}

/// A text's characters; a byte that is no UTF-8 is one of its own.
fn characters(text: &[u8]) -> Vec<u32> {
    let chunks = text.utf8_chunks();
    chunks
        .flat_map(|chunk| {
            let sound = chunk.valid().chars().map(u32::from);
            sound.chain(chunk.invalid().iter().map(|&byte| 0xDC00 + u32::from(byte)))
        })
        .collect()
}

/// One line; none where it says nothing.
fn rule(line: &[u8]) -> Option<Rule> {
    let line = line.trim_ascii();
    if line.is_empty() || line[0] == b'#' || line == b"/" {
        return None;
    }
    let (takes_out, text) = line.strip_prefix(b"!").map_or((true, line), |rest| (false, rest));
    let mut parts: Vec<&[u8]> = text.split(|&byte| byte == b'/').collect();
    // `**/**` says no more than `**`.
    parts.dedup_by(|next, before| *next == b"**" && *before == b"**");
    if parts.len() == 2 && parts[0] == b"**" && parts[1].is_empty() {
        // All but what lies in the root itself.
        let pieces = vec![Piece::Any, Piece::Deep, Piece::One(SLASH), Piece::Deep];
        return Some(Rule { takes_out, pieces, goes_on: false });
    }
    if parts[0].is_empty() {
        parts.remove(0);
    } else if (parts.len() == 1 || (parts.len() == 2 && parts[1].is_empty())) && parts[0] != b"**" {
        parts.insert(0, b"**");
    }
    let last = parts.last_mut()?;
    if last.is_empty() {
        *last = b"**";
    }
    pieces_of(&parts).map(|(pieces, goes_on)| Rule { takes_out, pieces, goes_on })
}

/// Any number of whole folders, each with its slash, or none.
const FOLDERS: [Piece; 3] = [Piece::Folders, Piece::Any, Piece::ToSlash];

/// The pieces of a pattern, and whether all that lies below what it matches is meant too.
fn pieces_of(parts: &[&[u8]]) -> Option<(Vec<Piece>, bool)> {
    let last = parts.len() - 1;
    let mut pieces = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let is_after_folders = at > 0 && parts[at - 1] == b"**";
        if at > 0 && !is_after_folders {
            pieces.push(Piece::One(SLASH));
        }
        match (*part, at) {
            (b"**", 0) if last == 0 => pieces.extend([Piece::NoSlash, Piece::Star]),
            (b"**", _) if at == last => {
                // `/**/` asks for two slashes there, and so for nothing that is.
                pieces.extend(is_after_folders.then_some(Piece::One(SLASH)));
                pieces.push(Piece::Deep);
                return Some((pieces, false));
            }
            (b"**", _) => pieces.extend(FOLDERS),
            (b"*", _) => pieces.extend([Piece::NoSlash, Piece::Star]),
            _ => pieces.extend(glob(&characters(part))?),
        }
    }
    Some((pieces, true))
}

/// One part of a pattern, between slashes; none where it is malformed.
fn glob(part: &[u32]) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(&character) = part.get(at) {
        at += 1;
        pieces.push(match u8::try_from(character) {
            Ok(b'\\') => {
                at += 1;
                Piece::One(*part.get(at - 1)?)
            }
            Ok(b'*') => Piece::Star,
            Ok(b'?') => Piece::NoSlash,
            Ok(b'[') => match bracket(&part[at..]) {
                Some((piece, length)) => {
                    at += length;
                    piece
                }
                None => Piece::One(character),
            },
            _ => Piece::One(character),
        });
    }
    Some(pieces)
}

/// A bracket expression from after its `[`, and how long it is; none where it has no end, and is a bracket as such.
fn bracket(text: &[u32]) -> Option<(Piece, usize)> {
    let is = |at: usize, byte: u8| text.get(at) == Some(&u32::from(byte));
    let is_negated = is(0, b'!') || is(0, b'^');
    let start = usize::from(is_negated);
    // A bracket that stands first is one of the set.
    let from = start + usize::from(is(start, b']'));
    let end = from + text.get(from..)?.iter().position(|&character| character == u32::from(b']'))?;
    let mut ranges = Vec::new();
    let mut at = start;
    while at < end {
        if at + 2 < end && is(at + 1, b'-') {
            ranges.push((text[at], text[at + 2]));
            at += 3;
        } else {
            ranges.push((text[at], text[at]));
            at += 1;
        }
    }
    Some((Piece::Set(ranges, is_negated), end + 1))
}
