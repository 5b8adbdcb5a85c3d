//! Every system call that the core makes, behind one trait: the seam at which tests fail them, count them, and answer
//! with other times.

mod os;

use std::ffi::{CStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What kind of thing a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Link,
    /// A socket, FIFO or device.
    Special,
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last change of its bytes: seconds, nanoseconds.
    pub mtime: (i64, i64),
    /// Time of the last change of anything.
    pub ctime: (i64, i64),
    /// Inode and device.
    pub inode: u64,
    /// The device that it lies on.
    pub device: u64,
    /// How many names it has.
    pub links: u64,
    /// Bytes of the disk that it takes.
    pub allocated: u64,
}

impl Stat {
    /// Whether its owner may execute it.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o100 != 0
    }

    /// Whether it is what it was, going by what can be known without reading.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.kind, self.mode, self.size, self.mtime, self.ctime, self.inode, self.device)
            == (other.kind, other.mode, other.size, other.mtime, other.ctime, other.inode, other.device)
    }
}

/// Which lock on an open file is wanted; whoever holds a file open can lock it, and closing it, or dying, gives it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Beside others that are shared; waits for it.
    Shared,
    /// Alone; waits for it.
    Exclusive,
    /// Shared, where nobody stands in the way.
    TryShared,
    /// Alone, where nobody stands in the way.
    TryExclusive,
    /// None any more.
    Free,
}

/// What is called with each name in a folder; its kind is there where the folder knows it.
pub type OnName<'a> = dyn FnMut(&CStr, Option<FileKind>) + 'a;

/// A file that is open for reading.
pub trait OpenFile: Read + AsFd + Send {
    /// What it is now.
    ///
    /// # Errors
    /// The system says no.
    fn stat(&self) -> io::Result<Stat>;
}

impl OpenFile for File {
    fn stat(&self) -> io::Result<Stat> {
        os::stat_open(self.as_fd())
    }
}

/// The system calls; each does what the machine's own file system does, unless it is said otherwise. An error is the
/// system's own; the caller adds the path.
#[allow(clippy::missing_errors_doc)]
pub trait Fs: Send + Sync {
    /// What a path names, without following a link.
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        os::stat(path)
    }

    /// What a path leads to.
    fn stat_target(&self, path: &Path) -> io::Result<Stat> {
        os::stat_target(path)
    }

    /// Opens a file for reading; never waits for a FIFO's writer. `follow` says whether a link may lead to it.
    fn open(&self, path: &Path, follow: bool) -> io::Result<Box<dyn OpenFile>> {
        os::open(path, follow).map(|file| Box::new(file) as Box<dyn OpenFile>)
    }

    /// Makes a file that must not be there.
    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn Write + Send>> {
        os::create(path, mode).map(|file| Box::new(file) as Box<dyn Write + Send>)
    }

    /// The names in a folder.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        os::list(path)
    }

    /// The text of a link.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        os::read_link(path)
    }

    /// The path with every link followed.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        os::canonical(path)
    }

    /// Makes a link.
    fn make_link(&self, text: &Path, path: &Path) -> io::Result<()> {
        os::make_link(text, path)
    }

    /// Gives a file another name.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        os::hard_link(from, to)
    }

    /// Makes a folder and what lies above it.
    fn make_folders(&self, path: &Path, mode: u32) -> io::Result<()> {
        os::make_folders(path, mode)
    }

    /// Moves; a file or an empty folder in the way is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        os::rename(from, to)
    }

    /// Removes one file or link.
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        os::remove_file(path)
    }

    /// Removes a folder with all that it holds.
    fn remove_all(&self, path: &Path) -> io::Result<()> {
        os::remove_all(path)
    }

    /// Sets permission bits.
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        os::set_mode(path, mode)
    }

    /// Waits until everything on the file system of `path` is on the disk.
    fn sync(&self, path: &Path) -> io::Result<()> {
        os::sync(path)
    }

    /// What tells one start of the machine from another; empty where it is not known.
    fn boot_id(&self) -> String {
        os::boot_id()
    }

    /// Sets a file's times to now, by the clock of its file system; the file is made where it is not there.
    fn touch(&self, path: &Path) -> io::Result<Stat> {
        os::touch(path)
    }

    /// Opens a file to write at its end; it is made where it is not there.
    fn open_append(&self, path: &Path, mode: u32) -> io::Result<OwnedFd> {
        os::open_append(path, mode)
    }

    /// Locks an open file against others that ask for a lock; tells whether it did.
    fn lock(&self, file: BorrowedFd, wanted: Lock) -> io::Result<bool> {
        os::lock(file, wanted)
    }

    /// Whether the file system of an open folder is one whose times can be trusted: each change of a file shows in
    /// them, a write through a mapping at the latest when it reaches the disk.
    fn keeps_times(&self, folder: BorrowedFd) -> bool {
        os::keeps_times(folder)
    }

    /// Opens a folder.
    fn open_folder(&self, path: &Path) -> io::Result<OwnedFd> {
        os::open_folder(path)
    }

    /// Opens a folder in another one, without following a link.
    fn open_folder_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        os::open_folder_at(folder, name)
    }

    /// What an open file or folder is.
    fn stat_open(&self, file: BorrowedFd) -> io::Result<Stat> {
        os::stat_open(file)
    }

    /// What a name in a folder stands for, without following a link.
    fn stat_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<Stat> {
        os::stat_at(folder, name)
    }

    /// The names in an open folder, less `.` and `..`.
    fn list_open(&self, folder: BorrowedFd, buffer: &mut Vec<u8>, on_name: &mut OnName) -> io::Result<()> {
        os::list_open(folder, buffer, on_name)
    }

    /// The text of a link in a folder.
    fn read_link_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<PathBuf> {
        os::read_link_at(folder, name)
    }

    /// Opens a file in a folder for reading, without following a link or waiting for a FIFO's writer.
    fn open_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        os::open_at(folder, name)
    }

    /// Makes a folder in another one.
    fn make_folder_at(&self, folder: BorrowedFd, name: &CStr, mode: u32) -> io::Result<()> {
        os::make_folder_at(folder, name, mode)
    }

    /// Makes a file in a folder, that must not be there, for writing.
    fn create_at(&self, folder: BorrowedFd, name: &CStr, mode: u32) -> io::Result<OwnedFd> {
        os::create_at(folder, name, mode)
    }

    /// Makes a link in a folder.
    fn make_link_at(&self, text: &CStr, folder: BorrowedFd, name: &CStr) -> io::Result<()> {
        os::make_link_at(text, folder, name)
    }

    /// Gives a file in a folder another name in another one.
    fn hard_link_at(&self, from: BorrowedFd, name: &CStr, to: BorrowedFd, new_name: &CStr) -> io::Result<()> {
        os::hard_link_at(from, name, to, new_name)
    }

    /// Writes on in an open file; gives how much.
    fn write(&self, file: BorrowedFd, bytes: &[u8]) -> io::Result<usize> {
        os::write(file, bytes)
    }

    /// Reads at a place in an open file.
    fn read_at(&self, file: BorrowedFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        os::read_at(file, buffer, offset)
    }
}

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFs;

impl Fs for OsFs {}
