//! The canonical bytes: written in the order of paths, into room that was measured before, and read back only where
//! they could have been written so.

use std::convert::Infallible;
use std::ops::AddAssign;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{DOMAIN, Entry, Kind, Manifest};

/// Bytes of the count of entries.
const COUNT: usize = 8;
/// Bytes of an entry besides its path and a link's text: kind and length, then size and digest.
const HEAD: usize = 1 + 8;
const FILE: usize = 8 + 32;

/// How much room entries take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub entries: usize,
    pub bytes: usize,
}

impl Extent {
    /// The room of an entry: lengths of its path, and of its text where it is a link.
    pub fn of(kind: Kind, path: usize, target: usize) -> Self {
        let rest = match kind {
            Kind::File | Kind::Executable => FILE,
            Kind::Link => 8 + target,
            Kind::Directory => 0,
        };
        Self { entries: 1, bytes: HEAD + path + rest }
    }
}

impl AddAssign for Extent {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.bytes += other.bytes;
    }
}

/// Room for the entries of a manifest, to be filled by one thread or by several.
pub(crate) struct Draft {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Draft {
    /// Room for exactly so much.
    pub fn new(extent: Extent) -> Self {
        let mut bytes = vec![0; COUNT + extent.bytes];
        bytes[..COUNT].copy_from_slice(&(extent.entries as u64).to_le_bytes());
        Self { bytes, starts: vec![0; extent.entries] }
    }

    /// What fills it.
    pub fn writer(&mut self) -> Writer<'_> {
        Writer { bytes: &mut self.bytes[COUNT..], starts: &mut self.starts, at: COUNT }
    }

    /// The manifest, once all of it is written.
    pub fn finish(mut self, threads: usize) -> Manifest {
        debug_assert_eq!(starts(&self.bytes).ok().as_ref(), Some(&self.starts), "written out of order, or not in full");
        let digest = Digest::in_domain_on(threads, DOMAIN, &mut self.bytes, |_, _| Ok(()));
        Manifest {
            digest: digest.unwrap_or_else(|never: Infallible| match never {}),
            bytes: self.bytes,
            starts: self.starts,
        }
    }
}

/// Writes entries into a part of a draft, in the order of their paths.
pub(crate) struct Writer<'a> {
    bytes: &'a mut [u8],
    starts: &'a mut [usize],
    /// Where in the whole the next entry begins.
    at: usize,
}

impl Writer<'_> {
    /// Takes the next part off, for somebody else to write.
    pub fn split_off(&mut self, extent: Extent) -> Self {
        let (bytes, rest) = std::mem::take(&mut self.bytes).split_at_mut(extent.bytes);
        let (starts, rest_of_starts) = std::mem::take(&mut self.starts).split_at_mut(extent.entries);
        let part = Writer { bytes, starts, at: self.at };
        (self.bytes, self.starts) = (rest, rest_of_starts);
        self.at += extent.bytes;
        part
    }

    /// Writes an entry, whose path comes after that of the one before.
    pub fn push(&mut self, entry: Entry) {
        let (start, rest) = std::mem::take(&mut self.starts).split_at_mut(1);
        start[0] = self.at;
        self.starts = rest;
        let mut head = [entry.kind as u8; HEAD];
        head[1..].copy_from_slice(&(entry.path.len() as u64).to_le_bytes());
        self.put(&head);
        self.put(entry.path);
        match entry.kind {
            Kind::File | Kind::Executable => {
                let mut file = [0; FILE];
                file[..8].copy_from_slice(&entry.size.to_le_bytes());
                file[8..].copy_from_slice(&entry.digest.0);
                self.put(&file);
            }
            Kind::Link => {
                self.put(&(entry.target.len() as u64).to_le_bytes());
                self.put(entry.target);
            }
            Kind::Directory => {}
        }
    }

    /// Says that all is written that there was room for.
    ///
    /// # Panics
    /// It is not: entries were measured as other than they are.
    pub fn end(self) {
        assert!(self.bytes.is_empty() && self.starts.is_empty(), "a manifest with room left in it");
    }

    fn put(&mut self, part: &[u8]) {
        let (room, rest) = std::mem::take(&mut self.bytes).split_at_mut(part.len());
        room.copy_from_slice(part);
        self.bytes = rest;
        self.at += part.len();
    }
}

/// The manifest of sound entries, sorted by path.
pub(super) fn manifest_of<'a>(entries: impl Iterator<Item = Entry<'a>> + Clone) -> Manifest {
    let mut extent = Extent::default();
    for entry in entries.clone() {
        extent += Extent::of(entry.kind, entry.path.len(), entry.target.len());
    }
    let mut draft = Draft::new(extent);
    let mut writer = draft.writer();
    entries.for_each(|entry| writer.push(entry));
    writer.end();
    draft.finish(1)
}

/// The path of the entry that begins at a place of sound bytes.
pub(super) fn path_at(bytes: &[u8], start: usize) -> &[u8] {
    framed_at(bytes, start + 1).0
}

/// The entry that begins at a place of sound bytes.
pub(super) fn entry_at(bytes: &[u8], start: usize) -> Entry<'_> {
    let kind = Kind::from_byte(bytes[start]).unwrap_or(Kind::Directory);
    let (path, end) = framed_at(bytes, start + 1);
    match kind {
        Kind::File | Kind::Executable => {
            let digest = bytes[end + 8..end + FILE].try_into().unwrap_or([0; 32]);
            Entry { path, kind, size: number_at(bytes, end), digest: Digest(digest), target: b"" }
        }
        Kind::Link => Entry::link(path, framed_at(bytes, end).0),
        Kind::Directory => Entry::directory(path),
    }
}

fn number_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default())
}

fn framed_at(bytes: &[u8], at: usize) -> (&[u8], usize) {
    // Sound bytes hold no length that memory does not.
    let length = usize::try_from(number_at(bytes, at)).unwrap_or(usize::MAX);
    (&bytes[at + 8..at + 8 + length], at + 8 + length)
}

/// Where the entries of bytes from anywhere begin.
pub(super) fn starts(bytes: &[u8]) -> Result<Vec<usize>> {
    let mut rest = Cursor(bytes);
    let count = rest.number()?;
    // Each entry takes 9 bytes at the least: a count that lies asks for no memory.
    let count = usize::try_from(count).ok().filter(|&count| count <= bytes.len() / HEAD);
    let count = count.ok_or_else(|| malformed("it ends early"))?;
    let mut starts = Vec::with_capacity(count);
    let mut before: Option<&[u8]> = None;
    for _ in 0..count {
        starts.push(bytes.len() - rest.0.len());
        let kind = Kind::from_byte(rest.take(1)?[0]).ok_or_else(|| malformed("an entry of no known kind"))?;
        let path = rest.framed()?;
        if before.is_some_and(|before| before >= path) {
            return Err(malformed("its paths are not sorted"));
        }
        before = Some(path);
        match kind {
            Kind::File | Kind::Executable => {
                rest.take(FILE)?;
            }
            Kind::Link => {
                rest.framed()?;
            }
            Kind::Directory => {}
        }
    }
    if rest.0.is_empty() { Ok(starts) } else { Err(malformed("something follows its end")) }
}

/// Whether sorted entries describe a tree that can lie below one folder, or be one file.
pub(super) fn check<'a>(entries: impl ExactSizeIterator<Item = Entry<'a>>) -> Result<()> {
    let count = entries.len();
    let mut before: Option<&[u8]> = None;
    let mut open_files: Vec<&[u8]> = Vec::new();
    for entry in entries {
        let path = entry.path;
        if path.is_empty() {
            if count == 1 && entry.kind.is_file() {
                return Ok(());
            }
            return Err(malformed("an empty path beside others"));
        }
        if before == Some(path) {
            return Err(malformed(&format!("twice {}", String::from_utf8_lossy(path))));
        }
        before = Some(path);
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

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| malformed("it ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64> {
        self.take(8).map(|bytes| number_at(bytes, 0))
    }

    fn framed(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.number()?).map_err(|_| malformed("it ends early"))?;
        self.take(length)
    }
}
