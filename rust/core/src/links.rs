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

/// What a thread makes in a row: neighbours share a folder, which one thread at a time can change.
const TAKEN: usize = 256;
const FOLDER_MODE: u32 = 0o777;

/// Makes folders, where they are not there, and then links, each given by where it is and what it says.
///
/// Where a link cannot be made, or the work is `cancelled`, those that were made are taken away again.
///
/// # Errors
/// [`Error::InTheWay`] where a link's name is taken; else the first error of the system, or [`Error::Cancelled`].
pub fn make_links(
    fs: &dyn Fs,
    folders: &[PathBuf],
    links: &[(PathBuf, PathBuf)],
    cancelled: Option<&AtomicBool>,
    progress: Option<&Progress>,
) -> Result<()> {
    in_turns(folders.len(), cancelled, |some| {
        folders[some].iter().try_for_each(|folder| {
            fs.make_folders(folder, FOLDER_MODE).map_err(|error| Error::io("make", folder, error))
        })
    })?;
    let made: Mutex<Vec<Range<usize>>> = Mutex::default();
    let done = in_turns(links.len(), cancelled, |some| {
        let mut count = 0;
        let done = links[some.clone()].iter().try_for_each(|(path, text)| {
            make(fs, path, text)?;
            count += 1;
            Ok(())
        });
        lock(&made).push(some.start..some.start + count);
        if let Some(progress) = progress {
            progress.files.fetch_add(count as u64, Ordering::Relaxed);
        }
        done
    });
    done.inspect_err(|_| {
        for (path, _) in lock(&made).drain(..).flat_map(|range| &links[range]) {
            // The error that is told is the first.
            let _ = fs.remove_file(path);
        }
    })
}

/// Does so much work on all threads, each taking the next part of it.
fn in_turns(
    count: usize,
    cancelled: Option<&AtomicBool>,
    work: impl Fn(Range<usize>) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let turns = || {
        loop {
            let start = next.fetch_add(TAKEN, Ordering::Relaxed).min(count);
            if start == count {
                return Ok(());
            }
            if cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                return Err(Error::Cancelled);
            }
            work(start..count.min(start + TAKEN))?;
        }
    };
    on_threads(threads::available().min(count.div_ceil(TAKEN)), turns, || next.store(count, Ordering::Relaxed))
}

fn make(fs: &dyn Fs, path: &Path, text: &Path) -> Result<()> {
    fs.make_link(text, path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::InTheWay(path.to_path_buf()),
        _ => Error::io("make the link", path, error),
    })
}
