//! Copies a tree, file by file on all cores, and digests what it writes.

use std::ffi::{CStr, CString};
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::fs::{FileKind, Fs};
use crate::manifest::{Entry, Kind, Manifest};
use crate::scan::Sources;
use crate::scan::row::Row;
use crate::store::below;
use crate::store::rows::Rows;
use crate::threads::{self, lock, on_threads};

const CHUNK: usize = 256 * 1024;
/// Entries that a thread takes at once: neighbours share a folder.
const TAKEN: usize = 64;
const FOLDER_MODE: u32 = 0o755;
/// So many folders above each other stay open.
const KEPT_OPEN: usize = 16;

/// A tree whose files may be linked from.
pub(super) struct Links {
    pub content: PathBuf,
    pub manifest: Manifest,
    pub rows: Rows,
}

/// What to copy.
pub(super) struct CopyJob<'a> {
    pub manifest: &'a Manifest,
    /// Where each entry lies.
    pub sources: &'a Sources,
    pub links: Option<&'a Links>,
    pub cancelled: Option<&'a AtomicBool>,
}

/// What each entry of a copy is that is a file; by its place in the manifest.
pub(super) type CopiedRows = Vec<Option<Row>>;

/// Makes `to` hold what the manifest lists.
///
/// A file whose bytes are not those of the manifest is an [`Error::Changed`] that names where it was read from.
pub(super) fn copy_tree(fs: &dyn Fs, job: &CopyJob, to: &Path) -> Result<CopiedRows> {
    if job.manifest.len() == 1 && job.manifest.entry(0).path.is_empty() {
        return copy_root_file(fs, job, to).map(|row| vec![Some(row)]);
    }
    fs.make_folders(to, FOLDER_MODE).map_err(|e| Error::io("make", to, e))?;
    let next = AtomicUsize::new(0);
    let rows: Mutex<CopiedRows> = Mutex::new(vec![None; job.manifest.len()]);
    let work = || {
        let mut copier = Copier::new(fs, job, to)?;
        loop {
            let start = next.fetch_add(TAKEN, Ordering::Relaxed);
            if start >= job.manifest.len() {
                return Ok(());
            }
            let end = job.manifest.len().min(start + TAKEN);
            let made = (start..end).map(|at| copier.copy(at)).collect::<Result<CopiedRows>>()?;
            lock(&rows)[start..end].copy_from_slice(&made);
        }
    };
    let threads = threads::available().min(job.manifest.len().div_ceil(TAKEN));
    on_threads(threads, work, || next.store(job.manifest.len(), Ordering::Relaxed))?;
    Ok(std::mem::take(&mut lock(&rows)))
}

fn copy_root_file(fs: &dyn Fs, job: &CopyJob, to: &Path) -> Result<Row> {
    let entry = job.manifest.entry(0);
    let open = |path: &Path| {
        let above = path.parent().unwrap_or(path);
        let folder = fs.open_folder(above).map_err(|e| Error::io("read", above, e))?;
        Ok((folder, CString::new(path.file_name().unwrap_or_default().as_bytes()).unwrap_or_default()))
    };
    let from = job.sources.path_of(b"");
    let ((source, name), (target, new_name)) = (open(&from)?, open(to)?);
    let (from_at, to_at) = (
        At { folder: source.as_fd(), name: &name, path: &|| from.clone() },
        At { folder: target.as_fd(), name: &new_name, path: &|| to.to_path_buf() },
    );
    copy_file(fs, &from_at, &to_at, entry, &mut vec![0; CHUNK], job.cancelled)
}

/// One thread's open folders and buffer.
struct Copier<'a> {
    fs: &'a dyn Fs,
    job: &'a CopyJob<'a>,
    to: &'a Path,
    source: Folders,
    target: Folders,
    linked: Option<Folders>,
    /// Where in the manifest that is linked from the next entry is likely to be.
    likely: usize,
    buffer: Vec<u8>,
}

impl<'a> Copier<'a> {
    fn new(fs: &'a dyn Fs, job: &'a CopyJob<'a>, to: &'a Path) -> Result<Self> {
        // A base that is deleted meanwhile is done without.
        let linked = job.links.and_then(|links| Folders::new(fs, &links.content).ok());
        Ok(Self {
            fs,
            job,
            to,
            source: Folders::new(fs, &job.sources.root)?,
            target: Folders::new(fs, to)?,
            linked,
            likely: 0,
            buffer: vec![0; CHUNK],
        })
    }

    fn copy(&mut self, at: usize) -> Result<Option<Row>> {
        if self.job.cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Err(Error::Cancelled);
        }
        let entry = self.job.manifest.entry(at);
        let (above, name) = split(entry.path);
        let to = || below(self.to, entry.path);
        let made = |error| Error::io("make", &to(), error);
        if entry.kind == Kind::Directory {
            self.target.enter(self.fs, entry.path, true).map_err(made)?;
            return Ok(None);
        }
        let new_name = c_name(name);
        let target = self.target.enter(self.fs, above, true).map_err(made)?;
        if entry.kind == Kind::Link {
            self.fs.make_link_at(&c_name(entry.target), target, &new_name).map_err(made)?;
            return Ok(None);
        }
        if let (Some(links), Some(folders)) = (self.job.links, &mut self.linked)
            && let Some(place) = links.manifest.find_near(self.likely, entry.path)
        {
            self.likely = place + 1;
            if let Some(row) = link(self.fs, links, place, folders, entry, target, &new_name) {
                return Ok(Some(row));
            }
        }
        let from = || self.job.sources.path_of(entry.path);
        let to_at = At { folder: target, name: &new_name, path: &to };
        if self.job.sources.is_read_through(entry.path) {
            let path = from();
            let outside = path.parent().unwrap_or(&path);
            let folder = self.fs.open_folder(outside).map_err(|e| Error::io("read", &path, e))?;
            let theirs = c_name(path.file_name().unwrap_or_default().as_bytes());
            let from_at = At { folder: folder.as_fd(), name: &theirs, path: &from };
            return copy_file(self.fs, &from_at, &to_at, entry, &mut self.buffer, self.job.cancelled).map(Some);
        }
        let source = self.source.enter(self.fs, above, false).map_err(|e| Error::io("read", &from(), e))?;
        let from_at = At { folder: source, name: &new_name, path: &from };
        copy_file(self.fs, &from_at, &to_at, entry, &mut self.buffer, self.job.cancelled).map(Some)
    }
}

/// Links a file from another tree, where that has the same at a place in its manifest, untouched since it was stored.
fn link(
    fs: &dyn Fs,
    links: &Links,
    at: usize,
    folders: &mut Folders,
    entry: Entry,
    target: BorrowedFd,
    name: &CStr,
) -> Option<Row> {
    if links.manifest.entry(at) != entry {
        return None;
    }
    let stored = folders.enter(fs, split(entry.path).0, false).ok()?;
    let stat = fs.stat_at(stored, name).ok().filter(|stat| stat.kind == FileKind::File)?;
    if !links.rows.holds(at, &stat) || stat.is_executable() != (entry.kind == Kind::Executable) {
        return None;
    }
    fs.hard_link_at(stored, name, target, name).ok()?;
    Some(Row::from(&stat))
}

/// A file in an open folder, and how to say where that is.
struct At<'a> {
    folder: BorrowedFd<'a>,
    name: &'a CStr,
    path: &'a dyn Fn() -> PathBuf,
}

fn copy_file(
    fs: &dyn Fs,
    from: &At,
    to: &At,
    entry: Entry,
    buffer: &mut [u8],
    cancelled: Option<&AtomicBool>,
) -> Result<Row> {
    let cannot_read = |error: std::io::Error| match error.kind() {
        // A folder, a link or a FIFO lies in its place.
        ErrorKind::IsADirectory | ErrorKind::NotSeekable => Error::Changed((from.path)()),
        _ => Error::io("read", &(from.path)(), error),
    };
    let cannot_write = |error| Error::io("write", &(to.path)(), error);
    let source = fs.open_at(from.folder, from.name).map_err(cannot_read)?;
    let mode = if entry.kind == Kind::Executable { 0o755 } else { 0o644 };
    let target = fs.create_at(to.folder, to.name, mode).map_err(cannot_write)?;
    let mut hasher = blake3::Hasher::new();
    let mut total = 0;
    // A file of the size that it should have ends there: the last read, of nothing, is spared by asking for one more.
    while total <= entry.size {
        let wanted = usize::try_from(entry.size - total).map_or(buffer.len(), |left| (left + 1).min(buffer.len()));
        let count = fs.read_at(source.as_fd(), &mut buffer[..wanted], total).map_err(cannot_read)?;
        total += count as u64;
        if count == 0 || total > entry.size {
            break;
        }
        hasher.update(&buffer[..count]);
        write_all(fs, target.as_fd(), &buffer[..count]).map_err(cannot_write)?;
        if total == entry.size && count < wanted {
            break;
        }
        if cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Err(Error::Cancelled);
        }
    }
    if total != entry.size || *hasher.finalize().as_bytes() != entry.digest.0 {
        return Err(Error::Changed((from.path)()));
    }
    Ok(Row::from(&fs.stat_open(target.as_fd()).map_err(cannot_write)?))
}

fn write_all(fs: &dyn Fs, file: BorrowedFd, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match fs.write(file, bytes)? {
            0 => return Err(ErrorKind::WriteZero.into()),
            count => bytes = &bytes[count..],
        }
    }
    Ok(())
}

/// A folder, and those on the way to the one below it that was entered last.
pub(super) struct Folders {
    root: OwnedFd,
    place: Vec<u8>,
    /// Open folders, with the lengths of their places; of a deep tree the lowest alone.
    open: Vec<(usize, OwnedFd)>,
}

impl Folders {
    pub(super) fn new(fs: &dyn Fs, root: &Path) -> Result<Self> {
        let open = fs.open_folder(root).map_err(|e| Error::io("read", root, e))?;
        Ok(Self { root: open, place: Vec::new(), open: Vec::new() })
    }

    /// Enters a folder, from the lowest open one that it lies below; links are not followed.
    pub(super) fn enter(&mut self, fs: &dyn Fs, place: &[u8], make: bool) -> std::io::Result<BorrowedFd<'_>> {
        while let Some((end, _)) = self.open.last() {
            let rest = place.strip_prefix(&self.place[..*end]);
            if rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/') {
                break;
            }
            self.open.pop();
        }
        self.place.truncate(self.open.last().map_or(0, |(end, _)| *end));
        while self.place.len() < place.len() {
            let start = self.place.len() + usize::from(!self.place.is_empty());
            let end = place[start..].iter().position(|&byte| byte == b'/').map_or(place.len(), |at| start + at);
            let above = self.open.last().map_or(self.root.as_fd(), |(_, open)| open.as_fd());
            let open = enter_one(fs, above, &c_name(&place[start..end]), make)?;
            self.place.extend_from_slice(&place[self.place.len()..end]);
            self.open.push((end, open));
            if self.open.len() > KEPT_OPEN {
                self.open.remove(0);
            }
        }
        Ok(self.open.last().map_or(self.root.as_fd(), |(_, open)| open.as_fd()))
    }
}

fn enter_one(fs: &dyn Fs, folder: BorrowedFd, name: &CStr, make: bool) -> std::io::Result<OwnedFd> {
    match fs.open_folder_at(folder, name) {
        Err(error) if make && error.kind() == ErrorKind::NotFound => {
            match fs.make_folder_at(folder, name, FOLDER_MODE) {
                // Another thread was first.
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            fs.open_folder_at(folder, name)
        }
        other => other,
    }
}

/// A path of a manifest as its folder and its name.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    path.iter().rposition(|&byte| byte == b'/').map_or((&path[..0], path), |at| (&path[..at], &path[at + 1..]))
}

/// A name of a manifest as the system takes it; manifests hold no NUL.
pub(super) fn c_name(name: &[u8]) -> CString {
    CString::new(name).unwrap_or_default()
}
