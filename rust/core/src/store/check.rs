//! Is a stored tree still what it was?

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::Stat;
use crate::manifest::{Change, Manifest};
use crate::scan::{Options, scan_tree};
use crate::store::rows::Rows;
use crate::store::{ROWS, SYNCED, Store, below};
use crate::threads::{self, lock, on_threads};

pub(super) const DAMAGED: &str = ".damaged";

/// What every file and folder of a tree was at one moment.
#[derive(Debug, Clone)]
pub struct Guard(Vec<(Vec<u8>, Option<Stat>)>);

impl Store {
    /// Whether the store has a tree that may be believed whole: one that was not known to be on the disk when the
    /// machine went down is read, and set aside where it is torn.
    ///
    /// # Errors
    /// A damaged tree cannot be set aside.
    pub fn ensure(&self, digest: Digest, options: &Options) -> Result<bool> {
        let tree = self.tree(digest);
        if !self.hold(digest)? {
            return Ok(false);
        }
        if self.fs.stat(&tree.join(SYNCED)).is_ok() {
            return Ok(true);
        }
        let boot = self.fs.boot_id();
        let rows = self.read(&tree.join(ROWS)).ok().and_then(|bytes| Rows::decode(&bytes));
        if rows.is_some_and(|rows| !boot.is_empty() && rows.boot == boot) {
            return Ok(true);
        }
        if self.verify(digest, options)?.is_empty() {
            // What was read back after a boot came from the disk.
            let _ = self.write(&tree.join(SYNCED), b"");
            return Ok(true);
        }
        self.set_aside(digest)?;
        Ok(false)
    }

    /// Reads a tree and tells what is not as its manifest lists it; empty where it is whole.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn verify(&self, digest: Digest, options: &Options) -> Result<Vec<String>> {
        let content = self.content_path(digest)?;
        let manifest = match self.manifest(digest) {
            Ok(manifest) => manifest,
            Err(error) => return Ok(vec![error.to_string()]),
        };
        let found = match scan_tree(self.fs.as_ref(), &content, &Options { links_as_they_are: true, ..*options }) {
            Ok(scan) => scan.manifest,
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => return Ok(vec![error.to_string()]),
        };
        // Folders are no part of code's manifests: those above its files are meant.
        let implied = folders_above(&manifest);
        let unlisted = |change: &&Change| !matches!(change, Change::Added(path) if implied.contains(&path[..]));
        Ok(manifest.diff(&found).iter().filter(unlisted).map(told).collect())
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

    /// Waits until some trees are on the disk, and marks them so.
    ///
    /// # Errors
    /// The disk does not take them.
    pub fn sync(&self, digests: &[Digest]) -> Result<()> {
        let waiting: Vec<PathBuf> = digests
            .iter()
            .map(|digest| self.tree(*digest))
            .filter(|tree| self.fs.stat(tree).is_ok() && self.fs.stat(&tree.join(SYNCED)).is_err())
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
        self.fs.sync(&self.root).map_err(|e| Error::io("sync", &self.root, e))?;
        for tree in waiting {
            match self.write(&tree.join(SYNCED), b"") {
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => other?,
            }
        }
        Ok(())
    }
}

/// The folders that lie above a manifest's entries, less the root.
fn folders_above(manifest: &Manifest) -> HashSet<&[u8]> {
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
