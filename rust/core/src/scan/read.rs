//! Digests of files whose bytes stay what they are meanwhile.

use std::ffi::CStr;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::digest::Digest;
use crate::error::Error;
use crate::fs::{FileKind, Fs, Stat};

/// How often what changes is read again before that is an error.
pub(crate) const TRIES: usize = 3;

/// What came of looking at a file.
pub(crate) enum Looked {
    /// Its digest, and what it was before and after.
    File(Digest, Stat),
    /// It is larger than the buffer, and was not read.
    Large(Stat),
    /// It is something else now.
    Other,
}

/// Reads a file in a folder whole, where it fits into the buffer.
///
/// # Errors
/// As the system says; [`ErrorKind::ResourceBusy`] where it kept changing.
pub(crate) fn read_small(fs: &dyn Fs, folder: BorrowedFd, name: &CStr, buffer: &mut [u8]) -> std::io::Result<Looked> {
    let file = fs.open_at(folder, name)?;
    let mut before = fs.stat_open(file.as_fd())?;
    for _ in 0..TRIES {
        if before.kind != FileKind::File {
            return Ok(Looked::Other);
        }
        let size = usize::try_from(before.size).unwrap_or(usize::MAX);
        // One byte more than it has: where that is not there, it has ended.
        if size >= buffer.len() {
            return Ok(Looked::Large(before));
        }
        let count = fill(fs, file.as_fd(), &mut buffer[..=size], 0)?;
        let after = fs.stat_open(file.as_fd())?;
        if count == size && before.is_same(&after) {
            return Ok(Looked::File(Digest::of(&buffer[..size]), after));
        }
        before = after;
    }
    Err(ErrorKind::ResourceBusy.into())
}

/// Reads from a place on until all but the last byte of the buffer is there, or the file ends; gives how many came.
fn fill(fs: &dyn Fs, file: BorrowedFd, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut total = 0;
    loop {
        let count = fs.read_at(file, &mut buffer[total..], offset + total as u64)?;
        total += count;
        if count == 0 || total + 1 >= buffer.len() {
            return Ok(total);
        }
    }
}

/// Reads all of a part of a file.
///
/// # Errors
/// As the system says; [`ErrorKind::UnexpectedEof`] where the file ends before.
pub(crate) fn read_exact(fs: &dyn Fs, file: BorrowedFd, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
    let mut total = 0;
    while total < buffer.len() {
        match fs.read_at(file, &mut buffer[total..], offset + total as u64)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => total += count,
        }
    }
    Ok(())
}

/// The bytes of a file of at most `limit` bytes, with what it was before and after; none where it is no regular file.
///
/// # Errors
/// As [`read_small`]; [`ErrorKind::FileTooLarge`].
pub(crate) fn read_whole(
    fs: &dyn Fs,
    folder: BorrowedFd,
    name: &CStr,
    limit: u64,
) -> std::io::Result<Option<(Vec<u8>, Stat)>> {
    let file = fs.open_at(folder, name)?;
    for _ in 0..TRIES {
        let before = fs.stat_open(file.as_fd())?;
        if before.kind != FileKind::File {
            return Ok(None);
        }
        let size = usize::try_from(before.size).ok().filter(|_| before.size <= limit);
        let size = size.ok_or(ErrorKind::FileTooLarge)?;
        let mut bytes = vec![0; size + 1];
        let count = fill(fs, file.as_fd(), &mut bytes, 0)?;
        if count == size && fs.stat_open(file.as_fd())?.is_same(&before) {
            bytes.truncate(size);
            return Ok(Some((bytes, before)));
        }
    }
    Err(ErrorKind::ResourceBusy.into())
}

/// A system's word about a file, as an error of ours.
pub(crate) fn failed(path: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::ResourceBusy => Error::Changed(path.to_path_buf()),
        _ => Error::io("read", path, error),
    }
}

/// Opens a folder below another one, part by part, so that the path may be of any length.
///
/// # Errors
/// As the system says.
pub(crate) fn open_below(fs: &dyn Fs, root: BorrowedFd, path: &[u8]) -> std::io::Result<OwnedFd> {
    let mut open = fs.open_folder_at(root, c".")?;
    for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
        let name = std::ffi::CString::new(part).map_err(|_| ErrorKind::InvalidInput)?;
        open = fs.open_folder_at(open.as_fd(), &name)?;
    }
    Ok(open)
}
