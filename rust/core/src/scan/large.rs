//! Files that are larger than a buffer: read in pieces by all threads, whatever their number, and hashed as one.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use blake3::Hasher;
use blake3::hazmat::{ChainingValue, HasherExt, Mode};

use crate::digest::Digest;
use crate::digest::pieces::joined;
use crate::fs::Stat;
use crate::threads::lock;

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

    /// Keeps what a piece was hashed to, where all of it was there; true where it was the last one to be read.
    pub fn put(&self, offset: u64, piece: Option<&Hasher>) -> bool {
        let at = usize::try_from(offset).unwrap_or(usize::MAX) / PIECE;
        lock(&self.pieces)[at] = piece.map(HasherExt::finalize_non_root);
        self.left.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// The digest, once all pieces are read; none where one was not there, or where there are not two of them.
    pub fn digest(&self) -> Option<Digest> {
        let pieces = lock(&self.pieces);
        joined(pieces.iter().copied().collect::<Option<Vec<_>>>()?, Mode::Hash)
    }
}
