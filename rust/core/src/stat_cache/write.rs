//! A cache as it is written: beside the old one, then in its place.

use std::io::Write;
use std::path::Path;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::scan::folder::{FolderId, Kept};
use crate::scan::tree::{Tree, View};
use crate::stat_cache::read::{
    FILE, FOLDER, HAS_RULE_FILE, Header, IS_ENVIRONMENT, IS_TRUSTED, IS_UTF16, ITSELF, LINK, Record, SPECIAL, UNTRUSTED,
};
use crate::stat_cache::{DOMAIN, MAGIC, START, Session};

/// What writing a row costs, and a file, in tenths of a microsecond.
const ROW_COST: u64 = 1;
const FILE_COST: u64 = 500;

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
        let head = START + self.header(0, Record::NONE).encode().len();
        let mut bytes = vec![0; head];
        let mut records = vec![Record::NONE; tree.folders.len()];
        let mut files = 0;
        // A folder's number is lower than those of the folders in it: their records stand before its own.
        for id in (0..tree.folders.len()).rev() {
            let Some(kept) = tree.folders[id].as_ref().and_then(|folder| folder.kept) else { continue };
            records[id] = Record(bytes.len() as u64);
            let id = FolderId::try_from(id).unwrap_or(FolderId::MAX);
            files = self.put_record(&mut bytes, tree, id, &kept, &records, files);
        }
        let Some(root) = records.first().filter(|root| !root.is_none()) else { return Ok(()) };
        let header = self.header(files, *root);
        self.write(fs, bytes, &header)
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

    fn write(&self, fs: &dyn Fs, mut bytes: Vec<u8>, header: &Header) -> Result<()> {
        let head = header.encode();
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        bytes[START..START + head.len()].copy_from_slice(&head);
        let digest = Digest::in_domain(DOMAIN, &bytes[START..]);
        bytes[MAGIC.len()..START].copy_from_slice(&digest.0);
        put_in_place(fs, &self.folder, &self.file, &bytes)
    }
}

pub(super) fn turned_off(session: &Session, fs: &dyn Fs) -> Result<()> {
    let header = Header { is_off: true, ..session.header(0, Record::NONE) };
    let bytes = vec![0; START + header.encode().len()];
    session.write(fs, bytes, &header)
}

fn put_in_place(fs: &dyn Fs, folder: &Path, file: &Path, bytes: &[u8]) -> Result<()> {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let aside = folder.join(format!(".{}-{number}.new", std::process::id()));
    // Left by a process of the same number that was killed.
    let _ = fs.remove_file(&aside);
    let written = fs.create(&aside, 0o600).and_then(|mut made| made.write_all(bytes));
    let placed = written.and_then(|()| fs.rename(&aside, file));
    placed.map_err(|error| {
        let _ = fs.remove_file(&aside);
        Error::io("write", file, error)
    })
}
