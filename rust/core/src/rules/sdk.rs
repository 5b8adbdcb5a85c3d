//! The Azure ML SDK's own reading of an ignore file: that of pathspec's `gitwildmatch`, of the root's file alone.
//!
//! It differs from git's: a folder that is named with a slash behind it is entered, and what lies in it can be brought
//! back one by one; blanks before a rule go; nothing is built in.

use super::matcher::{Pattern, Piece};

/// The rules of one file, as the SDK reads them.
#[derive(Debug, Clone, Default)]
pub struct SdkRules(Vec<(bool, Vec<Pattern>)>);

impl SdkRules {
    /// Reads a rule file.
    pub fn parse(bytes: &[u8]) -> Self {
        let lines = bytes.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        Self(lines.filter_map(rule).collect())
    }

    /// Whether the file leaves an entry out, whose folders above it does not.
    pub fn ignores(&self, path: &[u8]) -> bool {
        let deciding = self.0.iter().rev().find(|(_, patterns)| patterns.iter().any(|pattern| pattern.matches(path)));
        deciding.is_some_and(|(takes_out, _)| *takes_out)
    }
}

/// One line: whether it takes out, and what it matches; none where it says nothing.
fn rule(line: &[u8]) -> Option<(bool, Vec<Pattern>)> {
    let line = if line.ends_with(b"\\ ") { line.trim_ascii_start() } else { line.trim_ascii() };
    if line.is_empty() || line[0] == b'#' || line == b"/" {
        return None;
    }
    let (takes_out, text) = line.strip_prefix(b"!").map_or((true, line), |rest| (false, rest));
    let mut parts: Vec<&[u8]> = text.split(|&byte| byte == b'/').collect();
    // `**/**` says no more than `**`.
    parts.dedup_by(|next, before| *next == b"**" && *before == b"**");
    if parts.len() == 2 && parts[0] == b"**" && parts[1].is_empty() {
        // All but what lies in the root itself.
        let pieces = [Piece::NoSlash, Piece::Deep, Piece::Byte(b'/'), Piece::Deep];
        return Some((takes_out, vec![Pattern::of_pieces(&pieces), Pattern::of_pieces(&slash_first(&pieces))]));
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
    pieces_of(&parts).map(|(pieces, may_go_on)| {
        let mut patterns = vec![Pattern::of_pieces(&pieces)];
        if may_go_on {
            patterns.push(Pattern::of_pieces(&[&pieces[..], &[Piece::Byte(b'/'), Piece::Deep]].concat()));
        }
        (takes_out, patterns)
    })
}

fn slash_first(pieces: &[Piece]) -> Vec<Piece> {
    [&[Piece::Byte(b'/')], pieces].concat()
}

/// The pieces of a pattern, and whether all that lies below what it matches is meant too.
fn pieces_of(parts: &[&[u8]]) -> Option<(Vec<Piece>, bool)> {
    let mut pieces = Vec::new();
    let last = parts.len() - 1;
    let mut needs_slash = false;
    for (at, part) in parts.iter().enumerate() {
        if *part == b"**" {
            match (at == 0, at == last) {
                // All that there is.
                (true, true) => pieces.extend([Piece::Any, Piece::Deep]),
                (true, false) => pieces.push(Piece::Folders),
                (false, true) => pieces.extend([Piece::Byte(b'/'), Piece::Deep]),
                (false, false) => pieces.extend([Piece::Byte(b'/'), Piece::Folders]),
            }
            if at == last {
                return Some((pieces, false));
            }
            needs_slash = false;
            continue;
        }
        if needs_slash {
            pieces.push(Piece::Byte(b'/'));
        }
        if *part == b"*" {
            pieces.extend([Piece::NoSlash, Piece::Star]);
        } else {
            pieces.extend(glob(part)?);
        }
        needs_slash = true;
    }
    Some((pieces, true))
}

/// One part of a pattern, between slashes; none where it is malformed.
fn glob(part: &[u8]) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < part.len() {
        let byte = part[at];
        at += 1;
        pieces.push(match byte {
            b'\\' => {
                let escaped = *part.get(at)?;
                at += 1;
                Piece::Byte(escaped)
            }
            b'*' => Piece::Star,
            b'?' => Piece::NoSlash,
            b'[' => match bracket(&part[at..]) {
                Some((piece, length)) => {
                    at += length;
                    piece
                }
                None => Piece::Byte(b'['),
            },
            other => Piece::Byte(other),
        });
    }
    Some(pieces)
}

/// A bracket expression from after its `[`, and how long it is; none where it has no end, and is a bracket as such.
fn bracket(text: &[u8]) -> Option<(Piece, usize)> {
    let is_negated = matches!(text.first(), Some(b'!' | b'^'));
    let start = usize::from(is_negated);
    // A bracket that stands first is one of the set.
    let from = start + usize::from(text.get(start) == Some(&b']'));
    let end = from + text.get(from..)?.iter().position(|&byte| byte == b']')?;
    let inside = &text[start..end];
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < inside.len() {
        if let [low, b'-', high, ..] = inside[at..] {
            bytes.extend(low..=high);
            at += 3;
        } else {
            bytes.push(inside[at]);
            at += 1;
        }
    }
    Some((Piece::Set { bytes, is_negated }, end + 1))
}
