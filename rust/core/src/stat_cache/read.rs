//! A cache as it is read: nothing is parsed before it is looked at, and nothing is copied.

use std::collections::HashMap;
use std::ffi::CStr;
use std::os::fd::AsFd;
use std::path::Path;

use crate::digest::Digest;
use crate::fs::Fs;
use crate::scan::folder::Kept;
use crate::scan::read_exact;
use crate::scan::row::{ROW_BYTES, Row};
use crate::stat_cache::{DIGEST, DOMAIN, MAGIC, Session};

/// A scan reads one in a thousand of the files that it knows all the same, eight at the least.
const AUDITED: u64 = 1_000;
const AUDITED_LEAST: u64 = 8;
/// A larger file is not read for that.
const AUDITED_BYTES: u64 = 1 << 20;

pub(super) const IS_TRUSTED: u8 = 1;
pub(super) const HAS_RULE_FILE: u8 = 2;
pub(super) const IS_ENVIRONMENT: u8 = 4;
pub(super) const IS_UTF16: u8 = 8;

pub(super) const FILE: u8 = 1;
pub(super) const UNTRUSTED: u8 = 2;
pub(super) const LINK: u8 = 3;
pub(super) const FOLDER: u8 = 4;
pub(super) const ITSELF: u8 = 5;
pub(super) const SPECIAL: u8 = 6;

/// What a cache says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub is_off: bool,
    pub device: u64,
    pub inode: u64,
    /// When the scan that saved it began.
    pub saved: i64,
    pub files: u64,
    pub root: Record,
    pub boot: Vec<u8>,
}

impl Header {
    /// The header that stands at the end of a cache, its length behind it.
    fn decode(cache: &[u8]) -> Option<Self> {
        let (rest, length) = cache.split_last_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let mut at = Cursor { bytes: rest, at: rest.len().checked_sub(length)? };
        let is_off = at.byte()? != 0;
        let [device, inode, saved, files, root] = [at.word()?, at.word()?, at.word()?, at.word()?, at.word()?];
        let length = usize::from(at.byte()?);
        let boot = at.take(length)?.to_vec();
        Some(Self { is_off, device, inode, saved: saved.cast_signed(), files, root: Record(root), boot })
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.is_off)];
        for word in [self.device, self.inode, self.saved.cast_unsigned(), self.files, self.root.0] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        let boot = &self.boot[..self.boot.len().min(usize::from(u8::MAX))];
        bytes.push(u8::try_from(boot.len()).unwrap_or_default());
        bytes.extend_from_slice(boot);
        bytes
    }

    /// Whether it is about the directory of a session, and the clock has not gone back since.
    pub fn is_of(&self, session: &Session) -> bool {
        let is_same_boot = self.boot == session.boot.as_bytes();
        (self.device, self.inode) == (session.root.device, session.root.inode)
            && (self.saved < session.now || (is_same_boot && self.saved == session.now))
    }
}

/// The bytes of a cache file and its header; none where it is no cache, was cut, or is not what was written.
pub(super) fn load(fs: &dyn Fs, path: &Path, threads: usize) -> Option<(Vec<u8>, Header)> {
    let file = fs.open(path, false).ok()?;
    let mut bytes = vec![0; usize::try_from(file.stat().ok()?.size).ok()?];
    let length = bytes.len().checked_sub(DIGEST)?;
    let fd = file.as_fd();
    let read = |start: usize, part: &mut [u8]| read_exact(fs, fd, part, start as u64);
    let digest = Digest::in_domain_on(threads, DOMAIN, &mut bytes[..length], read).ok()?;
    read(length, &mut bytes[length..]).ok()?;
    if bytes[length..] != digest.0 || !bytes.starts_with(MAGIC) {
        return None;
    }
    bytes.truncate(length);
    let header = Header::decode(&bytes)?;
    Some((bytes, header))
}

/// A directory's rows, as some scan left them.
#[derive(Debug)]
pub(crate) struct Cache {
    bytes: Vec<u8>,
    header: Header,
    /// Which of each `stride` files is read all the same.
    stride: u64,
    phase: u64,
}

/// Where in a cache a folder's record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record(pub(super) u64);

impl Record {
    pub(super) const NONE: Self = Self(0);

    pub fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// What a record says of its folder.
#[derive(Debug)]
pub(crate) struct Head {
    /// What the folder was; none where that is no proof.
    pub trusted: Option<Kept>,
}

/// What a record says of an item.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Known<'a> {
    File {
        row: Row,
        digest: Digest,
        number: u64,
    },
    /// A file that was too young.
    Untrusted,
    /// A link, with its text.
    Link(&'a [u8]),
    Folder(Record),
    Itself,
    Special,
}

/// An item of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownItem<'a> {
    /// With a NUL behind it.
    name: &'a [u8],
    pub what: Known<'a>,
}

impl<'a> KnownItem<'a> {
    pub fn name(&self) -> &'a [u8] {
        &self.name[..self.name.len() - 1]
    }

    /// The name as the system takes it.
    pub fn c_name(&self) -> &'a CStr {
        CStr::from_bytes_with_nul(self.name).unwrap_or_default()
    }
}

impl Cache {
    pub(super) fn new(bytes: Vec<u8>, header: Header, now: i64) -> Option<Self> {
        let audited = (header.files / AUDITED).max(AUDITED_LEAST);
        let stride = (header.files / audited).max(1);
        let drawn = Digest::of(&now.to_le_bytes()).0;
        let phase = u64::from_le_bytes(drawn[..8].try_into().ok()?) % stride;
        let cache = Self { bytes, header, stride, phase };
        cache.head_at(cache.header.root).is_some().then_some(cache)
    }

    pub fn device(&self) -> u64 {
        self.header.device
    }

    /// How many files it knows.
    pub fn files(&self) -> u64 {
        self.header.files
    }

    pub fn root(&self) -> Record {
        self.header.root
    }

    /// Whether a file that need not be read is read all the same, to see that the cache is right.
    pub fn is_audited(&self, number: u64, row: &Row) -> bool {
        number % self.stride == self.phase && row.size <= AUDITED_BYTES
    }

    pub fn head(&self, record: Record) -> Head {
        self.head_at(record).map_or(Head { trusted: None }, |(head, _)| head)
    }

    fn head_at(&self, record: Record) -> Option<(Head, Cursor<'_>)> {
        let mut at = Cursor { bytes: &self.bytes, at: usize::try_from(record.0).ok()? };
        let flags = at.byte()?;
        let (row, rules) = (at.row()?, at.digest()?);
        let rule_file = if flags & HAS_RULE_FILE == 0 { None } else { Some((at.row()?, at.digest()?)) };
        let kept = Kept {
            row,
            rules,
            rule_file,
            is_environment: flags & IS_ENVIRONMENT != 0,
            rule_file_is_utf16: flags & IS_UTF16 != 0,
        };
        Some((Head { trusted: (flags & IS_TRUSTED != 0).then_some(kept) }, at))
    }

    /// A folder's items, in the order of a manifest.
    pub fn items(&self, record: Record) -> KnownItems<'_> {
        let read = || {
            let (_, mut at) = self.head_at(record)?;
            let (left, number) = (at.word()?, at.word()?);
            Some(KnownItems { at, left, number, record })
        };
        read().unwrap_or(KnownItems { at: Cursor { bytes: &[], at: 0 }, left: 0, number: 0, record })
    }

    /// A folder's items, to be found by name; of a folder that is listed itself, what lies in it.
    pub fn by_name(&self, record: Record) -> HashMap<&[u8], Known<'_>> {
        let of_use = |item: &KnownItem| !matches!(item.what, Known::Itself);
        self.items(record).filter(of_use).map(|item| (item.name(), item.what)).collect()
    }
}

impl KnownItems<'_> {
    /// How many there are left.
    pub fn len(&self) -> usize {
        usize::try_from(self.left).unwrap_or(usize::MAX)
    }
}

/// The items of a record, read as they are asked for.
#[derive(Debug, Clone)]
pub(crate) struct KnownItems<'a> {
    at: Cursor<'a>,
    left: u64,
    number: u64,
    record: Record,
}

impl<'a> Iterator for KnownItems<'a> {
    type Item = KnownItem<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let kind = self.at.byte()?;
        let name = self.at.name()?;
        let what = match kind {
            FILE => {
                self.number += 1;
                Known::File { row: self.at.row()?, digest: self.at.digest()?, number: self.number - 1 }
            }
            UNTRUSTED => Known::Untrusted,
            LINK => {
                let length = self.at.word()?;
                Known::Link(self.at.take(usize::try_from(length).ok()?)?)
            }
            // A folder's record stands before that of the folder it is in.
            FOLDER => Known::Folder(Record(self.at.word()?).before(self.record)),
            ITSELF => Known::Itself,
            SPECIAL => Known::Special,
            _ => return None,
        };
        Some(KnownItem { name, what })
    }
}

impl Record {
    fn before(self, other: Self) -> Self {
        if self.0 < other.0 { self } else { Self::NONE }
    }
}

/// A place in a cache's bytes.
#[derive(Debug, Clone)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|taken| taken[0])
    }

    fn word(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn digest(&mut self) -> Option<Digest> {
        self.take(32)?.try_into().ok().map(Digest)
    }

    fn row(&mut self) -> Option<Row> {
        self.take(ROW_BYTES)?.try_into().ok().map(Row::decode)
    }

    /// A name: its length, itself, and a NUL.
    fn name(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_le_bytes(self.take(2)?.try_into().ok()?);
        self.take(usize::from(length) + 1)
    }
}
