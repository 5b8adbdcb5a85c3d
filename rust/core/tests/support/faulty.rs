//! A file system whose calls are numbered, and that fails, ends or forgets at the one that a test chooses.

use std::collections::HashSet;
use std::ffi::{CStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};
use scriptstep_core::fs::{Fs, OnName, OpenFile, OsFs, Stat};

/// What a call does, as far as faults care.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Look,
    Open,
    Read,
    /// Needs room on the disk.
    Write,
    Change,
    Remove,
    Sync,
}

/// What happens at the call of the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; the calls are counted.
    None,
    /// The process is killed before it.
    Kill,
    /// As if it were: nothing has any effect from there on.
    End,
    /// As `End`, with half of what the call does.
    EndHalfway,
    /// It fails.
    Once(Errno),
    /// It fails, and so do all later ones that can fail so.
    From(Errno),
    /// Every read and write does a part, or is interrupted.
    Parts,
}

#[derive(Default)]
struct State {
    count: AtomicU64,
    ended: AtomicBool,
    struck: AtomicBool,
    /// A removal was what failed.
    struck_removal: AtomicBool,
    /// Inodes whose bytes are on the disk.
    synced: Mutex<HashSet<u64>>,
}

/// The file system; its clones share the numbers.
#[derive(Clone)]
pub struct Faulty {
    fault: Fault,
    at: u64,
    pub boot: &'static str,
    state: Arc<State>,
}

/// How much of a call is done.
enum Turn {
    Whole,
    Half,
}

fn ended() -> io::Error {
    Errno::IO.into()
}

fn can_fail_so(error: Errno, call: Call) -> bool {
    match error {
        Errno::NOSPC => call == Call::Write,
        Errno::MFILE => call == Call::Open,
        Errno::ROFS => matches!(call, Call::Write | Call::Change | Call::Remove),
        _ => true,
    }
}

impl Faulty {
    pub fn new(fault: Fault, at: u64) -> Self {
        Self { fault, at, boot: "a boot", state: Arc::default() }
    }

    pub fn of_boot(boot: &'static str) -> Self {
        Self { boot, ..Self::new(Fault::None, 0) }
    }

    /// How many calls there were.
    pub fn count(&self) -> u64 {
        self.state.count.load(Ordering::Relaxed)
    }

    /// Whether the fault came to pass.
    pub fn struck(&self) -> bool {
        self.state.struck.load(Ordering::Relaxed)
    }

    /// Whether what failed was the removal of something.
    pub fn struck_removal(&self) -> bool {
        self.state.struck_removal.load(Ordering::Relaxed)
    }

    /// Says that what lies below a folder is on the disk.
    pub fn synced_below(&self, folder: &Path) {
        let inodes = all_below(folder).into_iter().map(|path| fs::symlink_metadata(path).unwrap().ino());
        self.state.synced.lock().unwrap().extend(inodes);
    }

    /// Whether a file's bytes are on the disk.
    pub fn is_synced(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|stat| self.state.synced.lock().unwrap().contains(&stat.ino()))
    }

    fn turn(&self, call: Call) -> io::Result<Turn> {
        if self.state.ended.load(Ordering::Relaxed) {
            return Err(ended());
        }
        let number = self.state.count.fetch_add(1, Ordering::Relaxed) + 1;
        let now = match self.fault {
            Fault::From(error) => (number == self.at || self.struck()) && can_fail_so(error, call),
            Fault::Once(error) => number == self.at && can_fail_so(error, call),
            _ => number == self.at,
        };
        if !now {
            return Ok(Turn::Whole);
        }
        self.state.struck.store(true, Ordering::Relaxed);
        match self.fault {
            Fault::None | Fault::Parts => Ok(Turn::Whole),
            Fault::Kill => {
                kill_process(getpid(), Signal::KILL).unwrap();
                unreachable!("killed");
            }
            Fault::End => {
                self.state.ended.store(true, Ordering::Relaxed);
                Err(ended())
            }
            Fault::EndHalfway => {
                self.state.ended.store(true, Ordering::Relaxed);
                Ok(Turn::Half)
            }
            Fault::Once(error) | Fault::From(error) => {
                self.state.struck_removal.fetch_or(call == Call::Remove, Ordering::Relaxed);
                Err(error.into())
            }
        }
    }

    fn one<T>(&self, call: Call, done: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.turn(call)? {
            Turn::Whole => done(),
            Turn::Half => Err(ended()),
        }
    }

    /// A call that has a half.
    fn halved<T>(
        &self,
        call: Call,
        half: impl FnOnce() -> io::Result<()>,
        done: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        match self.turn(call)? {
            Turn::Whole => done(),
            Turn::Half => half().and_then(|()| Err(ended())),
        }
    }

    /// How much of so many bytes one call takes.
    fn part(&self, length: usize) -> usize {
        if self.fault == Fault::Parts { length.div_ceil(3) } else { length }
    }

    fn interrupted(&self) -> io::Result<()> {
        let is_now = self.fault == Fault::Parts && self.count().is_multiple_of(3);
        if is_now { Err(Errno::INTR.into()) } else { Ok(()) }
    }
}

/// An open file whose reads are numbered.
struct Reading(Faulty, Box<dyn OpenFile>);

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.part(buffer.len());
        self.0.clone().one(Call::Read, || {
            self.0.interrupted()?;
            self.1.read(&mut buffer[..length])
        })
    }
}

impl AsFd for Reading {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.1.as_fd()
    }
}

impl OpenFile for Reading {
    fn stat(&self) -> io::Result<Stat> {
        self.0.one(Call::Look, || self.1.stat())
    }
}

/// A new file whose writes are numbered.
struct Writing(Faulty, Box<dyn Write + Send>);

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.turn(Call::Write)? {
            Turn::Whole => {
                self.0.interrupted()?;
                self.1.write(&bytes[..self.0.part(bytes.len())])
            }
            Turn::Half => {
                self.1.write_all(&bytes[..bytes.len() / 2])?;
                Err(ended())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1.flush()
    }
}

/// Removes every other thing in a folder.
fn remove_half(path: &Path) -> io::Result<()> {
    let names: Vec<PathBuf> = fs::read_dir(path)?.flatten().map(|entry| entry.path()).collect();
    for path in names.iter().step_by(2) {
        let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
    }
    Ok(())
}

/// A folder's place; in memory where there is such a one, for tests that make very many files.
pub fn memory_folder(name: &str) -> PathBuf {
    let shared = Path::new("/dev/shm");
    let above = if shared.is_dir() { shared.to_path_buf() } else { std::env::temp_dir() };
    above.join(format!("scriptstep-{name}-{}", std::process::id()))
}

/// Everything at and below a path.
pub fn all_below(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_path_buf()];
    if fs::symlink_metadata(path).is_ok_and(|stat| stat.is_dir()) {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            found.extend(all_below(&entry.path()));
        }
    }
    found
}

impl Fs for Faulty {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.one(Call::Look, || OsFs.stat(path))
    }

    fn stat_target(&self, path: &Path) -> io::Result<Stat> {
        self.one(Call::Look, || OsFs.stat_target(path))
    }

    fn open(&self, path: &Path, follow: bool) -> io::Result<Box<dyn OpenFile>> {
        let file = self.one(Call::Open, || OsFs.open(path, follow))?;
        Ok(Box::new(Reading(self.clone(), file)))
    }

    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn Write + Send>> {
        let file = self.one(Call::Write, || OsFs.create(path, mode))?;
        Ok(Box::new(Writing(self.clone(), file)))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.one(Call::Open, || OsFs.list(path))
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.one(Call::Look, || OsFs.read_link(path))
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        self.one(Call::Look, || OsFs.canonical(path))
    }

    fn make_link(&self, text: &Path, path: &Path) -> io::Result<()> {
        self.one(Call::Write, || OsFs.make_link(text, path))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.one(Call::Write, || OsFs.hard_link(from, to))
    }

    fn make_folders(&self, path: &Path, mode: u32) -> io::Result<()> {
        let half = || OsFs.make_folders(path.parent().unwrap_or(path), mode);
        self.halved(Call::Write, half, || OsFs.make_folders(path, mode))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.one(Call::Change, || OsFs.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.one(Call::Remove, || OsFs.remove_file(path))
    }

    fn remove_all(&self, path: &Path) -> io::Result<()> {
        self.halved(Call::Remove, || remove_half(path), || OsFs.remove_all(path))
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.one(Call::Change, || OsFs.set_mode(path, mode))
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.one(Call::Sync, || {
            self.synced_below(path);
            Ok(())
        })
    }

    fn boot_id(&self) -> String {
        self.boot.to_owned()
    }

    fn touch(&self, path: &Path) -> io::Result<Stat> {
        self.one(Call::Write, || OsFs.touch(path))
    }

    fn open_folder(&self, path: &Path) -> io::Result<OwnedFd> {
        self.one(Call::Open, || OsFs.open_folder(path))
    }

    fn open_folder_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        self.one(Call::Open, || OsFs.open_folder_at(folder, name))
    }

    fn stat_open(&self, file: BorrowedFd) -> io::Result<Stat> {
        self.one(Call::Look, || OsFs.stat_open(file))
    }

    fn stat_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<Stat> {
        self.one(Call::Look, || OsFs.stat_at(folder, name))
    }

    fn list_open(&self, folder: BorrowedFd, buffer: &mut Vec<u8>, on_name: &mut OnName) -> io::Result<()> {
        self.one(Call::Read, || OsFs.list_open(folder, buffer, on_name))
    }

    fn read_link_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<PathBuf> {
        self.one(Call::Look, || OsFs.read_link_at(folder, name))
    }

    fn open_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        self.one(Call::Open, || OsFs.open_at(folder, name))
    }

    fn make_folder_at(&self, folder: BorrowedFd, name: &CStr, mode: u32) -> io::Result<()> {
        self.one(Call::Write, || OsFs.make_folder_at(folder, name, mode))
    }

    fn create_at(&self, folder: BorrowedFd, name: &CStr, mode: u32) -> io::Result<OwnedFd> {
        self.one(Call::Write, || OsFs.create_at(folder, name, mode))
    }

    fn make_link_at(&self, text: &CStr, folder: BorrowedFd, name: &CStr) -> io::Result<()> {
        self.one(Call::Write, || OsFs.make_link_at(text, folder, name))
    }

    fn hard_link_at(&self, from: BorrowedFd, name: &CStr, to: BorrowedFd, new_name: &CStr) -> io::Result<()> {
        self.one(Call::Write, || OsFs.hard_link_at(from, name, to, new_name))
    }

    fn write(&self, file: BorrowedFd, bytes: &[u8]) -> io::Result<usize> {
        let part = self.part(bytes.len());
        self.halved(
            Call::Write,
            || OsFs.write(file, &bytes[..bytes.len() / 2]).map(|_| ()),
            || OsFs.write(file, &bytes[..part]),
        )
    }

    fn read_at(&self, file: BorrowedFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let part = self.part(buffer.len());
        self.one(Call::Read, || OsFs.read_at(file, &mut buffer[..part], offset))
    }
}

/// What becomes of a file that was not synced when the power went.
#[derive(Debug, Clone, Copy)]
pub enum Loss {
    /// It is empty.
    Empty,
    /// It ends in its middle.
    Cut,
    /// Its size is there, and not its bytes.
    Zeros,
    /// As `Zeros`, every other file.
    Some,
}

/// Takes from the files below a folder what was not synced; their times stay, as they may.
pub fn cut_power(folder: &Path, fs: &Faulty, loss: Loss) {
    for (number, path) in all_below(folder).into_iter().enumerate() {
        let Ok(stat) = fs::symlink_metadata(&path) else { continue };
        if !stat.is_file() || fs.is_synced(&path) || (matches!(loss, Loss::Some) && number.is_multiple_of(2)) {
            continue;
        }
        let file = File::options().write(true).open(&path).unwrap();
        match loss {
            Loss::Empty => file.set_len(0).unwrap(),
            Loss::Cut => file.set_len(stat.len() / 2).unwrap(),
            Loss::Zeros | Loss::Some => (&file).write_all(&vec![0; usize::try_from(stat.len()).unwrap()]).unwrap(),
        }
        file.set_modified(stat.modified().unwrap()).unwrap();
    }
}
