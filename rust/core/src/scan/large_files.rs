//! The files that the walk left for later: each is read by all threads, piece by piece.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::FileKind;
use crate::scan::fast::{Found, Large, Walk};
use crate::scan::folder::{Body, What};
use crate::scan::gain;
use crate::scan::large::{PIECE, Reading};
use crate::scan::read::{Looked, failed, open_below, read_small};
use crate::scan::row::Row;
use crate::scan::tree::Tree;
use crate::threads::{lock, on_threads};

/// So many bytes are read and hashed at once: they are still in a core's cache then.
const BITE: usize = 512 << 10;

/// What is left to do.
struct Line {
    waiting: Vec<Large>,
    /// The file that is being read, and what it is.
    current: Option<(Arc<Reading>, Large)>,
    done: Vec<(Large, Digest, Row)>,
}

/// A part of a file that one thread reads.
struct Piece {
    reading: Arc<Reading>,
    large: Large,
    offset: u64,
    length: usize,
}

struct Pieces<'a> {
    walk: &'a Walk<'a>,
    line: Mutex<Line>,
    stop: AtomicBool,
}

/// Reads large files, and puts their digests where they belong.
pub(super) fn read(walk: &Walk, found: &mut Found, tree: &mut Tree) -> Result<()> {
    let mut waiting = std::mem::take(&mut found.large);
    if waiting.is_empty() {
        return Ok(());
    }
    waiting.sort_by(|a, b| b.place.cmp(&a.place));
    let pieces = Pieces {
        walk,
        line: Mutex::new(Line { waiting, current: None, done: Vec::new() }),
        stop: AtomicBool::new(false),
    };
    on_threads(walk.options.threads(), || pieces.work(), || pieces.stop.store(true, Ordering::Relaxed))?;
    let done = std::mem::take(&mut lock(&pieces.line).done);
    for (large, read, now) in done {
        found.files_read += 1;
        found.bytes_read += now.size;
        if now.is_older_than(walk.trusted_before) {
            found.gain += gain(now.size);
        }
        if let Some(folder) = &mut tree.folders[large.folder as usize]
            && let Body::Found(items) = &mut folder.body
            && let Some(What::File { row, digest, .. }) = items.list.get_mut(large.item).map(|item| &mut item.what)
        {
            (*row, *digest) = (now, read);
        }
    }
    Ok(())
}

impl Pieces<'_> {
    fn work(&self) -> Result<()> {
        let mut buffer = vec![0; PIECE + 1];
        while let Some(Piece { reading, large, offset, length }) = self.next(&mut buffer)? {
            if self.walk.options.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let mut hasher = Reading::hasher(offset);
            let mut done = 0;
            while done < length {
                let wanted = BITE.min(length - done);
                let told = self.walk.fs.read_at(reading.file(), &mut buffer[..wanted], offset + done as u64);
                let count = told.map_err(|error| failed(&large.path(), error))?;
                hasher.update(&buffer[..count]);
                done += count;
                if count == 0 {
                    // It was cut: without this piece it has no digest, and is read again.
                    break;
                }
            }
            self.walk.tell_progress(0, done as u64);
            if reading.put(offset, Some(&hasher).filter(|_| done == length)) {
                self.finish(&reading, large)?;
            }
        }
        Ok(())
    }

    /// The next piece that nobody reads yet.
    fn next(&self, buffer: &mut [u8]) -> Result<Option<Piece>> {
        let mut line = lock(&self.line);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            if let Some((reading, large)) = &line.current
                && let Some((offset, length)) = reading.take()
            {
                return Ok(Some(Piece { reading: Arc::clone(reading), large: large.clone(), offset, length }));
            }
            let Some(large) = line.waiting.pop() else { return Ok(None) };
            let folder = self.folder_of(&large)?;
            // It may have been cut to a small one.
            match read_small(self.walk.fs, folder.as_fd(), &large.name, buffer) {
                Ok(Looked::File(digest, stat)) => {
                    self.walk.tell_progress(1, stat.size);
                    line.done.push((large, digest, Row::from(&stat)));
                }
                Ok(Looked::Large(_)) => {
                    let file = self.walk.fs.open_at(folder.as_fd(), &large.name);
                    let file = file.map_err(|error| failed(&large.path(), error))?;
                    let before = self.walk.fs.stat_open(file.as_fd()).map_err(|error| failed(&large.path(), error))?;
                    if before.kind != FileKind::File || before.size <= PIECE as u64 {
                        line.waiting.push(large.again()?);
                        continue;
                    }
                    line.current = Some((Arc::new(Reading::new(file, before)), large));
                }
                Ok(Looked::Other) => return Err(Error::Changed(large.path())),
                Err(error) => return Err(failed(&large.path(), error)),
            }
        }
    }

    fn folder_of(&self, large: &Large) -> Result<OwnedFd> {
        let opened = self.walk.fs.open_folder(&large.source);
        let is_too_long =
            |error: &std::io::Error| error.raw_os_error() == Some(rustix::io::Errno::NAMETOOLONG.raw_os_error());
        match opened {
            Err(error) if is_too_long(&error) => {
                let place = &large.place[..large.place.len() - 1];
                let above = place.iter().rposition(|&byte| byte == b'/').map_or(&place[..0], |at| &place[..at]);
                open_below(self.walk.fs, self.walk.root.as_fd(), above)
            }
            other => other,
        }
        .map_err(|error| failed(&large.path(), error))
    }

    fn finish(&self, reading: &Reading, large: Large) -> Result<()> {
        let after = self.walk.fs.stat_open(reading.file()).map_err(|error| failed(&large.path(), error))?;
        let digest = reading.digest().filter(|_| after.is_same(&reading.before));
        let mut line = lock(&self.line);
        if let Some(digest) = digest {
            self.walk.tell_progress(1, 0);
            line.done.push((large, digest, Row::from(&after)));
        } else {
            line.waiting.push(large.again()?);
        }
        Ok(())
    }
}
