//! A real folder whose files have the times that a test gives them, by a clock that stands still until it is moved.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // A test makes its own files.
#![allow(dead_code)] // Each test file uses a part of it.

pub mod faulty;

use std::collections::HashMap;
use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use scriptstep_core::fs::{Fs, OsFs, Stat};
use scriptstep_core::manifest::Manifest;
use scriptstep_core::scan::{Options, Rules, Scan, scan};
use scriptstep_core::stat_cache::CacheOptions;

pub const SECOND: i64 = 1_000_000_000;
/// When the clock begins: far from zero, so that it can be set back.
const START: i64 = 1_000_000 * SECOND + SECOND / 2;

type Times = (i64, i64);

/// The times of inodes, and the clock.
#[derive(Clone, Default)]
pub struct Clocked {
    times: Arc<Mutex<HashMap<u64, Times>>>,
    now: Arc<AtomicI64>,
    /// How fine the times of files are, nanoseconds.
    pub tick: Arc<AtomicI64>,
    pub opened: Arc<AtomicU64>,
}

impl Clocked {
    fn answered(&self, stat: Stat) -> Stat {
        let known = self.times.lock().unwrap().get(&stat.inode).copied().unwrap_or((START - SECOND, START - SECOND));
        let split = |time: i64| (time.div_euclid(SECOND), time.rem_euclid(SECOND));
        Stat { mtime: split(known.0), ctime: split(known.1), ..stat }
    }

    pub fn now(&self) -> i64 {
        let (now, tick) = (self.now.load(Ordering::Relaxed), self.tick.load(Ordering::Relaxed).max(1));
        now - now.rem_euclid(tick)
    }

    pub fn pass(&self, nanoseconds: i64) {
        self.now.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl Fs for Clocked {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        OsFs.stat(path).map(|stat| self.answered(stat))
    }

    fn stat_target(&self, path: &Path) -> io::Result<Stat> {
        OsFs.stat_target(path).map(|stat| self.answered(stat))
    }

    fn stat_open(&self, file: BorrowedFd) -> io::Result<Stat> {
        OsFs.stat_open(file).map(|stat| self.answered(stat))
    }

    fn stat_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<Stat> {
        OsFs.stat_at(folder, name).map(|stat| self.answered(stat))
    }

    fn open_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        OsFs.open_at(folder, name)
    }

    fn touch(&self, path: &Path) -> io::Result<Stat> {
        let stat = OsFs.touch(path)?;
        self.times.lock().unwrap().insert(stat.inode, (self.now(), self.now()));
        Ok(self.answered(stat))
    }

    fn keeps_times(&self, _folder: BorrowedFd) -> bool {
        true
    }

    fn boot_id(&self) -> String {
        "a boot".to_owned()
    }
}

/// Does something before a file is looked at or opened.
pub struct Meanwhile<'a, F>(pub &'a Clocked, pub F);

impl<F: Fn(Call, &str) + Send + Sync> Fs for Meanwhile<'_, F> {
    fn stat_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<Stat> {
        (self.1)(Call::Stat, name.to_str().unwrap());
        self.0.stat_at(folder, name)
    }

    fn open_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        (self.1)(Call::Open, name.to_str().unwrap());
        self.0.open_at(folder, name)
    }

    fn stat_open(&self, file: BorrowedFd) -> io::Result<Stat> {
        self.0.stat_open(file)
    }

    fn touch(&self, path: &Path) -> io::Result<Stat> {
        self.0.touch(path)
    }

    fn keeps_times(&self, folder: BorrowedFd) -> bool {
        self.0.keeps_times(folder)
    }

    fn boot_id(&self) -> String {
        self.0.boot_id()
    }
}

/// What is about to be done with a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Stat,
    Open,
}

/// A folder of its own, removed in the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("scriptstep-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A source directory with a folder for its cache beside it; removed in the end.
pub struct Place {
    pub fs: Clocked,
    pub above: PathBuf,
    pub root: PathBuf,
    pub cache: PathBuf,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.above);
    }
}

/// What is done to a path shows in the times of its folder.
fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

impl Place {
    pub fn new(name: &str) -> Self {
        let above = std::env::temp_dir().join(format!("scriptstep-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&above);
        let (root, cache) = (above.join("code"), above.join("stat"));
        fs::create_dir_all(&root).unwrap();
        let place = Self { fs: Clocked::default(), above, root, cache };
        place.fs.pass(START);
        place.fs.tick.store(4_000_000, Ordering::Relaxed);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Sets the times of what lies at a path now.
    pub fn set_times(&self, path: &Path, mtime: i64, ctime: i64) {
        let inode = fs::symlink_metadata(path).unwrap().ino();
        self.fs.times.lock().unwrap().insert(inode, (mtime, ctime));
    }

    pub fn times(&self, path: &Path) -> Times {
        let inode = fs::symlink_metadata(path).unwrap().ino();
        self.fs.times.lock().unwrap().get(&inode).copied().unwrap_or((START - SECOND, START - SECOND))
    }

    fn touch(&self, path: &Path) {
        self.set_times(path, self.fs.now(), self.fs.now());
    }

    /// The metadata of a file changes: its ctime alone.
    fn touch_ctime(&self, path: &Path) {
        let (mtime, _) = self.times(path);
        self.set_times(path, mtime, self.fs.now());
    }

    /// Writes a file in place; makes it where it is not there.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        let is_new = !path.exists();
        if !parent(&path).exists() {
            self.make_folder(path.strip_prefix(&self.root).unwrap().parent().unwrap().to_str().unwrap());
        }
        fs::write(&path, bytes).unwrap();
        self.touch(&path);
        if is_new {
            self.touch(parent(&path));
        }
    }

    /// Writes through a mapping whose page is dirty still: no time changes.
    pub fn write_without_trace(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn make_folder(&self, name: &str) {
        let path = self.path(name);
        if path.exists() {
            return;
        }
        if parent(&path) != self.root && !parent(&path).exists() {
            self.make_folder(Path::new(name).parent().unwrap().to_str().unwrap());
        }
        fs::create_dir(&path).unwrap();
        self.touch(&path);
        self.touch(parent(&path));
    }

    pub fn remove(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(&path).unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
        self.touch(parent(&path));
    }

    /// Renames, over what is there.
    pub fn rename(&self, from: &str, to: &str) {
        let (from, to) = (self.path(from), self.path(to));
        fs::rename(&from, &to).unwrap();
        self.touch_ctime(&to);
        self.touch(parent(&from));
        self.touch(parent(&to));
    }

    pub fn chmod(&self, name: &str, mode: u32) {
        let path = self.path(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        self.touch_ctime(&path);
    }

    /// Sets a file's mtime, as `touch -r` and `rsync -t` do: its ctime is now.
    pub fn set_mtime(&self, name: &str, mtime: i64) {
        self.set_times(&self.path(name), mtime, self.fs.now());
    }

    pub fn link(&self, text: &str, name: &str) {
        let path = self.path(name);
        std::os::unix::fs::symlink(text, &path).unwrap();
        self.touch(&path);
        self.touch(parent(&path));
    }

    pub fn pass(&self, seconds: i64) {
        self.fs.pass(seconds * SECOND);
    }

    pub fn try_scan(&self, rules: Rules, with_cache: bool) -> scriptstep_core::Result<Scan> {
        self.scan_with(&self.fs, rules, with_cache)
    }

    /// Scans by other calls than its own.
    pub fn scan_with(&self, fs: &dyn Fs, rules: Rules, with_cache: bool) -> scriptstep_core::Result<Scan> {
        let cache = with_cache.then(|| {
            let mut options = CacheOptions::new(&self.cache);
            options.is_eager = true;
            options
        });
        scan(fs, &self.root, &Options { rules, cache, threads: 2, ..Options::default() })
    }

    /// Scans by the cache.
    pub fn scan(&self) -> Scan {
        self.try_scan(Rules::Git, true).unwrap()
    }

    /// Scans by the cache, and again without: there must be no difference.
    pub fn checked(&self) -> Scan {
        let found = self.scan();
        let wanted = self.try_scan(Rules::Git, false).unwrap();
        assert_eq!(listed(&found.manifest), listed(&wanted.manifest));
        assert_eq!(found.manifest.digest(), wanted.manifest.digest());
        assert_eq!(found.warnings, wanted.warnings);
        found
    }

    /// A directory of some files and folders that was scanned twice, the second time long after it was written.
    pub fn settled(name: &str, files: usize) -> Self {
        let place = Self::new(name);
        for number in 0..files {
            place.write(&format!("d{}/f{number}.py", number % 5), format!("file {number}").as_bytes());
        }
        place.pass(100);
        assert_eq!(place.checked().cost.files_read, files as u64);
        let again = place.checked();
        assert_eq!((again.cost.files_read, again.cost.files_known), (0, files as u64));
        place
    }
}

pub fn listed(manifest: &Manifest) -> Vec<String> {
    let shown = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    manifest.entries().map(|entry| format!("{:?} {} {}", entry.kind, shown(entry.path), entry.digest)).collect()
}
