//! The calls as the system has them.

#![allow(clippy::disallowed_methods)] // The one place where they stand.

use std::ffi::{CStr, OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags};

use super::{FileKind, Lock, OnName, Stat};

/// Never follows the last link, never waits for a FIFO's writer, never becomes a terminal's owner.
const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::DIRECTORY);

impl From<&rustix::fs::Stat> for Stat {
    #[allow(clippy::unnecessary_cast, clippy::cast_lossless, clippy::cast_possible_wrap, clippy::cast_sign_loss)] // The fields' types differ from system to system.
    fn from(found: &rustix::fs::Stat) -> Self {
        Self {
            kind: FileType::from_raw_mode(found.st_mode as _).into(),
            mode: found.st_mode as u32 & 0o7777,
            size: u64::try_from(found.st_size).unwrap_or_default(),
            mtime: (found.st_mtime as i64, found.st_mtime_nsec as i64),
            ctime: (found.st_ctime as i64, found.st_ctime_nsec as i64),
            inode: found.st_ino as u64,
            device: found.st_dev as u64,
            links: found.st_nlink as u64,
            allocated: found.st_blocks as u64 * 512,
        }
    }
}

impl From<FileType> for FileKind {
    fn from(found: FileType) -> Self {
        match found {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Directory,
            FileType::Symlink => Self::Link,
            _ => Self::Special,
        }
    }
}

pub(super) fn stat(path: &Path) -> io::Result<Stat> {
    Ok(Stat::from(&rustix::fs::lstat(path)?))
}

pub(super) fn stat_target(path: &Path) -> io::Result<Stat> {
    Ok(Stat::from(&rustix::fs::stat(path)?))
}

pub(super) fn open(path: &Path, follow: bool) -> io::Result<File> {
    let flags = if follow { READ } else { READ | OFlags::NOFOLLOW };
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

pub(super) fn create(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

pub(super) fn list(path: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
}

pub(super) fn read_link(path: &Path) -> io::Result<PathBuf> {
    fs::read_link(path)
}

pub(super) fn canonical(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

pub(super) fn make_link(text: &Path, path: &Path) -> io::Result<()> {
    symlink(text, path)
}

pub(super) fn hard_link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)
}

pub(super) fn make_folders(path: &Path, mode: u32) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

pub(super) fn remove_all(path: &Path) -> io::Result<()> {
    fs::remove_dir_all(path)
}

pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(target_os = "linux")]
pub(super) fn sync(path: &Path) -> io::Result<()> {
    rustix::fs::syncfs(File::open(path)?).map_err(io::Error::from)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn sync(_path: &Path) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

pub(super) fn boot_id() -> String {
    // A process does not outlive its boot.
    static BOOT: OnceLock<String> = OnceLock::new();
    let ask = || {
        let mut text = String::new();
        // Linux only: elsewhere no boot is told from another, and trees that were not synced are read again.
        if let Ok(mut file) = File::open("/proc/sys/kernel/random/boot_id") {
            let _ = file.read_to_string(&mut text);
        }
        text.trim().to_owned()
    };
    BOOT.get_or_init(ask).clone()
}

pub(super) fn touch(path: &Path) -> io::Result<Stat> {
    use rustix::fs::{Timespec, Timestamps, UTIME_NOW};
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))?;
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    rustix::fs::futimens(&file, &Timestamps { last_access: now, last_modification: now })?;
    Ok(Stat::from(&rustix::fs::fstat(&file)?))
}

pub(super) fn open_append(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags, Mode::from_raw_mode(mode))?)
}

pub(super) fn lock(file: BorrowedFd, wanted: Lock) -> io::Result<bool> {
    let operation = match wanted {
        Lock::Shared => FlockOperation::LockShared,
        Lock::Exclusive => FlockOperation::LockExclusive,
        Lock::TryShared => FlockOperation::NonBlockingLockShared,
        Lock::TryExclusive => FlockOperation::NonBlockingLockExclusive,
        Lock::Free => FlockOperation::Unlock,
    };
    match rustix::io::retry_on_intr(|| rustix::fs::flock(file, operation)) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// ext2 to ext4, XFS and Btrfs, by the numbers of statfs(2).
#[cfg(target_os = "linux")]
pub(super) fn keeps_times(folder: BorrowedFd) -> bool {
    const KNOWN: [u64; 3] = [0xEF53, 0x5846_5342, 0x9123_683E];
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)] // Its type differs from processor to processor.
    rustix::fs::fstatfs(folder).is_ok_and(|found| KNOWN.contains(&(found.f_type as u64 & 0xFFFF_FFFF)))
}

#[cfg(target_vendor = "apple")]
pub(super) fn keeps_times(folder: BorrowedFd) -> bool {
    let name = rustix::fs::fstatfs(folder).map(|found| found.f_fstypename);
    name.is_ok_and(|name| name.iter().map(|&byte| byte as u8).take_while(|&byte| byte != 0).eq(*b"apfs"))
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
pub(super) fn keeps_times(_folder: BorrowedFd) -> bool {
    false
}

pub(super) fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(CWD, path, FOLDER, Mode::empty())?)
}

pub(super) fn open_folder_at(folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?)
}

pub(super) fn stat_open(file: BorrowedFd) -> io::Result<Stat> {
    Ok(Stat::from(&rustix::fs::fstat(file)?))
}

pub(super) fn stat_at(folder: BorrowedFd, name: &CStr) -> io::Result<Stat> {
    Ok(Stat::from(&rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?))
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

fn known(kind: FileType) -> Option<FileKind> {
    (kind != FileType::Unknown).then(|| kind.into())
}

#[cfg(target_os = "linux")]
pub(super) fn list_open(folder: BorrowedFd, buffer: &mut Vec<u8>, on_name: &mut OnName) -> io::Result<()> {
    buffer.clear();
    buffer.reserve(32 * 1024);
    let mut entries = rustix::fs::RawDir::new(folder, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if !is_dots(entry.file_name()) {
            on_name(entry.file_name(), known(entry.file_type()));
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn list_open(folder: BorrowedFd, _buffer: &mut Vec<u8>, on_name: &mut OnName) -> io::Result<()> {
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        if !is_dots(entry.file_name()) {
            on_name(entry.file_name(), known(entry.file_type()));
        }
    }
    Ok(())
}

pub(super) fn read_link_at(folder: BorrowedFd, name: &CStr) -> io::Result<PathBuf> {
    let text = rustix::fs::readlinkat(folder, name, Vec::new())?;
    Ok(PathBuf::from(OsStr::from_bytes(text.to_bytes())))
}

pub(super) fn open_at(folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(folder, name, READ | OFlags::NOFOLLOW, Mode::empty())?)
}

pub(super) fn make_folder_at(folder: BorrowedFd, name: &CStr, mode: u32) -> io::Result<()> {
    Ok(rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(mode))?)
}

pub(super) fn create_at(folder: BorrowedFd, name: &CStr, mode: u32) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(mode))?)
}

pub(super) fn make_link_at(text: &CStr, folder: BorrowedFd, name: &CStr) -> io::Result<()> {
    Ok(rustix::fs::symlinkat(text, folder, name)?)
}

pub(super) fn hard_link_at(from: BorrowedFd, name: &CStr, to: BorrowedFd, new_name: &CStr) -> io::Result<()> {
    Ok(rustix::fs::linkat(from, name, to, new_name, AtFlags::empty())?)
}

pub(super) fn write(file: BorrowedFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::retry_on_intr(|| rustix::io::write(file, bytes))?)
}

pub(super) fn read_at(file: BorrowedFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    Ok(rustix::io::retry_on_intr(|| rustix::io::pread(file, &mut *buffer, offset))?)
}
