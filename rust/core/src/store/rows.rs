//! What each file of a tree was when it was stored: enough to tell, without reading, that nobody touched it.

use crate::fs::Stat;
use crate::scan::row::Row;

/// The form of the records; those of another form tell nothing.
const FORM: &[u8] = b"rows 3\n";
const BYTES: usize = 32;

/// Size, mtime, inode and ctime of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Stored([u64; 4]);

impl From<&Row> for Stored {
    fn from(row: &Row) -> Self {
        Self([row.size, row.mtime.cast_unsigned(), row.inode, row.ctime.cast_unsigned()])
    }
}

/// One row an entry, in the manifest's order, and the boot in which the tree was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rows {
    pub boot: String,
    rows: Vec<Stored>,
}

impl Rows {
    /// The rows of a tree; of what is no file there is none.
    pub(super) fn new(boot: String, rows: &[Option<Row>]) -> Self {
        Self { boot, rows: rows.iter().map(|row| row.as_ref().map(Stored::from).unwrap_or_default()).collect() }
    }

    /// Whether the file at a place in the manifest is what it was.
    pub(super) fn holds(&self, at: usize, stat: &Stat) -> bool {
        let now = Stored::from(&Row::from(stat));
        // A new name of a file is a change of it: one with several tells less.
        let told = if stat.links > 1 { 3 } else { 4 };
        self.rows.get(at).is_some_and(|stored| stored.0[..told] == now.0[..told])
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + self.rows.len() * BYTES);
        bytes.extend_from_slice(FORM);
        bytes.extend_from_slice(self.boot.as_bytes());
        bytes.push(b'\n');
        for word in self.rows.iter().flat_map(|row| row.0) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(FORM)?;
        let end = bytes.iter().position(|&byte| byte == b'\n')?;
        let boot = std::str::from_utf8(&bytes[..end]).ok()?.to_owned();
        let rest = &bytes[end + 1..];
        if !rest.len().is_multiple_of(BYTES) {
            return None;
        }
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap_or_default());
        let rows = rest.chunks_exact(BYTES).map(|row| Stored([0, 8, 16, 24].map(|at| word(&row[at..at + 8]))));
        Some(Self { boot, rows: rows.collect() })
    }
}
