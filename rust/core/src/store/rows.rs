//! What each file of a tree was when it was stored: enough to tell, without reading, that nobody touched it.

use std::path::Path;

use crate::error::{Error, Result};
use crate::fs::{Fs, Stat};
use crate::manifest::Manifest;
use crate::store::below;

/// Size, mtime and inode of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    size: u64,
    seconds: i64,
    nanoseconds: i64,
    inode: u64,
}

impl From<&Stat> for Row {
    fn from(stat: &Stat) -> Self {
        Self { size: stat.size, seconds: stat.mtime.0, nanoseconds: stat.mtime.1, inode: stat.inode }
    }
}

/// One row an entry, in the manifest's order, and the boot in which the tree was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rows {
    pub boot: String,
    rows: Vec<Row>,
}

impl Rows {
    pub(super) fn of(fs: &dyn Fs, content: &Path, manifest: &Manifest) -> Result<Self> {
        let rows = manifest.entries().iter().map(|entry| {
            let path = below(content, &entry.path);
            fs.stat(&path).map(|stat| Row::from(&stat)).map_err(|e| Error::io("read", &path, e))
        });
        Ok(Self { boot: fs.boot_id(), rows: rows.collect::<Result<_>>()? })
    }

    /// Whether the file at a place in the manifest is what it was.
    pub(super) fn holds(&self, at: usize, stat: &Stat) -> bool {
        self.rows.get(at) == Some(&Row::from(stat))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.rows.len() * 32);
        bytes.extend_from_slice(self.boot.as_bytes());
        bytes.push(b'\n');
        for row in &self.rows {
            bytes.extend_from_slice(&row.size.to_le_bytes());
            bytes.extend_from_slice(&row.seconds.to_le_bytes());
            bytes.extend_from_slice(&row.nanoseconds.to_le_bytes());
            bytes.extend_from_slice(&row.inode.to_le_bytes());
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|&byte| byte == b'\n')?;
        let boot = std::str::from_utf8(&bytes[..end]).ok()?.to_owned();
        let rest = &bytes[end + 1..];
        if !rest.len().is_multiple_of(32) {
            return None;
        }
        let word = |row: &[u8], at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&row[at * 8..at * 8 + 8]);
            bytes
        };
        let rows = rest
            .chunks_exact(32)
            .map(|row| Row {
                size: u64::from_le_bytes(word(row, 0)),
                seconds: i64::from_le_bytes(word(row, 1)),
                nanoseconds: i64::from_le_bytes(word(row, 2)),
                inode: u64::from_le_bytes(word(row, 3)),
            })
            .collect();
        Some(Self { boot, rows })
    }
}
