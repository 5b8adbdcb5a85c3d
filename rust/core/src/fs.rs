//! Every system call that the core makes, behind one trait: the seam at which tests fail them.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
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

impl From<&fs::Metadata> for Stat {
    fn from(found: &fs::Metadata) -> Self {
        let kind = if found.is_file() {
            FileKind::File
        } else if found.is_dir() {
            FileKind::Directory
        } else if found.is_symlink() {
            FileKind::Link
        } else {
            FileKind::Special
        };
        Self {
            kind,
            mode: found.mode() & 0o7777,
            size: found.len(),
            mtime: (found.mtime(), found.mtime_nsec()),
            ctime: (found.ctime(), found.ctime_nsec()),
            inode: found.ino(),
            device: found.dev(),
            links: found.nlink(),
        }
    }
}

/// A file that is open for reading.
pub trait OpenFile: Read + Send {
    /// What it is now.
    ///
    /// # Errors
    /// The system says no.
    fn stat(&self) -> io::Result<Stat>;
}

impl OpenFile for File {
    fn stat(&self) -> io::Result<Stat> {
        self.metadata().map(|found| Stat::from(&found))
    }
}

/// The system calls. An error is the system's own; the caller adds the path.
#[allow(clippy::missing_errors_doc)]
pub trait Fs: Send + Sync {
    /// What a path names, without following a link.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// What a path leads to.
    fn stat_target(&self, path: &Path) -> io::Result<Stat>;
    /// Opens a file for reading; never waits for a FIFO's writer. `follow` says whether a link may lead to it.
    fn open(&self, path: &Path, follow: bool) -> io::Result<Box<dyn OpenFile>>;
    /// Makes a file that must not be there.
    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn Write + Send>>;
    /// The names in a folder.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;
    /// The text of a link.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;
    /// The path with every link followed.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf>;
    /// Makes a link.
    fn make_link(&self, text: &Path, path: &Path) -> io::Result<()>;
    /// Gives a file another name.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes a folder and what lies above it.
    fn make_folders(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Moves; a file or an empty folder in the way is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes one file or link.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder with all that it holds.
    fn remove_all(&self, path: &Path) -> io::Result<()>;
    /// Sets permission bits.
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Waits until everything on the file system of `path` is on the disk.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// What tells one start of the machine from another; empty where it is not known.
    fn boot_id(&self) -> String;
}

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFs;

#[allow(clippy::disallowed_methods)] // The one place where they stand.
impl Fs for OsFs {
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        fs::symlink_metadata(path).map(|found| Stat::from(&found))
    }

    fn stat_target(&self, path: &Path) -> io::Result<Stat> {
        fs::metadata(path).map(|found| Stat::from(&found))
    }

    fn open(&self, path: &Path, follow: bool) -> io::Result<Box<dyn OpenFile>> {
        let mut flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        if !follow {
            flags |= rustix::fs::OFlags::NOFOLLOW;
        }
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        Ok(Box::new(file))
    }

    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn Write + Send>> {
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        Ok(Box::new(file))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(path)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn make_link(&self, text: &Path, path: &Path) -> io::Result<()> {
        symlink(text, path)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn make_folders(&self, path: &Path, mode: u32) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(mode).create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    }

    #[cfg(target_os = "linux")]
    fn sync(&self, path: &Path) -> io::Result<()> {
        rustix::fs::syncfs(File::open(path)?).map_err(io::Error::from)
    }

    #[cfg(not(target_os = "linux"))]
    fn sync(&self, _path: &Path) -> io::Result<()> {
        rustix::fs::sync();
        Ok(())
    }

    fn boot_id(&self) -> String {
        let mut text = String::new();
        // Linux only: elsewhere no boot is told from another, and trees that were not synced are read again.
        if let Ok(mut file) = File::open("/proc/sys/kernel/random/boot_id") {
            let _ = file.read_to_string(&mut text);
        }
        text.trim().to_owned()
    }
}
