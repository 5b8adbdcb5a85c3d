//! What a file or folder was when it was looked at: enough to tell, later and without reading, that it is still that.

use crate::fs::Stat;

const NANOSECONDS: i64 = 1_000_000_000;

/// Whole seconds may stand for two of them, and are not told from later times within them.
const COARSE: i64 = 4 * NANOSECONDS;

/// Bytes of a row as it is kept.
pub(crate) const ROW_BYTES: usize = 36;

/// Mode, size, times (nanoseconds since 1970) and inode. The kind stands beside it, the device is everywhere the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub mode: u32,
    pub size: u64,
    pub mtime: i64,
    pub ctime: i64,
    pub inode: u64,
}

/// A time as one number; one that lies too far off for that is the last there is, and so never trusted.
pub(crate) fn nanoseconds((seconds, rest): (i64, i64)) -> i64 {
    seconds.checked_mul(NANOSECONDS).and_then(|whole| whole.checked_add(rest)).unwrap_or(i64::MAX)
}

impl From<&Stat> for Row {
    fn from(stat: &Stat) -> Self {
        Self {
            mode: stat.mode,
            size: stat.size,
            mtime: nanoseconds(stat.mtime),
            ctime: nanoseconds(stat.ctime),
            inode: stat.inode,
        }
    }
}

impl Row {
    /// Whether both times lie before a moment, on a file system of whatever clock.
    pub fn is_older_than(&self, moment: i64) -> bool {
        let is_coarse = self.ctime % NANOSECONDS == 0;
        let moment = if is_coarse { moment.saturating_sub(COARSE) } else { moment };
        self.mtime < moment && self.ctime < moment
    }

    pub fn is_executable(&self) -> bool {
        self.mode & 0o100 != 0
    }

    pub fn encode(&self) -> [u8; ROW_BYTES] {
        let mut bytes = [0; ROW_BYTES];
        bytes[..4].copy_from_slice(&self.mode.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.size.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.mtime.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.ctime.to_le_bytes());
        bytes[28..].copy_from_slice(&self.inode.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8; ROW_BYTES]) -> Self {
        let word = |at: usize| bytes[at..at + 8].try_into().unwrap_or([0; 8]);
        Self {
            mode: u32::from_le_bytes(bytes[..4].try_into().unwrap_or([0; 4])),
            size: u64::from_le_bytes(word(4)),
            mtime: i64::from_le_bytes(word(12)),
            ctime: i64::from_le_bytes(word(20)),
            inode: u64::from_le_bytes(word(28)),
        }
    }
}
