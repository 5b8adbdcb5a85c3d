//! Copies a tree, file by file on all cores, and digests what it writes.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::manifest::{Entry, Kind, Manifest};
use crate::store::below;
use crate::store::rows::Rows;

const CHUNK: usize = 128 * 1024;

/// A tree whose files may be linked from.
pub(super) struct Links {
    pub content: PathBuf,
    pub manifest: Manifest,
    pub rows: Rows,
}

impl Links {
    /// The stored file that is this entry, untouched since it was stored.
    fn find(&self, fs: &dyn Fs, entry: &Entry) -> Option<PathBuf> {
        let at = self.manifest.entries().binary_search_by(|other| other.path.cmp(&entry.path)).ok()?;
        if self.manifest.entries()[at] != *entry {
            return None;
        }
        let path = below(&self.content, &entry.path);
        let stat = fs.stat(&path).ok()?;
        let is_executable = entry.kind == Kind::Executable;
        (self.rows.holds(at, &stat) && stat.is_executable() == is_executable).then_some(path)
    }
}

/// What to copy.
pub(super) struct CopyJob<'a> {
    pub manifest: &'a Manifest,
    /// Where each file is read from, by its path in the manifest.
    pub sources: &'a HashMap<&'a [u8], &'a Path>,
    pub links: Option<&'a Links>,
    pub cancelled: Option<&'a AtomicBool>,
}

/// Makes `to` hold what the manifest lists.
///
/// A file whose bytes are not those of the manifest is an [`Error::Changed`] that names where it was read from.
pub(super) fn copy_tree(fs: &dyn Fs, job: &CopyJob, to: &Path) -> Result<()> {
    let entries = job.manifest.entries();
    if !matches!(entries, [Entry { path, .. }] if path.is_empty()) {
        fs.make_folders(to, 0o755).map_err(|e| Error::io("make", to, e))?;
    }
    let mut made: Option<PathBuf> = None;
    for entry in entries {
        let path = below(to, &entry.path);
        let folder = if entry.kind == Kind::Directory { Some(path.as_path()) } else { path.parent() };
        if let Some(folder) = folder.filter(|folder| made.as_deref() != Some(folder) && folder.starts_with(to)) {
            fs.make_folders(folder, 0o755).map_err(|e| Error::io("make", folder, e))?;
            made = Some(folder.to_path_buf());
        }
    }
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let work = || {
        let mut buffer = vec![0; CHUNK];
        while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = copy_entry(fs, job, entry, &below(to, &entry.path), &mut buffer) {
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                next.store(entries.len(), Ordering::Relaxed);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(entries.len().div_ceil(32));
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| {
            scope.spawn(work);
        });
        work();
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

fn copy_entry(fs: &dyn Fs, job: &CopyJob, entry: &Entry, to: &Path, buffer: &mut [u8]) -> Result<()> {
    if job.cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
        return Err(Error::Cancelled);
    }
    match entry.kind {
        Kind::Directory => Ok(()),
        Kind::Link => {
            let text = below(Path::new(""), &entry.target);
            fs.make_link(&text, to).map_err(|e| Error::io("make", to, e))
        }
        Kind::File | Kind::Executable => {
            if let Some(stored) = job.links.and_then(|links| links.find(fs, entry))
                && fs.hard_link(&stored, to).is_ok()
            {
                return Ok(());
            }
            let from = job.sources.get(entry.path.as_slice()).copied();
            let from = from.ok_or_else(|| Error::Missing(String::from_utf8_lossy(&entry.path).into_owned()))?;
            copy_file(fs, from, to, entry, buffer)
        }
    }
}

fn copy_file(fs: &dyn Fs, from: &Path, to: &Path, entry: &Entry, buffer: &mut [u8]) -> Result<()> {
    let mut source = fs.open(from, false).map_err(|e| Error::io("read", from, e))?;
    let mode = if entry.kind == Kind::Executable { 0o755 } else { 0o644 };
    let mut target = fs.create(to, mode).map_err(|e| Error::io("write", to, e))?;
    let mut hasher = blake3::Hasher::new();
    let mut total = 0;
    loop {
        let count = match source.read(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            other => other.map_err(|e| Error::io("read", from, e))?,
        };
        if count == 0 {
            break;
        }
        total += count as u64;
        if total > entry.size {
            return Err(Error::Changed(from.to_path_buf()));
        }
        hasher.update(&buffer[..count]);
        target.write_all(&buffer[..count]).map_err(|e| Error::io("write", to, e))?;
    }
    if total == entry.size && *hasher.finalize().as_bytes() == entry.digest.0 {
        Ok(())
    } else {
        Err(Error::Changed(from.to_path_buf()))
    }
}
