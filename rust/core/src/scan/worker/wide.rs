//! Folders of very many files, which one thread would be long at: others that have nothing to do lend a hand.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::digest::Digest;
use crate::error::Result;
use crate::scan::fast::Walk;
use crate::scan::large::PIECE;
use crate::scan::read::{Looked, read_small};
use crate::scan::row::Row;
use crate::scan::worker::{Worker, is_row};
use crate::threads::{lock, on_threads};

/// So many files are looked at before the threads are counted again.
pub(super) const BATCH: usize = 4_096;
/// A folder of so many is worth the start of a thread.
pub(super) const WIDE: usize = 512;
/// So many does a thread take at once.
const TAKEN: usize = 64;

/// A file to look at, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub name: &'a CStr,
    pub known: Option<(Row, Digest)>,
}

/// What reading a file gave.
pub(super) type Read = std::io::Result<Looked>;

/// Files that were read, by their places among those that were looked at; the others are what they were known to be.
pub(super) type Reads = Vec<(usize, Read)>;

impl Worker<'_> {
    /// Looks at files of a folder, and reads those that are not known to be what they were.
    pub(super) fn look_at(&mut self, folder: &OwnedFd, files: &[Candidate]) -> Result<Reads> {
        let most = if files.len() < WIDE { 0 } else { files.len().div_ceil(TAKEN) - 1 };
        let lent = self.walk.lend(most);
        if lent.count == 0 {
            return look_at_part(self.walk, &mut self.buffer, folder, files, 0);
        }
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Reads::new()));
        let work = || {
            let mut buffer = Vec::new();
            loop {
                let start = next.fetch_add(TAKEN, Ordering::Relaxed);
                if start >= files.len() {
                    return Ok(());
                }
                let part = &files[start..files.len().min(start + TAKEN)];
                let mut reads = look_at_part(self.walk, &mut buffer, folder, part, start)?;
                lock(&done).append(&mut reads);
            }
        };
        on_threads(lent.count + 1, work, || next.store(files.len(), Ordering::Relaxed))?;
        let mut reads = std::mem::take(&mut *lock(&done));
        reads.sort_unstable_by_key(|(at, _)| *at);
        Ok(reads)
    }

    /// Reads a file; none where it is what a row of the cache tells.
    pub(super) fn read_unless_known(&mut self, folder: &OwnedFd, name: &CStr, row: &Row) -> Option<Read> {
        read_unless_known(self.walk, &mut self.buffer, folder, name, row)
    }

    /// Reads a file.
    pub(super) fn read_now(&mut self, folder: &OwnedFd, name: &CStr) -> Read {
        read_now(self.walk, &mut self.buffer, folder, name)
    }
}

/// Looks at some of the files of a folder, the first of which has the place `start` among them all.
fn look_at_part(
    walk: &Walk,
    buffer: &mut Vec<u8>,
    folder: &OwnedFd,
    files: &[Candidate],
    start: usize,
) -> Result<Reads> {
    let mut reads = Reads::new();
    let (mut settled, mut bytes) = (0, 0);
    for (at, file) in files.iter().enumerate() {
        walk.options.check_cancelled()?;
        let read = match file.known {
            Some((row, _)) => read_unless_known(walk, buffer, folder, file.name, &row),
            None => Some(read_now(walk, buffer, folder, file.name)),
        };
        match &read {
            None => settled += 1,
            Some(Ok(Looked::File(_, now))) => (settled, bytes) = (settled + 1, bytes + now.size),
            Some(_) => {}
        }
        reads.extend(read.map(|read| (start + at, read)));
    }
    walk.tell_progress(settled, bytes);
    Ok(reads)
}

fn read_unless_known(walk: &Walk, buffer: &mut Vec<u8>, folder: &OwnedFd, name: &CStr, row: &Row) -> Option<Read> {
    match (walk.fs.stat_at(folder.as_fd(), name), walk.cache) {
        (Ok(stat), Some(cache)) if is_row(&stat, row, cache) => None,
        (Err(error), _) => Some(Err(error)),
        _ => Some(read_now(walk, buffer, folder, name)),
    }
}

fn read_now(walk: &Walk, buffer: &mut Vec<u8>, folder: &OwnedFd, name: &CStr) -> Read {
    buffer.resize(PIECE + 1, 0);
    read_small(walk.fs, folder.as_fd(), name, buffer)
}
