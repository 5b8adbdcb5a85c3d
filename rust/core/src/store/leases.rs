//! Leases: a tree that a living process relies on is not collected.
//!
//! Each store object that relies on a tree has a file in `.leases/`, on which it holds a lock, with a line for each such
//! tree. A holder whose lock is free is dead, and its leases lapse. A line is written, and a tree is moved away, under
//! the lock of `.lock`: the one shared, the other alone. So whoever finds a tree there after its line is written keeps it.

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::{Fs, Lock};
use crate::store::temporary::unique;
use crate::store::{CONTENT, Store};
use crate::threads::lock;

const LOCK: &str = ".lock";
const FOLDER: &str = ".leases";
/// Held by whoever collects: meanwhile the files of the dead stay.
const COLLECTING: &str = ".gc";

/// What one store object holds.
pub(super) struct Holder {
    process: u32,
    lock: OwnedFd,
    file: OwnedFd,
    held: HashSet<Digest>,
}

/// A lock that is given back when it is dropped.
struct Locked<'a>(&'a dyn Fs, &'a OwnedFd);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let _ = self.0.lock(self.1.as_fd(), Lock::Free);
    }
}

fn locked<'a>(fs: &'a dyn Fs, file: &'a OwnedFd, wanted: Lock) -> io::Result<Option<Locked<'a>>> {
    Ok(fs.lock(file.as_fd(), wanted)?.then_some(Locked(fs, file)))
}

impl Store {
    /// Whether the store has a tree. From then on it stays, for as long as this store object lives.
    pub(super) fn hold(&self, digest: Digest) -> Result<bool> {
        let content = self.tree(digest).join(CONTENT);
        if self.fs.stat(&content).is_err() {
            return Ok(false);
        }
        // It may have been moved away before it was leased.
        Ok(!self.lease(digest)? || self.fs.stat(&content).is_ok())
    }

    /// Leases a tree, whether it is there yet or not; tells whether it was not leased before.
    ///
    /// Where nothing can be written or locked, nothing is leased: nobody who is kept out so can collect either.
    pub(super) fn lease(&self, digest: Digest) -> Result<bool> {
        match self.try_lease(digest) {
            Err(error) if cannot_be_leased(&error) => Ok(false),
            done => done.map_err(|error| Error::io("lease a tree in", &self.root, error)),
        }
    }

    fn try_lease(&self, digest: Digest) -> io::Result<bool> {
        let fs = self.fs.as_ref();
        let mut holder = lock(&self.holder);
        let held = match holder.take_if(|holder| !holder.is_good(fs)) {
            // The store was removed, or this is a fork: what was relied on is relied on still.
            Some(old) => old.held,
            None => HashSet::new(),
        };
        let holder = match &mut *holder {
            Some(holder) => holder,
            none => none.insert(self.new_holder(held)?),
        };
        if holder.held.contains(&digest) {
            return Ok(false);
        }
        let _shared = locked(fs, &holder.lock, Lock::Shared)?;
        write_line(fs, &holder.file, digest)?;
        holder.held.insert(digest);
        Ok(true)
    }

    fn new_holder(&self, held: HashSet<Digest>) -> io::Result<Holder> {
        let fs = self.fs.as_ref();
        let lock = fs.open_append(&self.root.join(LOCK), 0o600)?;
        let folder = self.root.join(FOLDER);
        fs.make_folders(&folder, 0o700)?;
        let file = {
            // Nobody takes the new file for one of the dead before it is locked.
            let _shared = locked(fs, &lock, Lock::Shared)?;
            let file = loop {
                let file = fs.open_append(&folder.join(unique()), 0o600)?;
                if fs.lock(file.as_fd(), Lock::TryExclusive)? {
                    break file;
                }
            };
            held.iter().try_for_each(|digest| write_line(fs, &file, *digest))?;
            file
        };
        // The dead are buried by whoever comes next; what cannot be removed now is left for later.
        if let Ok(collecting) = fs.open_append(&self.root.join(COLLECTING), 0o600)
            && let Ok(Some(_alone)) = locked(fs, &lock, Lock::TryExclusive)
            && let Ok(Some(_none_collects)) = locked(fs, &collecting, Lock::TryShared)
        {
            let _ = self.drop_dead_holders();
        }
        Ok(Holder { process: std::process::id(), lock, file, held })
    }

    /// Removes the files of holders that are dead, under the lock of [`LOCK`]; gives how many.
    fn drop_dead_holders(&self) -> Result<usize> {
        let fs = self.fs.as_ref();
        let mut removed = 0;
        for path in self.holders()? {
            if self.is_dead(&path)? {
                fs.remove_file(&path).map_err(|error| Error::io("remove", &path, error))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Whether a holder is dead: nobody has its file locked.
    fn is_dead(&self, holder: &Path) -> Result<bool> {
        let file = self.fs.open_append(holder, 0o600);
        let is_free = file.and_then(|file| self.fs.lock(file.as_fd(), Lock::TryExclusive));
        is_free.map_err(|error| Error::io("lock", holder, error))
    }

    fn holders(&self) -> Result<Vec<PathBuf>> {
        let folder = self.root.join(FOLDER);
        match self.fs.list(&folder) {
            Ok(names) => Ok(names.into_iter().map(|name| folder.join(name)).collect()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(Error::io("read", &folder, error)),
        }
    }

    /// Every tree that a holder has leased, dead ones too: what they recorded last may not have been read yet.
    fn leased(&self) -> Result<HashSet<Digest>> {
        let mut found = HashSet::new();
        for path in self.holders()? {
            found.extend(self.leases_in(&path)?);
        }
        Ok(found)
    }

    /// The trees that holders rely on which live now.
    ///
    /// # Errors
    /// The leases cannot be read.
    pub fn leased_now(&self) -> Result<HashSet<Digest>> {
        let mut found = HashSet::new();
        for path in self.holders()? {
            if !self.is_dead(&path)? {
                found.extend(self.leases_in(&path)?);
            }
        }
        Ok(found)
    }

    fn leases_in(&self, holder: &Path) -> Result<Vec<Digest>> {
        let bytes = self.read(holder)?;
        let lines = bytes.split(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        Ok(lines.filter_map(Digest::from_hex).collect())
    }
}

impl Holder {
    /// Whether its files are there, and are this process's.
    fn is_good(&self, fs: &dyn Fs) -> bool {
        let is_there = |file: &OwnedFd| fs.stat_open(file.as_fd()).is_ok_and(|stat| stat.links > 0);
        self.process == std::process::id() && is_there(&self.lock) && is_there(&self.file)
    }
}

/// A line of its own whatever stands before it: what a full disk cut off spoils none but itself.
fn write_line(fs: &dyn Fs, file: &OwnedFd, digest: Digest) -> io::Result<()> {
    let line = format!("\n{digest}\n");
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        match fs.write(file.as_fd(), rest)? {
            0 => return Err(ErrorKind::WriteZero.into()),
            count => rest = &rest[count..],
        }
    }
    Ok(())
}

fn cannot_be_leased(error: &io::Error) -> bool {
    use ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), NotFound | PermissionDenied | ReadOnlyFilesystem | Unsupported)
        || error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error())
}

/// The right to collect: nobody else collects while it lives, and the files of holders that die meanwhile stay.
pub struct Collecting {
    /// Locked for as long as it is open.
    _right: OwnedFd,
    lock: OwnedFd,
}

impl Store {
    /// Begins to collect. What is to be kept must be read after this, for what a holder recorded before it died is
    /// there then, and the leases of those that die later count.
    ///
    /// # Errors
    /// [`Error::Busy`] where somebody else collects; the store cannot be written.
    pub fn begin_collecting(&self) -> Result<Collecting> {
        let fs = self.fs.as_ref();
        let open = |name| {
            let path = self.root.join(name);
            fs.open_append(&path, 0o600).map_err(|error| Error::io("lock", &path, error))
        };
        let (right, lock) = (open(COLLECTING)?, open(LOCK)?);
        let fault = |error| Error::io("lock", &self.root, error);
        // In the order in which the dead are buried: whoever does that is not taken for one who collects.
        let alone = locked(fs, &lock, Lock::Exclusive).map_err(fault)?;
        if !fs.lock(right.as_fd(), Lock::TryExclusive).map_err(fault)? {
            return Err(Error::Busy(self.root.clone()));
        }
        self.drop_dead_holders()?;
        drop(alone);
        Ok(Collecting { _right: right, lock })
    }

    /// Does something to each of some trees that nobody has leased, while nobody can lease any.
    pub(super) fn with_unleased(
        &self,
        collecting: &Collecting,
        digests: &[Digest],
        mut act: impl FnMut(Digest) -> Result<()>,
    ) -> Result<()> {
        let fs = self.fs.as_ref();
        let _alone =
            locked(fs, &collecting.lock, Lock::Exclusive).map_err(|error| Error::io("lock", &self.root, error))?;
        let leased = self.leased()?;
        digests.iter().filter(|digest| !leased.contains(digest)).try_for_each(|digest| act(*digest))
    }
}
