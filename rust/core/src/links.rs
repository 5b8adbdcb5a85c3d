//! Many links at once, on all threads.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::scan::Progress;
use crate::threads::{self, lock, on_threads};

/// Links that a thread makes in a row: neighbours share a folder, which one thread at a time can change.
const TAKEN: usize = 256;

/// Makes links, each given by where it is and what it says; the folders that they are in are there.
///
/// Where one cannot be made, or the work is `cancelled`, those that were made are taken away again.
///
/// # Errors
/// [`Error::InTheWay`] where a link's name is taken; else the first error of the system, or [`Error::Cancelled`].
pub fn make_links(
    fs: &dyn Fs,
    links: &[(PathBuf, PathBuf)],
    cancelled: Option<&AtomicBool>,
    progress: Option<&Progress>,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let made: Mutex<Vec<Range<usize>>> = Mutex::default();
    let work = || {
        loop {
            let start = next.fetch_add(TAKEN, Ordering::Relaxed).min(links.len());
            let some = &links[start..links.len().min(start + TAKEN)];
            if some.is_empty() {
                return Ok(());
            }
            if cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                return Err(Error::Cancelled);
            }
            let mut count = 0;
            let done = some.iter().try_for_each(|(path, text)| make(fs, path, text).inspect(|()| count += 1));
            lock(&made).push(start..start + count);
            done?;
            if let Some(progress) = progress {
                progress.files.fetch_add(count as u64, Ordering::Relaxed);
            }
        }
    };
    let threads = threads::available().min(links.len().div_ceil(TAKEN));
    on_threads(threads, work, || next.store(links.len(), Ordering::Relaxed)).inspect_err(|_| {
        for (path, _) in lock(&made).drain(..).flat_map(|range| &links[range]) {
            // The error that is told is the first.
            let _ = fs.remove_file(path);
        }
    })
}

fn make(fs: &dyn Fs, path: &Path, text: &Path) -> Result<()> {
    fs.make_link(text, path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::InTheWay(path.to_path_buf()),
        _ => Error::io("make the link", path, error),
    })
}
