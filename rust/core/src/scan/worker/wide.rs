//! Folders of very many files, which one thread would be long at: others that have nothing to do lend a hand.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::digest::Digest;
use crate::error::Result;
use crate::scan::large::PIECE;
use crate::scan::read::{Looked, read_small};
use crate::scan::row::Row;
use crate::scan::worker::{Worker, is_row};
use crate::threads::{lock, on_threads};

/// So many files are looked at before the threads are counted again.
pub(super) const BATCH: usize = 4_096;
/// So many does a thread take at once.
const TAKEN: usize = 64;

/// A file to look at, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub name: &'a CStr,
    pub known: Option<(Row, Digest)>,
}

/// Files that were read, by their places among those that were looked at; the others are what they were known to be.
pub(super) type Reads = Vec<(usize, std::io::Result<Looked>)>;

impl Worker<'_> {
    /// Looks at files of a folder, and reads those that are not known to be what they were.
    pub(super) fn look_at(&mut self, folder: &OwnedFd, files: &[Candidate]) -> Result<Reads> {
        let threads = (self.walk.idle() + 1).min(files.len().div_ceil(TAKEN));
        if threads < 2 {
            return self.look_at_part(folder, files, 0);
        }
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Reads::new()));
        let work = || {
            let mut helper = Worker::new(self.walk);
            loop {
                let start = next.fetch_add(TAKEN, Ordering::Relaxed);
                if start >= files.len() {
                    return Ok(());
                }
                let part = &files[start..files.len().min(start + TAKEN)];
                let mut reads = helper.look_at_part(folder, part, start)?;
                lock(&done).append(&mut reads);
            }
        };
        on_threads(threads, work, || next.store(files.len(), Ordering::Relaxed))?;
        let mut reads = std::mem::take(&mut *lock(&done));
        reads.sort_unstable_by_key(|(at, _)| *at);
        Ok(reads)
    }

    fn look_at_part(&mut self, folder: &OwnedFd, files: &[Candidate], start: usize) -> Result<Reads> {
        let mut reads = Reads::new();
        for (at, file) in files.iter().enumerate() {
            self.walk.options.check_cancelled()?;
            let read = match file.known {
                Some((row, _)) => self.read_unless_known(folder, file.name, &row),
                None => Some(self.read_now(folder, file.name)),
            };
            reads.extend(read.map(|read| (start + at, read)));
        }
        Ok(reads)
    }

    /// Reads a file; none where it is what a row of the cache tells.
    pub(super) fn read_unless_known(
        &mut self,
        folder: &OwnedFd,
        name: &CStr,
        row: &Row,
    ) -> Option<std::io::Result<Looked>> {
        match (self.walk.fs.stat_at(folder.as_fd(), name), self.walk.cache) {
            (Ok(stat), Some(cache)) if is_row(&stat, row, cache) => None,
            (Err(error), _) => Some(Err(error)),
            _ => Some(self.read_now(folder, name)),
        }
    }

    /// Reads a file.
    pub(super) fn read_now(&mut self, folder: &OwnedFd, name: &CStr) -> std::io::Result<Looked> {
        self.buffer.resize(PIECE + 1, 0);
        read_small(self.walk.fs, folder.as_fd(), name, &mut self.buffer)
    }
}
