//! The sorted list of what a directory holds, with one digest.
//!
//! A manifest is kept as its canonical bytes, and [`Entry`] is a view into them: there is one form of it, and a million
//! entries cost what they say and eight bytes each.

mod canonical;
mod diff;

use std::collections::HashSet;

use crate::digest::Digest;
use crate::error::Result;

pub(crate) use canonical::{Draft, Extent, Writer};
pub use diff::Change;

/// The domain of a manifest's digest; another form of manifest has another.
pub const DOMAIN: &str = "scriptstep 2026 manifest 1";

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A file that its owner may not execute.
    File = 1,
    /// A file that its owner may execute.
    Executable = 2,
    /// A symbolic link.
    Link = 3,
    /// A folder.
    Directory = 4,
}

impl Kind {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Self::File, Self::Executable, Self::Link, Self::Directory].into_iter().find(|kind| *kind as u8 == byte)
    }

    /// The kind of a regular file.
    pub fn of_file(executable: bool) -> Self {
        if executable { Self::Executable } else { Self::File }
    }

    /// Whether it is a regular file.
    pub fn is_file(self) -> bool {
        matches!(self, Self::File | Self::Executable)
    }
}

/// One file, link or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry<'a> {
    /// The path below the root, `/` between its parts; empty where the root is one file.
    pub path: &'a [u8],
    /// What it is.
    pub kind: Kind,
    /// Size in bytes; of a file.
    pub size: u64,
    /// Digest of its bytes; of a file. A link's is that of its text, a folder's that of nothing.
    pub digest: Digest,
    /// A link's text; else empty.
    pub target: &'a [u8],
}

impl<'a> Entry<'a> {
    /// A file.
    pub fn file(path: &'a [u8], executable: bool, size: u64, digest: Digest) -> Self {
        Self { path, kind: Kind::of_file(executable), size, digest, target: b"" }
    }

    /// A link with its text.
    pub fn link(path: &'a [u8], target: &'a [u8]) -> Self {
        Self { path, kind: Kind::Link, size: 0, digest: Digest::of(target), target }
    }

    /// A folder.
    pub fn directory(path: &'a [u8]) -> Self {
        Self { path, kind: Kind::Directory, size: 0, digest: Digest::of(b""), target: b"" }
    }
}

/// What a directory, or one file, holds: entries sorted by the bytes of their paths, none twice.
#[derive(Debug, Clone)]
pub struct Manifest {
    bytes: Vec<u8>,
    /// Where in the bytes each entry begins.
    starts: Vec<usize>,
    digest: Digest,
}

impl Manifest {
    /// Makes a manifest of entries in any order.
    ///
    /// # Errors
    /// [`crate::Error::Manifest`] where the entries describe no tree: a path that leads out, twice the same, a file
    /// with something below it.
    pub fn new(mut entries: Vec<Entry<'_>>) -> Result<Self> {
        entries.sort_unstable_by(|a, b| a.path.cmp(b.path));
        canonical::check(entries.iter().copied())?;
        Ok(canonical::manifest_of(entries.into_iter()))
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`crate::Error::Manifest`] where they are not the canonical bytes of a manifest.
    pub fn decode(bytes: Vec<u8>) -> Result<Self> {
        let starts = canonical::starts(&bytes)?;
        let read = Self { digest: Digest::in_domain(DOMAIN, &bytes), bytes, starts };
        canonical::check(read.entries())?;
        Ok(read)
    }

    /// Its canonical bytes: a count, then for each entry its kind, path, and what its kind holds, each framed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether it lists nothing.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The entry at a place in the order of paths.
    ///
    /// # Panics
    /// There is none.
    pub fn entry(&self, at: usize) -> Entry<'_> {
        canonical::entry_at(&self.bytes, self.starts[at])
    }

    /// Its entries, sorted by path.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> + DoubleEndedIterator + Clone {
        self.starts.iter().map(|&start| canonical::entry_at(&self.bytes, start))
    }

    /// Its digest: equal digests, equal trees.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The place of a path in the order of paths.
    pub fn find(&self, path: &[u8]) -> Option<usize> {
        self.starts.binary_search_by(|&start| canonical::path_at(&self.bytes, start).cmp(path)).ok()
    }

    /// The place of the entry at a path, which is likely to be there.
    pub(crate) fn find_near(&self, likely: usize, path: &[u8]) -> Option<usize> {
        let is_there = self.starts.get(likely).is_some_and(|&start| canonical::path_at(&self.bytes, start) == path);
        if is_there { Some(likely) } else { self.find(path) }
    }

    /// The entry at a path.
    pub fn get(&self, path: &[u8]) -> Option<Entry<'_>> {
        self.find(path).map(|at| self.entry(at))
    }

    /// Bytes of all its files.
    pub fn total_size(&self) -> u64 {
        self.entries().map(|entry| entry.size).sum()
    }

    /// The entries at or below some paths; a path with nothing there adds nothing.
    #[must_use]
    pub fn subset(&self, paths: &[Vec<u8>]) -> Self {
        let paths: HashSet<&[u8]> = paths.iter().map(Vec::as_slice).collect();
        let wanted = |entry: &Entry| {
            let folders = entry.path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
            folders.chain([entry.path.len()]).any(|end| paths.contains(&entry.path[..end]))
        };
        let entries: Vec<Entry> = self.entries().filter(wanted).collect();
        canonical::manifest_of(entries.into_iter())
    }
}
