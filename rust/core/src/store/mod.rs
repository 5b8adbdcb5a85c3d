//! Whole trees, each under the digest of its manifest.
//!
//! ```text
//! ROOT/ab/cdef.../content     what the manifest lists, browsable
//! ROOT/ab/cdef.../manifest    the manifest's canonical bytes
//! ROOT/ab/cdef.../rows        size, times and inode of each file as it was stored, and the boot that it was stored in
//! ROOT/ab/cdef.../synced      there once everything is known to be on the disk
//! ROOT/ab/cdef.../unsynced    there once the disk did not take it: it is read before it is believed after a boot
//! ROOT/.tmp/                  trees being made; what a dead process left is swept
//! ROOT/.damaged/              trees that were not what their manifests list
//! ROOT/.leases/               a file for each store object that relies on trees, and which
//! ROOT/.trash/                trees that are being removed
//! ROOT/.lock, ROOT/.gc        locked while a tree is leased or moved away; while somebody collects
//! ```
//!
//! A tree is made aside and appears by one rename: it is there whole or not at all.

mod adopt;
mod check;
mod collect;
mod copy;
mod leases;
mod outside;
mod part;
mod rows;
mod temporary;
mod untouched;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use rustix::io::Errno;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::{Fs, OsFs};
use crate::manifest::Manifest;
use crate::scan::row::Row;
use crate::scan::{Options, Scan, Sources, scan_tree};

pub use check::Guard;
pub use collect::{Census, Leftover};
use copy::{CopyJob, copy_tree};
pub use leases::Collecting;
use leases::Holder;
use outside::Outside;
use rows::Rows;
use temporary::Temporary;

const CONTENT: &str = "content";
const MANIFEST: &str = "manifest";
const ROWS: &str = "rows";
const SYNCED: &str = "synced";
const UNSYNCED: &str = "unsynced";

/// A folder of trees.
pub struct Store {
    root: PathBuf,
    fs: Box<dyn Fs>,
    /// Whether what dead processes left was looked for.
    swept: AtomicBool,
    /// What this object relies on.
    holder: Mutex<Option<Holder>>,
}

impl Store {
    /// The store in a folder, which is made when it is first written to.
    pub fn new(root: &Path) -> Self {
        Self::with_fs(root, Box::new(OsFs))
    }

    /// The store in a folder of another file system.
    pub fn with_fs(root: &Path, fs: Box<dyn Fs>) -> Self {
        // As it is now: a folder on the way to it may be moved, even into the store itself.
        let resolved = fs.canonical(root).or_else(|_| {
            let above = root.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
            fs.canonical(above).map(|above| above.join(root.file_name().unwrap_or_default()))
        });
        Self {
            root: resolved.unwrap_or_else(|_| root.to_path_buf()),
            fs,
            swept: AtomicBool::new(false),
            holder: Mutex::default(),
        }
    }

    fn tree(&self, digest: Digest) -> PathBuf {
        let hex = digest.to_hex();
        self.root.join(&hex[..2]).join(&hex[2..])
    }

    /// Where a tree's content lies; it stays there for as long as this object lives.
    ///
    /// # Errors
    /// [`Error::Missing`] where the store has no such tree.
    pub fn content_path(&self, digest: Digest) -> Result<PathBuf> {
        if self.hold(digest)? { Ok(self.tree(digest).join(CONTENT)) } else { Err(Error::Missing(digest.to_hex())) }
    }

    /// A tree's manifest.
    ///
    /// # Errors
    /// [`Error::Missing`], or [`Error::Damaged`] where there is none, or not the one of that digest.
    pub fn manifest(&self, digest: Digest) -> Result<Manifest> {
        let content = self.content_path(digest);
        self.listed(digest).map_err(|error| match (content, error) {
            (Err(missing), Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => missing,
            (_, Error::Io { source, .. }) if is_something_else(&source) => {
                Error::Damaged { digest: digest.to_hex(), problem: format!("its manifest: {source}") }
            }
            (_, error) => error,
        })
    }

    /// The manifest of a tree that is held already.
    fn listed(&self, digest: Digest) -> Result<Manifest> {
        let damaged = |problem: String| Error::Damaged { digest: digest.to_hex(), problem };
        let bytes = self.read(&self.tree(digest).join(MANIFEST))?;
        let manifest = Manifest::decode(bytes).map_err(|error| damaged(error.to_string()))?;
        if manifest.digest() == digest {
            Ok(manifest)
        } else {
            Err(damaged("its manifest is another tree's".to_owned()))
        }
    }

    /// Keeps what a scan found in a source directory, which stays as it is.
    ///
    /// `base` is the tree of its last content: files that did not change since are linked from there. Every byte that is
    /// written is held against the scan; what came to the directory after it is not looked at.
    ///
    /// # Errors
    /// [`Error::Changed`] where a file is not what the scan found.
    pub fn save(&self, scan: &Scan, base: Option<Digest>, options: &Options) -> Result<()> {
        // Code is read, byte by byte, whenever it is copied out.
        if self.is_there(scan.manifest.digest(), options)? {
            return Ok(());
        }
        self.copy_in(scan, base, options).map_err(|error| {
            // What is not there any more is a change, too.
            if error.is_vanished() { Error::Changed(scan.sources.root.clone()) } else { error }
        })
    }

    /// Keeps a copy of a directory or a file, which stays as it is.
    ///
    /// # Errors
    /// As [`crate::scan::scan_tree`], and what keeping it can do wrong.
    pub fn add(&self, path: &Path, options: &Options) -> Result<Manifest> {
        let scan = scan_tree(self.fs.as_ref(), path, options)?;
        if !self.ensure(scan.manifest.digest(), options)? {
            self.copy_in(&scan, None, options)?;
        }
        Ok(scan.manifest)
    }

    fn copy_in(&self, scan: &Scan, base: Option<Digest>, options: &Options) -> Result<()> {
        let Scan { manifest, sources, .. } = scan;
        // A tree that was damaged once is written anew: what it was linked from may have been what was damaged.
        let base = base.filter(|_| !self.was_set_aside(manifest.digest()));
        let links = match base {
            Some(base) if self.is_there(base, options)? => self.linkable(base),
            _ => None,
        };
        let mut temporary = Temporary::new(self)?;
        let job = CopyJob { manifest, sources, links: links.as_ref(), cancelled: options.cancelled };
        let rows = copy_tree(self.fs.as_ref(), &job, &temporary.path().join(CONTENT))?;
        self.appear(&mut temporary, manifest, &rows)
    }

    /// Copies a tree out: files 0644 or 0755 less the umask, never links that a step could write through.
    ///
    /// `to` is not there, or an empty folder; afterwards the copy is there whole, or it is as it was.
    ///
    /// # Errors
    /// [`Error::Damaged`], naming the file, where a byte is not what it was; the tree is then set aside.
    pub fn restore(&self, digest: Digest, to: &Path, options: &Options) -> Result<()> {
        let content = self.content_path(digest)?;
        let set_aside = |damage| Err(self.aside_for(digest, damage));
        let manifest = match self.manifest(digest) {
            Err(error @ Error::Damaged { .. }) => return set_aside(error),
            other => other?,
        };
        let sources = Sources { root: content.clone(), ..Sources::default() };
        let job = CopyJob { manifest: &manifest, sources: &sources, links: None, cancelled: options.cancelled };
        let copy = Outside::new(self.fs.as_ref(), to)?;
        match copy_tree(self.fs.as_ref(), &job, copy.path()) {
            Ok(_) => copy.finish(),
            Err(error) => Err(self.damage_behind(digest, &content, &error).unwrap_or_else(|| copy.told(error))),
        }
    }

    /// What is said of a tree whose content could not be read as its manifest lists it, once it is set aside; `None`
    /// where something else went wrong.
    fn damage_behind(&self, digest: Digest, content: &Path, error: &Error) -> Option<Error> {
        let (path, what) = match error {
            Error::Changed(path) => (path, "is not what it was"),
            Error::Io { path, source, .. } if path.starts_with(content) && is_something_else(source) => {
                (path, if source.kind() == ErrorKind::NotFound { "is missing" } else { "is not what it was" })
            }
            _ => return None,
        };
        let name = path.strip_prefix(content).unwrap_or(path).display().to_string();
        let problem = format!("{} {what}", if name.is_empty() { "its file" } else { &name });
        let damage = Error::Damaged { digest: digest.to_hex(), problem };
        Some(self.aside_for(digest, damage))
    }

    /// Sets a damaged tree aside, and gives what is to be said: another process may have been first.
    fn aside_for(&self, digest: Digest, damage: Error) -> Error {
        match self.set_aside(digest) {
            Err(error) if !error.is_vanished() => error,
            _ => damage,
        }
    }

    /// Writes a finished tree's records and lets it appear by one rename; dropped where it is there already.
    fn appear(&self, temporary: &mut Temporary<'_>, manifest: &Manifest, rows: &[Option<Row>]) -> Result<()> {
        let made = temporary.path();
        self.write(&made.join(MANIFEST), manifest.as_bytes())?;
        self.write(&made.join(ROWS), &Rows::new(self.fs.boot_id(), rows).encode())?;
        let place = self.tree(manifest.digest());
        let parent = place.parent().unwrap_or(&self.root);
        self.fs.make_folders(parent, 0o700).map_err(|e| Error::io("make", parent, e))?;
        // Before it appears: it is never there for a moment without being leased.
        self.lease(manifest.digest())?;
        if self.fs.stat(&place).is_ok() && self.fs.stat(&place.join(CONTENT)).is_err() {
            // Somebody took the content out of it.
            self.set_aside(manifest.digest())?;
        }
        match self.fs.rename(made, &place) {
            Ok(()) => {
                temporary.keep();
                Ok(())
            }
            // Somebody else was first: the same tree is there.
            Err(error) if is_in_the_way(&error) => Ok(()),
            Err(error) => Err(Error::io("make", &place, error)),
        }
    }

    /// The files of a tree that may be linked from, where it is whole.
    fn linkable(&self, digest: Digest) -> Option<copy::Links> {
        let content = self.tree(digest).join(CONTENT);
        let manifest = self.manifest(digest).ok()?;
        let rows = Rows::decode(&self.read(&self.tree(digest).join(ROWS)).ok()?)?;
        Some(copy::Links { content, manifest, rows })
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = self.fs.open(path, false).map_err(|e| Error::io("read", path, e))?;
        file.read_to_end(&mut bytes).map_err(|e| Error::io("read", path, e))?;
        Ok(bytes)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let mut file = self.fs.create(path, 0o600).map_err(|e| Error::io("write", path, e))?;
        file.write_all(bytes).map_err(|e| Error::io("write", path, e))
    }
}

/// Whether a file cannot be read because it is gone, something else lies in its place, it was closed, or the disk lost it.
fn is_something_else(why: &std::io::Error) -> bool {
    const CODES: [Errno; 4] = [
        Errno::LOOP, // following no link, where one lies
        Errno::NXIO, // a socket
        Errno::ACCESS,
        Errno::IO,
    ];
    matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
        || CODES.iter().any(|code| why.raw_os_error() == Some(code.raw_os_error()))
}

/// Whether a folder was not renamed because another one that is not empty lies there.
fn is_in_the_way(why: &std::io::Error) -> bool {
    matches!(why.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists)
}

/// A path of a manifest, below a folder; the folder itself where the path is empty.
fn below(folder: &Path, path: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    if path.is_empty() { folder.to_path_buf() } else { folder.join(std::ffi::OsStr::from_bytes(path)) }
}
