//! What the store holds, how large it is, and how trees go: first to `.trash/`, then from the disk.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::{FileKind, Fs, Stat};
use crate::scan::Options;
use crate::store::check::DAMAGED;
use crate::store::leases::Collecting;
use crate::store::temporary::{self, unique};
use crate::store::{MANIFEST, Store};
use crate::threads::{self, lock, on_threads};

const TRASH: &str = ".trash";
/// Trees that are moved while nobody can lease any: some milliseconds.
const MOVED: usize = 512;

/// What a tree or something left over takes of the disk.
#[derive(Debug, Default)]
struct Measured {
    /// Seconds since it was made; none where it has no time that can be.
    age: u64,
    /// Bytes of what has one name.
    own: u64,
    /// Its files that have several names.
    shared: Vec<u64>,
}

/// What the store holds. Files that trees share are counted once.
#[derive(Debug, Default)]
pub struct Census {
    trees: HashMap<Digest, Measured>,
    /// Of each file with several names: how many of them were counted, and its bytes.
    files: HashMap<u64, (usize, u64)>,
    total: u64,
}

impl Census {
    /// The trees, each with its age in seconds.
    pub fn trees(&self) -> impl Iterator<Item = (Digest, u64)> {
        self.trees.iter().map(|(digest, tree)| (*digest, tree.age))
    }

    /// Bytes that they take together, as du(1) counts.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Takes a tree out; gives the bytes that no tree takes any more.
    pub fn take_out(&mut self, digest: Digest) -> u64 {
        let Some(tree) = self.trees.remove(&digest) else { return 0 };
        let mut freed = tree.own;
        for inode in tree.shared {
            if let Some((names, bytes)) = self.files.get_mut(&inode) {
                *names -= 1;
                if *names == 0 {
                    freed += *bytes;
                }
            }
        }
        self.total -= freed;
        freed
    }

    fn add(&mut self, digest: Digest, tree: Measured, shared: &HashMap<u64, u64>) {
        self.total += tree.own;
        for inode in &tree.shared {
            let bytes = shared.get(inode).copied().unwrap_or_default();
            let (names, _) = self.files.entry(*inode).or_insert((0, bytes));
            *names += 1;
            if *names == 1 {
                self.total += bytes;
            }
        }
        self.trees.insert(digest, tree);
    }
}

/// What lies in the store and is no tree any more, or none yet.
#[derive(Debug, Clone)]
pub struct Leftover {
    /// `temporary`, `trash` or `damaged`.
    pub kind: &'static str,
    /// Where it lies.
    pub path: PathBuf,
    /// Seconds since it was made.
    pub age: u64,
    /// Bytes of the disk that it takes.
    pub bytes: u64,
}

impl Store {
    /// The digests of all trees, sorted.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub fn digests(&self) -> Result<Vec<Digest>> {
        let mut found = Vec::new();
        for above in self.names(&self.root)? {
            let Some(start) = above.to_str().filter(|name| name.len() == 2) else { continue };
            for name in self.names(&self.root.join(start))? {
                found.extend(name.to_str().and_then(|rest| Digest::from_hex(&format!("{start}{rest}"))));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Measures every tree.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn census(&self, options: &Options) -> Result<Census> {
        let digests = self.digests()?;
        let now = now();
        let (next, census) = (AtomicUsize::new(0), Mutex::new(Census::default()));
        let work = || {
            while let Some(digest) = digests.get(next.fetch_add(1, Ordering::Relaxed)) {
                options.check_cancelled()?;
                let path = self.tree(*digest);
                let mut shared = HashMap::new();
                let Some(mut tree) = measured(self.fs.as_ref(), &path, &mut shared)? else { continue };
                let made = self.fs.stat(&path.join(MANIFEST)).or_else(|_| self.fs.stat(&path));
                tree.age = made.map_or(0, |stat| age(now, &stat));
                lock(&census).add(*digest, tree, &shared);
            }
            Ok(())
        };
        on_threads(threads::available(), work, || next.store(digests.len(), Ordering::Relaxed))?;
        Ok(std::mem::take(&mut lock(&census)))
    }

    /// What processes that died, and damage, left.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn leftovers(&self) -> Result<Vec<Leftover>> {
        let fs = self.fs.as_ref();
        let now = now();
        let folder = self.root.join(temporary::FOLDER);
        let left = self.names(&folder)?.into_iter().filter(|name| temporary::is_left(name));
        let mut places: Vec<_> = left.map(|name| ("temporary", folder.join(name))).collect();
        for (kind, folder) in [("trash", TRASH), ("damaged", DAMAGED)] {
            let folder = self.root.join(folder);
            places.extend(self.names(&folder)?.into_iter().map(|name| (kind, folder.join(name))));
        }
        let mut found = Vec::new();
        for (kind, path) in places {
            let mut shared = HashMap::new();
            let Some(what) = measured(fs, &path, &mut shared)? else { continue };
            // When it came here: being moved is a change of the folder itself.
            let age = fs.stat(&path).map_or(0, |stat| age(now, &Stat { mtime: stat.ctime, ..stat }));
            found.push(Leftover { kind, path, age, bytes: what.own });
        }
        Ok(found)
    }

    /// Removes trees that nobody has leased; gives those that are gone.
    ///
    /// Killed at any moment, it leaves what was moved in `.trash/`, which the next one removes.
    ///
    /// # Errors
    /// A tree cannot be moved or removed.
    pub fn collect(&self, collecting: &Collecting, digests: &[Digest], options: &Options) -> Result<Vec<Digest>> {
        let fs = self.fs.as_ref();
        let trash = self.root.join(TRASH);
        fs.make_folders(&trash, 0o700).map_err(|error| Error::io("make", &trash, error))?;
        let mut gone = Vec::new();
        for some in digests.chunks(MOVED) {
            options.check_cancelled()?;
            let mut moved = Vec::new();
            self.with_unleased(collecting, some, |digest| {
                let (tree, place) = (self.tree(digest), trash.join(unique()));
                match fs.rename(&tree, &place) {
                    Ok(()) => moved.push(place),
                    // Somebody else took it away.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(Error::io("move", &tree, error)),
                }
                gone.push(digest);
                Ok(())
            })?;
            for place in moved {
                options.check_cancelled()?;
                fs.remove_all(&place).map_err(|error| Error::io("remove", &place, error))?;
                if let Some(progress) = options.progress {
                    progress.files.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Ok(gone)
    }

    /// Removes what [`Store::leftovers`] told of.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_leftover(&self, _collecting: &Collecting, left: &Leftover) -> Result<()> {
        match self.fs.remove_all(&left.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", &left.path, error)),
            _ => Ok(()),
        }
    }

    /// The names in a folder; none where it is not there.
    fn names(&self, folder: &Path) -> Result<Vec<std::ffi::OsString>> {
        match self.fs.list(folder) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Vec::new()),
            other => other.map_err(|error| Error::io("read", folder, error)),
        }
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_secs().try_into().unwrap_or(i64::MAX)
}

/// How old something is, seconds; what is of the future is young.
fn age(now: i64, stat: &Stat) -> u64 {
    u64::try_from(now - stat.mtime.0).unwrap_or_default()
}

/// Measures a folder with all that it holds; `shared` is given the bytes of each file with several names. None where it
/// is gone.
fn measured(fs: &dyn Fs, root: &Path, shared: &mut HashMap<u64, u64>) -> Result<Option<Measured>> {
    let mut found = Measured::default();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(path) = waiting.pop() {
        let stat = match fs.stat(&path) {
            Ok(stat) => stat,
            // It goes while it is looked at.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("read", &path, error)),
        };
        if stat.kind == FileKind::Directory {
            found.own += stat.allocated;
            match fs.list(&path) {
                Ok(names) => waiting.extend(names.iter().map(|name| path.join(name))),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("read", &path, error)),
            }
        } else if stat.links > 1 {
            found.shared.push(stat.inode);
            shared.insert(stat.inode, stat.allocated);
        } else {
            found.own += stat.allocated;
        }
    }
    Ok(fs.stat(root).is_ok().then_some(found))
}
