//! Folders in which trees are made; those of dead processes are swept.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::store::Store;

pub(super) const FOLDER: &str = ".tmp";

/// A folder of its own, removed when it is dropped.
pub(super) struct Temporary<'a> {
    fs: &'a dyn Fs,
    path: PathBuf,
    kept: bool,
}

impl<'a> Temporary<'a> {
    pub(super) fn new(store: &'a Store) -> Result<Self> {
        let fs = store.fs.as_ref();
        store.sweep_once();
        let path = store.root.join(FOLDER).join(unique());
        fs.make_folders(&path, 0o700).map_err(|e| Error::io("make", &path, e))?;
        Ok(Self { fs, path, kept: false })
    }

    pub(super) fn fs(&self) -> &'a dyn Fs {
        self.fs
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// It was renamed, or holds what must not be lost: there is nothing to remove.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Store {
    /// Removes what processes that are gone left, the first time.
    pub(super) fn sweep_once(&self) {
        if !self.swept.swap(true, Ordering::Relaxed) {
            sweep(self.fs.as_ref(), &self.root.join(FOLDER), "");
        }
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = self.fs.remove_all(&self.path);
        }
    }
}

/// A name that no other process gives, nor this one twice: its number, its start, and a count.
pub(super) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", owner(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// This process, so that another with the same number is not taken for it: number and start.
fn owner() -> String {
    let pid = std::process::id();
    format!("{pid}-{}", started(pid).unwrap_or_default())
}

/// When a process started, in the system's own count; `None` where it is gone or the system does not tell.
fn started(pid: u32) -> Option<String> {
    let stat = std::io::read_to_string(open(&format!("/proc/{pid}/stat"))?).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(19).map(str::to_owned)
}

#[allow(clippy::disallowed_methods)] // Of the system, not of the store.
fn open(path: &str) -> Option<std::fs::File> {
    std::fs::File::open(path).ok()
}

/// Removes what processes that are gone left in a folder, under names that begin so.
pub(super) fn sweep(fs: &dyn Fs, folder: &Path, prefix: &str) {
    for name in fs.list(folder).unwrap_or_default() {
        if name.to_string_lossy().strip_prefix(prefix).is_some_and(|rest| is_left(OsStr::new(rest))) {
            remove(fs, &folder.join(&name));
        }
    }
}

/// Whether a name is one that a process gave which is gone.
pub(super) fn is_left(name: &OsStr) -> bool {
    // Where processes cannot be told apart, none is: a folder too many costs less than a live one too few.
    if started(std::process::id()).is_none() {
        return false;
    }
    let text = name.to_string_lossy();
    let mut parts = text.split('-');
    let (Some(pid), Some(start)) = (parts.next().and_then(|pid| pid.parse().ok()), parts.next()) else { return false };
    started(pid).as_deref() != Some(start)
}

/// Removes a file or a folder, where that can be.
pub(super) fn remove(fs: &dyn Fs, path: &Path) {
    if fs.remove_file(path).is_err() {
        let _ = fs.remove_all(path);
    }
}
