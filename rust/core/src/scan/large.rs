//! Files that are larger than a buffer: read in pieces by all threads, whatever their number, and hashed as one.
//!
//! BLAKE3 is a tree: pieces of a power of two of chunks have values of their own, which are joined at the end.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use blake3::Hasher;
use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use crate::digest::Digest;
use crate::fs::Stat;

/// Bytes of a piece: a power of two, large beside a system call and small beside a cache.
pub(crate) const PIECE: usize = 1 << 20;

/// A large file that is being read.
pub(crate) struct Reading {
    file: OwnedFd,
    pub before: Stat,
    pieces: Mutex<Vec<Option<ChainingValue>>>,
    next: AtomicUsize,
    left: AtomicUsize,
}

impl Reading {
    pub fn new(file: OwnedFd, before: Stat) -> Self {
        let count = usize::try_from(before.size.div_ceil(PIECE as u64)).unwrap_or(usize::MAX);
        Self {
            file,
            before,
            pieces: Mutex::new(vec![None; count]),
            next: AtomicUsize::new(0),
            left: AtomicUsize::new(count),
        }
    }

    /// The file.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The next piece that nobody reads yet: where it begins, and how long it is.
    pub fn take(&self) -> Option<(u64, usize)> {
        let at = self.next.fetch_add(1, Ordering::Relaxed) as u64 * PIECE as u64;
        let rest = self.before.size.checked_sub(at).filter(|&rest| rest > 0)?;
        Some((at, usize::try_from(rest).unwrap_or(usize::MAX).min(PIECE)))
    }

    /// What hashes the piece that begins at a place.
    pub fn hasher(offset: u64) -> Hasher {
        let mut hasher = Hasher::new();
        hasher.set_input_offset(offset);
        hasher
    }

    /// Keeps what a piece was hashed to; true where it was the last one that was missing.
    pub fn put(&self, offset: u64, piece: &Hasher) -> bool {
        let value = piece.finalize_non_root();
        let at = usize::try_from(offset).unwrap_or(usize::MAX) / PIECE;
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(value);
        self.left.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// The digest, once all pieces are there; none where there are not two of them.
    pub fn digest(&self) -> Option<Digest> {
        let pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        joined(pieces.iter().copied().collect::<Option<Vec<_>>>()?)
    }
}

/// Joins the values of pieces, all but the last of one power of two of chunks.
fn joined(mut values: Vec<ChainingValue>) -> Option<Digest> {
    // Left to right, in pairs, one level after the other: a piece without a partner moves up as it is.
    while values.len() > 2 {
        let pairs = values.chunks(2).map(|pair| match pair {
            [left, right] => merge_subtrees_non_root(left, right, Mode::Hash),
            other => other[0],
        });
        values = pairs.collect();
    }
    match values.as_slice() {
        [left, right] => Some(Digest(*merge_subtrees_root(left, right, Mode::Hash).as_bytes())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_digest_of_the_whole() {
        for size in [PIECE + 1, 2 * PIECE, 2 * PIECE + 1, 3 * PIECE, 5 * PIECE + 12_345, 7 * PIECE, 8 * PIECE - 1] {
            let bytes: Vec<u8> = (0..251).cycle().take(size).collect();
            let values = bytes.chunks(PIECE).enumerate().map(|(at, piece)| {
                let mut hasher = Hasher::new();
                hasher.set_input_offset((at * PIECE) as u64);
                hasher.update(piece);
                hasher.finalize_non_root()
            });
            assert_eq!(joined(values.collect()), Some(Digest::of(&bytes)), "{size}");
        }
    }
}
