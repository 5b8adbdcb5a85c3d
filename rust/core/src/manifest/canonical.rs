//! The canonical bytes: written in the order of paths, read back only where they could have been written so.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{DOMAIN, Entry, Kind, Manifest};

/// Bytes of an entry besides its path and a link's text: kind and length, then size and digest.
const HEAD: usize = 1 + 8;
const FILE: usize = 8 + 32;

/// Writes a manifest, entry by entry, in the order of paths.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Writer {
    /// A writer with room for so many entries, and for so many bytes of paths and links' texts.
    pub fn with_capacity(entries: usize, paths: usize) -> Self {
        let bytes = Vec::with_capacity(8 + entries * (HEAD + FILE) + paths);
        Self { bytes, starts: Vec::with_capacity(entries) }
    }

    /// Writes an entry, whose path comes after that of the one before.
    pub fn push(&mut self, entry: Entry) {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(&[0; 8]);
        }
        debug_assert!(
            self.starts.last().is_none_or(|&last| path_at(&self.bytes, last) < entry.path),
            "written out of order: {}",
            String::from_utf8_lossy(entry.path)
        );
        self.starts.push(self.bytes.len());
        let mut head = [entry.kind as u8; HEAD];
        head[1..].copy_from_slice(&(entry.path.len() as u64).to_le_bytes());
        self.bytes.reserve(HEAD + entry.path.len() + FILE);
        self.bytes.extend_from_slice(&head);
        self.bytes.extend_from_slice(entry.path);
        match entry.kind {
            Kind::File | Kind::Executable => {
                let mut file = [0; FILE];
                file[..8].copy_from_slice(&entry.size.to_le_bytes());
                file[8..].copy_from_slice(&entry.digest.0);
                self.bytes.extend_from_slice(&file);
            }
            Kind::Link => put_framed(&mut self.bytes, entry.target),
            Kind::Directory => {}
        }
    }

    /// The manifest of what was written.
    pub fn finish(mut self) -> Manifest {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(&[0; 8]);
        }
        self.bytes[..8].copy_from_slice(&(self.starts.len() as u64).to_le_bytes());
        Manifest { digest: Digest::in_domain(DOMAIN, &self.bytes), bytes: self.bytes, starts: self.starts }
    }
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
        self.take(8).map(|bytes| number_at(bytes, 0))
    }

    fn framed(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.number()?).map_err(|_| malformed("it ends early"))?;
        self.take(length)
    }
}
