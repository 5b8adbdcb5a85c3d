//! Is a stored tree still what it was?

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Errno;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::Stat;
use crate::manifest::{Change, Manifest};
use crate::scan::{Options, Scan, scan_tree};
use crate::store::rows::Rows;
use crate::store::temporary::Temporary;
use crate::store::{ROWS, SYNCED, Store, UNSYNCED, below};
use crate::threads::{self, lock, on_threads};

pub(super) const DAMAGED: &str = ".damaged";

/// What every file and folder of a tree was at one moment.
#[derive(Debug, Clone)]
pub struct Guard(Vec<(Vec<u8>, Option<Stat>)>);

impl Store {
    /// Whether the store has a tree that may be believed whole: nobody touched it, and what was not known to be on the
    /// disk when the machine went down was read since. Where that is in doubt it is read, and set aside where it is torn.
    ///
    /// # Errors
    /// It cannot be read for want of something, or a damaged tree cannot be set aside.
    pub fn ensure(&self, digest: Digest, options: &Options) -> Result<bool> {
        if !self.hold(digest)? {
            return Ok(false);
        }
        let rows = self.rows(digest);
        let is_settled = self.is_of_this_boot(rows.as_ref()) || self.is_synced(digest);
        if is_settled && rows.as_ref().is_some_and(|rows| self.is_untouched(digest, rows)) {
            return Ok(true);
        }
        self.is_whole(digest, rows.as_ref(), options)
    }

    /// As [`Store::ensure`], for trees whose bytes are held against the manifest whenever they are used: whether somebody
    /// touched it is not asked.
    pub(super) fn is_there(&self, digest: Digest, options: &Options) -> Result<bool> {
        if !self.hold(digest)? {
            return Ok(false);
        }
        if self.is_synced(digest) {
            return Ok(true);
        }
        let rows = self.rows(digest);
        if self.is_of_this_boot(rows.as_ref()) { Ok(true) } else { self.is_whole(digest, rows.as_ref(), options) }
    }

    fn rows(&self, digest: Digest) -> Option<Rows> {
        self.read(&self.tree(digest).join(ROWS)).ok().and_then(|bytes| Rows::decode(&bytes))
    }

    /// Whether no power cut can have torn a tree: there was none since it was stored.
    fn is_of_this_boot(&self, rows: Option<&Rows>) -> bool {
        let boot = self.fs.boot_id();
        rows.is_some_and(|rows| !boot.is_empty() && rows.boot == boot)
    }

    /// Whether no power cut can have torn a tree: it was on the disk.
    fn is_synced(&self, digest: Digest) -> bool {
        self.fs.stat(&self.tree(digest).join(SYNCED)).is_ok()
    }

    /// Reads a tree; it is set aside where it is not whole, else its records say so from now on.
    fn is_whole(&self, digest: Digest, rows: Option<&Rows>, options: &Options) -> Result<bool> {
        let (wrong, found) = self.compared(digest, options)?;
        if !wrong.is_empty() {
            // Another process may have been first.
            return match self.set_aside(digest) {
                Err(error) if !error.is_vanished() => Err(error),
                _ => Ok(false),
            };
        }
        let boot = self.fs.boot_id();
        if rows.is_some_and(|rows| !rows.boot.is_empty() && !boot.is_empty() && rows.boot != boot) {
            // What was read back after a boot came from the disk.
            let _ = self.write(&self.tree(digest).join(SYNCED), b"");
        }
        if let (Some(found), Ok(manifest)) = (found, self.manifest(digest)) {
            let row = |entry: crate::manifest::Entry| found.sources.rows[found.manifest.find(entry.path)?];
            let read: Vec<_> = manifest.entries().map(row).collect();
            let _ = self.replace_rows(digest, &Rows::new(boot, &read));
        }
        Ok(true)
    }

    fn replace_rows(&self, digest: Digest, rows: &Rows) -> Result<()> {
        let (temporary, place) = (Temporary::new(self)?, self.tree(digest).join(ROWS));
        let made = temporary.path().join(ROWS);
        self.write(&made, &rows.encode())?;
        self.fs.rename(&made, &place).map_err(|e| Error::io("write", &place, e))
    }

    /// Reads a tree and tells what is not as its manifest lists it; empty where it is whole.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn verify(&self, digest: Digest, options: &Options) -> Result<Vec<String>> {
        self.compared(digest, options).map(|(wrong, _)| wrong)
    }

    /// What is wrong with a tree, and what was found where all of it could be read.
    fn compared(&self, digest: Digest, options: &Options) -> Result<(Vec<String>, Option<Scan>)> {
        let content = self.content_path(digest)?;
        let unread = |error: Error| match error {
            Error::Cancelled => Err(Error::Cancelled),
            error if is_want(&error) => Err(error),
            error => Ok((vec![error.to_string()], None)),
        };
        let manifest = match self.manifest(digest) {
            Ok(manifest) => manifest,
            Err(error) => return unread(error),
        };
        let scan = match scan_tree(self.fs.as_ref(), &content, &Options { links_as_they_are: true, ..*options }) {
            Ok(scan) => scan,
            Err(error) => return unread(error),
        };
        // Folders are no part of code's manifests: those above its files are meant.
        let implied = folders_above(&manifest);
        let unlisted = |change: &&Change| !matches!(change, Change::Added(path) if implied.contains(&path[..]));
        Ok((manifest.diff(&scan.manifest).iter().filter(unlisted).map(told).collect(), Some(scan)))
    }

    /// Reads every tree, several at a time; gives those that are not as their manifests list them, and what is not.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub fn verify_all(&self, options: &Options) -> Result<Vec<(Digest, Vec<String>)>> {
        let digests = self.digests()?;
        let (next, damaged) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let cores = threads::available();
        // Of many trees each is read by one thread; of a few, by all (0) of them.
        let each = Options { threads: usize::from(digests.len() >= 2 * cores), ..*options };
        let work = || {
            while let Some(digest) = digests.get(next.fetch_add(1, Ordering::Relaxed)) {
                match self.verify(*digest, &each) {
                    Ok(told) if told.is_empty() => {}
                    Ok(told) => lock(&damaged).push((*digest, told)),
                    Err(Error::Missing(_)) if self.fs.stat(&self.tree(*digest)).is_err() => {}
                    Err(Error::Missing(_)) => lock(&damaged).push((*digest, vec!["its content is missing".to_owned()])),
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        on_threads(cores, work, || next.store(digests.len(), Ordering::Relaxed))?;
        let mut damaged = std::mem::take(&mut *lock(&damaged));
        damaged.sort_unstable();
        Ok(damaged)
    }

    /// Remembers what a tree's files are, before it is handed on.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Damaged`].
    pub fn guard(&self, digest: Digest) -> Result<Guard> {
        let content = self.content_path(digest)?;
        let manifest = self.manifest(digest)?;
        let root: &[u8] = b"";
        let listed = manifest.entries().map(|entry| entry.path);
        let paths = listed.chain(folders_above(&manifest)).chain([root]);
        Ok(Guard(paths.map(|path| (path.to_vec(), self.fs.stat(&below(&content, path)).ok())).collect()))
    }

    /// Tells what was really written in a tree since it was guarded; its bytes are read only where a row differs.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn written_since(&self, digest: Digest, guard: &Guard, options: &Options) -> Result<Vec<String>> {
        let content = self.content_path(digest)?;
        let same = guard.0.iter().all(|(path, before)| {
            let now = self.fs.stat(&below(&content, path)).ok();
            match (before, now) {
                (Some(before), Some(now)) => before.is_same(&now),
                (None, None) => true,
                _ => false,
            }
        });
        if same { Ok(Vec::new()) } else { self.verify(digest, options) }
    }

    /// Moves a tree out of the way, so that it is never handed on; gives the place where it lies now.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn set_aside(&self, digest: Digest) -> Result<PathBuf> {
        let folder = self.root.join(DAMAGED);
        self.fs.make_folders(&folder, 0o700).map_err(|e| Error::io("make", &folder, e))?;
        let mut number = 0;
        while self.fs.stat(&self.aside(digest, number)).is_ok() {
            number += 1;
        }
        let place = self.aside(digest, number);
        let tree = self.tree(digest);
        self.fs.rename(&tree, &place).map_err(|e| Error::io("set aside", &tree, e))?;
        Ok(place)
    }

    fn aside(&self, digest: Digest, number: u32) -> PathBuf {
        self.root.join(DAMAGED).join(format!("{digest}-{number}"))
    }

    /// Whether a tree of this digest was ever set aside.
    pub(super) fn was_set_aside(&self, digest: Digest) -> bool {
        self.fs.stat(&self.aside(digest, 0)).is_ok()
    }

    /// Waits until some trees are on the disk, and marks them so. Those that the disk did not take once are passed over:
    /// it says so one time only, and what it lost is read back from memory until the machine goes down.
    ///
    /// # Errors
    /// The disk does not take them.
    pub fn sync(&self, digests: &[Digest]) -> Result<()> {
        // A run ends with this, and may have made no tree of its own.
        self.sweep_once();
        let waiting: Vec<PathBuf> = digests
            .iter()
            .map(|digest| self.tree(*digest))
            .filter(|tree| self.fs.stat(tree).is_ok())
            .filter(|tree| [SYNCED, UNSYNCED].iter().all(|mark| self.fs.stat(&tree.join(mark)).is_err()))
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.fs.sync(&self.root) {
            for tree in waiting {
                let _ = self.write(&tree.join(UNSYNCED), b"");
            }
            return Err(Error::io("sync", &self.root, error));
        }
        for tree in waiting {
            match self.write(&tree.join(SYNCED), b"") {
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => other?,
            }
        }
        Ok(())
    }
}

/// Whether something cannot be read because this process has no room for it: nothing is wrong with it.
fn is_want(error: &Error) -> bool {
    let Error::Io { source, .. } = error else { return false };
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM].map(Errno::raw_os_error).map(Some).contains(&source.raw_os_error())
}

/// The folders that lie above a manifest's entries, less the root.
pub(super) fn folders_above(manifest: &Manifest) -> HashSet<&[u8]> {
    let mut folders = HashSet::new();
    for entry in manifest.entries() {
        let mut path = entry.path;
        while let Some(at) = path.iter().rposition(|&byte| byte == b'/') {
            path = &path[..at];
            if !folders.insert(path) {
                break;
            }
        }
    }
    folders
}

fn told(change: &Change) -> String {
    let show = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    match change {
        Change::Added(path) => format!("{} was added", show(path)),
        Change::Removed(path) => format!("{} is missing", show(path)),
        Change::Renamed(from, to) => format!("{} was renamed to {}", show(from), show(to)),
        Change::Changed(path) => format!("{} is not what it was", show(path)),
        Change::Mode(path) => format!("{} has another mode", show(path)),
    }
}
