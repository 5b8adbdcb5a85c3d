//! What lets an unchanged file or folder be known without reading it.
//!
//! A row is kept as proof only where both times of the file lie a window before the scan that saved it began, by the
//! clock of the file system itself: whatever writes to the file after it was read leaves another time, then. Any doubt
//! about the whole (another folder, a clock that went back, a byte that is not what was written) drops all of it, which
//! costs time only.
//!
//! One file holds one directory's rows, in the order in which they are looked at, and is read in one go.

mod read;
mod stamp;
mod write;

use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::Result;
use crate::fs::{Fs, Stat};
use crate::scan::row::nanoseconds;

pub(crate) use read::{Cache, Known, KnownItems, Record};
pub use stamp::stamps;

/// A store through a mapping leaves a file's times alone until its page is written back, some 35 s later.
const WINDOW_S: i64 = 60;
const SECOND: i64 = 1_000_000_000;

/// What a cache file begins with; then come records, the header, its length, and the digest of it all.
const MAGIC: &[u8; 16] = b"scriptstep stat2";
/// Domain of the digest.
const DOMAIN: &str = "scriptstep 2026 stat cache file 2";
const DIGEST: usize = 32;

/// Where stat caches are kept, and how far they are believed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CacheOptions<'a> {
    /// Their folder.
    pub folder: &'a Path,
    /// Use one whatever the file system: unsafe where its times do not show every change.
    pub on_any_file_system: bool,
    /// Write one after each scan that learned something; else only where that spares the next one more than it costs.
    pub is_eager: bool,
}

impl<'a> CacheOptions<'a> {
    /// Caches in a folder, on file systems that are known to keep times, written where it pays.
    pub fn new(folder: &'a Path) -> Self {
        Self { folder, on_any_file_system: false, is_eager: false }
    }
}

/// A directory's cache, for one scan.
pub(crate) struct Session {
    folder: PathBuf,
    file: PathBuf,
    /// When the scan began, by the clock of the file system.
    now: i64,
    root: Stat,
    boot: String,
    is_eager: bool,
    pub cache: Option<Cache>,
}

impl Session {
    /// Opens the cache of a directory; none where there can be none.
    ///
    /// `flavour` tells scans of one directory from each other that find other things in it.
    pub fn open(
        fs: &dyn Fs,
        options: &CacheOptions,
        root: BorrowedFd,
        path: &Path,
        flavour: &str,
        threads: usize,
    ) -> Option<Self> {
        let stat = fs.stat_open(root).ok()?;
        if !options.on_any_file_system && !fs.keeps_times(root) {
            return None;
        }
        fs.make_folders(options.folder, 0o700).ok()?;
        let probe = fs.touch(&options.folder.join("now")).ok()?;
        // Another device has another clock.
        if probe.device != stat.device {
            return None;
        }
        let named = [flavour.as_bytes(), b"\0", path.as_os_str().as_bytes()].concat();
        let name = Digest::in_domain("scriptstep 2026 stat cache 1", &named).to_hex();
        let mut session = Self {
            folder: options.folder.to_path_buf(),
            file: options.folder.join(OsStr::new(&name[..32])),
            now: nanoseconds(probe.mtime),
            root: stat,
            boot: fs.boot_id(),
            is_eager: options.is_eager,
            cache: None,
        };
        let found = read::load(fs, &session.file, threads).filter(|(_, header)| header.is_of(&session));
        if found.as_ref().is_some_and(|(_, header)| header.is_off) {
            return None;
        }
        session.cache = found.and_then(|(bytes, header)| Cache::new(bytes, header, session.now));
        Some(session)
    }

    /// What did not change since then, nor will without showing it, may be kept as proof.
    pub fn trusted_before(&self) -> i64 {
        self.now.saturating_sub(WINDOW_S * SECOND)
    }

    /// Turns the cache of this directory off: a file was not what its row told.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn turn_off(&self, fs: &dyn Fs) -> Result<()> {
        write::turned_off(self, fs)
    }
}
