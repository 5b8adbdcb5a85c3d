//! A cache as it is written: beside the old one, then in its place.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use blake3::Hasher;

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::scan::folder::{FolderId, Kept};
use crate::scan::tree::{Tree, View};
use crate::stat_cache::read::{
    FILE, FOLDER, HAS_RULE_FILE, Header, IS_ENVIRONMENT, IS_TRUSTED, IS_UTF16, ITSELF, LINK, Record, SPECIAL, UNTRUSTED,
};
use crate::stat_cache::{DOMAIN, MAGIC, Session};

/// What writing a row costs, and a file, in tenths of a microsecond.
const ROW_COST: u64 = 1;
const FILE_COST: u64 = 500;

/// Bytes that are written at once.
const BUFFER: usize = 256 << 10;

impl Session {
    /// Keeps what a scan found, where that spares the next one more than it costs now.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn save(&self, fs: &dyn Fs, tree: &Tree, gain: u64, rows: usize) -> Result<()> {
        let cost = if self.is_eager { 1 } else { FILE_COST + ROW_COST * rows as u64 };
        if gain < cost {
            return Ok(());
        }
        let written = self.write(fs, |out| {
            let mut record = Vec::new();
            let mut records = vec![Record::NONE; tree.folders.len()];
            let mut files = 0;
            // A folder's number is lower than those of the folders in it: their records stand before its own.
            for id in (0..tree.folders.len()).rev() {
                let Some(kept) = tree.folders[id].as_ref().and_then(|folder| folder.kept) else { continue };
                records[id] = Record(out.at);
                let id = FolderId::try_from(id).unwrap_or(FolderId::MAX);
                record.clear();
                files = self.put_record(&mut record, tree, id, &kept, &records, files);
                out.put(&record)?;
            }
            let root = records.first().copied().filter(|root| !root.is_none()).ok_or(ErrorKind::NotFound)?;
            Ok(self.header(files, root))
        });
        written.map_err(|error| Error::io("write", &self.file, error))
    }

    fn header(&self, files: u64, root: Record) -> Header {
        Header {
            is_off: false,
            device: self.root.device,
            inode: self.root.inode,
            saved: self.now,
            files,
            root,
            boot: self.boot.clone().into_bytes(),
        }
    }

    fn put_record(
        &self,
        bytes: &mut Vec<u8>,
        tree: &Tree,
        id: FolderId,
        kept: &Kept,
        records: &[Record],
        mut files: u64,
    ) -> u64 {
        let before = self.trusted_before();
        let is_trusted =
            kept.row.is_older_than(before) && kept.rule_file.is_none_or(|(row, _)| row.is_older_than(before));
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let start = bytes.len();
        bytes.push(
            flag(is_trusted, IS_TRUSTED)
                | flag(kept.rule_file.is_some(), HAS_RULE_FILE)
                | flag(kept.is_environment, IS_ENVIRONMENT)
                | flag(kept.rule_file_is_utf16, IS_UTF16),
        );
        bytes.extend_from_slice(&kept.row.encode());
        bytes.extend_from_slice(&kept.rules.0);
        if let Some((row, digest)) = kept.rule_file {
            bytes.extend_from_slice(&row.encode());
            bytes.extend_from_slice(&digest.0);
        }
        let count_at = bytes.len();
        bytes.extend_from_slice(&0_u64.to_le_bytes());
        bytes.extend_from_slice(&files.to_le_bytes());
        let mut count = 0_u64;
        for (name, view) in tree.items(id) {
            count += 1;
            let (kind, is_row) = match view {
                View::File { row, own, .. } if own && row.is_older_than(before) => (FILE, true),
                View::File { own: true, .. } => (UNTRUSTED, false),
                View::Folder { own: true, .. } => (FOLDER, false),
                View::Itself => (ITSELF, false),
                View::Special => (SPECIAL, false),
                View::Link(_) => (LINK, false),
                // What was read through a link is a link of no text here. Where it leads is asked each time.
                View::File { .. } | View::Folder { .. } => {
                    bytes[start] &= !IS_TRUSTED;
                    (LINK, false)
                }
            };
            bytes.push(kind);
            bytes.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
            bytes.extend_from_slice(name);
            bytes.push(0);
            match view {
                View::File { row, digest, .. } if is_row => {
                    files += 1;
                    bytes.extend_from_slice(&row.encode());
                    bytes.extend_from_slice(&digest.0);
                }
                View::Folder { id, own: true } => {
                    bytes.extend_from_slice(&records[id as usize].0.to_le_bytes());
                }
                View::Link(text) => {
                    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
                    bytes.extend_from_slice(text);
                }
                _ if kind == LINK => bytes.extend_from_slice(&0_u64.to_le_bytes()),
                _ => {}
            }
        }
        bytes[count_at..count_at + 8].copy_from_slice(&count.to_le_bytes());
        files
    }

    /// Writes a cache beside the one that is there, then puts it in its place. `put_records` gives what stands at the end.
    fn write(
        &self,
        fs: &dyn Fs,
        put_records: impl FnOnce(&mut Outgoing) -> std::io::Result<Header>,
    ) -> std::io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let aside = self.folder.join(format!(".{}-{number}.new", std::process::id()));
        // Left by a process of the same number that was killed.
        let _ = fs.remove_file(&aside);
        let written = Outgoing::new(fs, &aside).and_then(|mut out| {
            out.put(MAGIC)?;
            let header = put_records(&mut out)?.encode();
            out.put(&header)?;
            out.put(&u32::try_from(header.len()).unwrap_or(u32::MAX).to_le_bytes())?;
            out.finish()
        });
        let placed = written.and_then(|()| fs.rename(&aside, &self.file));
        placed.inspect_err(|_| {
            let _ = fs.remove_file(&aside);
        })
    }
}

/// A cache file that is being written; digested as it goes, so that it is never in memory as a whole.
struct Outgoing {
    file: Box<dyn Write + Send>,
    hasher: Hasher,
    buffer: Vec<u8>,
    /// Bytes so far.
    at: u64,
}

impl Outgoing {
    fn new(fs: &dyn Fs, path: &Path) -> std::io::Result<Self> {
        let file = fs.create(path, 0o600)?;
        Ok(Self { file, hasher: Hasher::new_derive_key(DOMAIN), buffer: Vec::with_capacity(BUFFER), at: 0 })
    }

    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.at += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.hasher.update(&self.buffer);
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes what is left, and the digest of it all.
    fn finish(mut self) -> std::io::Result<()> {
        self.flush()?;
        self.file.write_all(self.hasher.finalize().as_bytes())
    }
}

pub(super) fn turned_off(session: &Session, fs: &dyn Fs) -> Result<()> {
    let header = Header { is_off: true, ..session.header(0, Record::NONE) };
    session.write(fs, |_| Ok(header)).map_err(|error| Error::io("write", &session.file, error))
}
