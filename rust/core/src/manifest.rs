//! The sorted list of what a directory holds, with one digest.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use crate::digest::Digest;
use crate::error::{Error, Result};

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
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::File, Self::Executable, Self::Link, Self::Directory].into_iter().find(|kind| *kind as u8 == byte)
    }

    /// Whether it is a regular file.
    pub fn is_file(self) -> bool {
        matches!(self, Self::File | Self::Executable)
    }
}

/// One file, link or folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The path below the root, `/` between its parts; empty where the root is one file.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Size in bytes; of a file.
    pub size: u64,
    /// Digest of its bytes; of a file. A link's is that of its text, a folder's that of nothing.
    pub digest: Digest,
    /// A link's text; else empty.
    pub target: Vec<u8>,
}

/// What a directory, or one file, holds: entries sorted by the bytes of their paths, none twice.
#[derive(Debug, Clone)]
pub struct Manifest {
    entries: Vec<Entry>,
    digest: Digest,
}

/// How one manifest differs from another at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Only the later one has it.
    Added(Vec<u8>),
    /// Only the earlier one has it.
    Removed(Vec<u8>),
    /// Its bytes, its link's text, or what it is.
    Changed(Vec<u8>),
    /// The same bytes under another path: from, to.
    Renamed(Vec<u8>, Vec<u8>),
    /// Its executable bit alone.
    Mode(Vec<u8>),
}

impl Change {
    /// The path that it is about: where it is now, or was.
    pub fn path(&self) -> &[u8] {
        match self {
            Self::Added(path)
            | Self::Removed(path)
            | Self::Changed(path)
            | Self::Renamed(_, path)
            | Self::Mode(path) => path,
        }
    }
}

impl Manifest {
    /// Makes a manifest of entries in any order.
    ///
    /// # Errors
    /// [`Error::Manifest`] where the entries describe no tree: a path that leads out, twice the same, a file with
    /// something below it.
    pub fn new(mut entries: Vec<Entry>) -> Result<Self> {
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        check(&entries)?;
        let mut manifest = Self { entries, digest: Digest([0; 32]) };
        manifest.digest = Digest::in_domain(DOMAIN, &manifest.encode());
        Ok(manifest)
    }

    /// Its entries, sorted by path.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Its digest: equal digests, equal trees.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The entry at a path.
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        self.entries.binary_search_by(|entry| entry.path.as_slice().cmp(path)).ok().map(|at| &self.entries[at])
    }

    /// Bytes of all its files.
    pub fn total_size(&self) -> u64 {
        self.entries.iter().map(|entry| entry.size).sum()
    }

    /// The entries at or below some paths; a path with nothing there adds nothing.
    #[must_use]
    pub fn subset(&self, paths: &[Vec<u8>]) -> Self {
        let wanted = |entry: &Entry| {
            paths.iter().any(|path| {
                entry.path.strip_prefix(path.as_slice()).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
            })
        };
        let entries: Vec<Entry> = self.entries.iter().filter(|entry| wanted(entry)).cloned().collect();
        let mut part = Self { entries, digest: Digest([0; 32]) };
        part.digest = Digest::in_domain(DOMAIN, &part.encode());
        part
    }

    /// Its canonical bytes: a count, then for each entry its kind, path, and what its kind holds, each framed.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + self.entries.len() * 80);
        bytes.extend_from_slice(&(self.entries.len() as u64).to_le_bytes());
        for entry in &self.entries {
            bytes.push(entry.kind as u8);
            put_framed(&mut bytes, &entry.path);
            match entry.kind {
                Kind::File | Kind::Executable => {
                    bytes.extend_from_slice(&entry.size.to_le_bytes());
                    bytes.extend_from_slice(&entry.digest.0);
                }
                Kind::Link => put_framed(&mut bytes, &entry.target),
                Kind::Directory => {}
            }
        }
        bytes
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`Error::Manifest`] where they are not the canonical bytes of a manifest.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut rest = Cursor(bytes);
        let count = rest.number()?;
        // Each entry takes 9 bytes at the least: a count that lies asks for no memory.
        if count > bytes.len() as u64 / 9 {
            return Err(malformed("it ends early"));
        }
        let mut entries = Vec::new();
        for _ in 0..count {
            let kind = Kind::from_byte(rest.take(1)?[0]).ok_or_else(|| malformed("an entry of no known kind"))?;
            let path = rest.framed()?.to_vec();
            entries.push(match kind {
                Kind::File | Kind::Executable => {
                    let size = rest.number()?;
                    let mut digest = [0; 32];
                    digest.copy_from_slice(rest.take(32)?);
                    Entry { path, kind, size, digest: Digest(digest), target: Vec::new() }
                }
                Kind::Link => Entry::link(path, rest.framed()?.to_vec()),
                Kind::Directory => Entry::directory(path),
            });
        }
        if !rest.0.is_empty() {
            return Err(malformed("something follows its end"));
        }
        if entries.windows(2).any(|pair| pair[0].path >= pair[1].path) {
            return Err(malformed("its paths are not sorted"));
        }
        Self::new(entries)
    }

    /// What changed from this manifest to a later one, sorted by path; in linear time.
    pub fn diff(&self, later: &Self) -> Vec<Change> {
        let (mut old, mut new) = (self.entries.iter().peekable(), later.entries.iter().peekable());
        let (mut changes, mut removed, mut added) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.path.cmp(&b.path),
            };
            match order {
                Ordering::Less => removed.extend(old.next()),
                Ordering::Greater => added.extend(new.next()),
                Ordering::Equal => {
                    if let (Some(a), Some(b)) = (old.next(), new.next()) {
                        if a.kind.is_file() && b.kind.is_file() && a.digest == b.digest && a.kind != b.kind {
                            changes.push(Change::Mode(b.path.clone()));
                        } else if a != b {
                            changes.push(Change::Changed(b.path.clone()));
                        }
                    }
                }
            }
        }
        pair_renames(&removed, &added, &mut changes);
        changes.sort_by(|a, b| a.path().cmp(b.path()));
        changes
    }
}

impl Entry {
    /// A link with its text.
    pub fn link(path: Vec<u8>, target: Vec<u8>) -> Self {
        Self { path, kind: Kind::Link, size: 0, digest: Digest::of(&target), target }
    }

    /// A folder.
    pub fn directory(path: Vec<u8>) -> Self {
        Self { path, kind: Kind::Directory, size: 0, digest: Digest::of(b""), target: Vec::new() }
    }
}

/// Pairs what is gone with what is new of the same bytes, in the order of paths; the rest is removed and added.
fn pair_renames(removed: &[&Entry], added: &[&Entry], changes: &mut Vec<Change>) {
    let mut gone: HashMap<(Kind, Digest), Vec<&Entry>> = HashMap::new();
    for entry in removed.iter().rev() {
        if entry.kind.is_file() && entry.size > 0 {
            gone.entry((entry.kind, entry.digest)).or_default().push(entry);
        } else {
            changes.push(Change::Removed(entry.path.clone()));
        }
    }
    for entry in added {
        let from = match gone.entry((entry.kind, entry.digest)) {
            Slot::Occupied(mut slot) if entry.kind.is_file() => slot.get_mut().pop(),
            _ => None,
        };
        changes.push(match from {
            Some(from) => Change::Renamed(from.path.clone(), entry.path.clone()),
            None => Change::Added(entry.path.clone()),
        });
    }
    changes.extend(gone.into_values().flatten().map(|entry| Change::Removed(entry.path.clone())));
}

/// Whether sorted entries describe a tree that can lie below one folder, or be one file.
fn check(entries: &[Entry]) -> Result<()> {
    let mut open_files: Vec<&[u8]> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let path = entry.path.as_slice();
        if path.is_empty() {
            if entries.len() == 1 && entry.kind.is_file() {
                return Ok(());
            }
            return Err(malformed("an empty path beside others"));
        }
        if at > 0 && entries[at - 1].path == entry.path {
            return Err(malformed(&format!("twice {}", String::from_utf8_lossy(path))));
        }
        if path.contains(&0) || path.split(|&byte| byte == b'/').any(|part| matches!(part, b"" | b"." | b"..")) {
            return Err(malformed(&format!("a path that leads astray: {}", String::from_utf8_lossy(path))));
        }
        if entry.kind == Kind::Link && (entry.target.is_empty() || entry.target.contains(&0)) {
            return Err(malformed(&format!("a link without a text: {}", String::from_utf8_lossy(path))));
        }
        // Sorted by bytes, what lies below `a` need not follow it at once: `a-b` comes before `a/b`.
        while open_files.last().is_some_and(|file| !path.starts_with(file)) {
            open_files.pop();
        }
        if open_files.iter().any(|file| path.get(file.len()) == Some(&b'/')) {
            return Err(malformed(&format!("something below a file: {}", String::from_utf8_lossy(path))));
        }
        if entry.kind != Kind::Directory {
            open_files.push(path);
        }
    }
    Ok(())
}

fn malformed(what: &str) -> Error {
    Error::Manifest(what.to_owned())
}

fn put_framed(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
    bytes.extend_from_slice(part);
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| malformed("it ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn framed(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.number()?).map_err(|_| malformed("it ends early"))?;
        self.take(length)
    }
}
