//! A folder that the cache knows: its items are looked at, not listed, and those that are the same are not read.

use std::ffi::CStr;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::Stat;
use crate::scan::fast::Job;
use crate::scan::folder::{Items, What};
use crate::scan::links::Fate;
use crate::scan::read::Looked;
use crate::scan::row::Row;
use crate::scan::worker::wide::{BATCH, Candidate, Read, Reads, WIDE};
use crate::scan::worker::{Below, Outcome, Worker, is_row, note_special, os, place_below};
use crate::scan::{SPECIAL, UTF16, warning};
use crate::stat_cache::{Cache, Known, Record};

/// What items became, by their places in a record; none where one cannot be read, which is noted.
type Changes = Vec<(usize, Option<What>)>;

impl Worker<'_> {
    /// Looks at what a folder is known to hold; none where that is not known, or no longer.
    pub(super) fn look(
        &mut self,
        job: &Job,
        folder: &OwnedFd,
        before: &Stat,
        known: Option<Record>,
    ) -> Result<Option<Outcome>> {
        let (Some(record), Some(cache)) = (known, self.walk.cache) else { return Ok(None) };
        let head = cache.head(record);
        let Some(kept) = head.trusted.filter(|kept| {
            kept.row == Row::from(before) && before.device == cache.device() && kept.rules == job.rules.identity()
        }) else {
            return Ok(None);
        };
        let mut outcome = Outcome::new(before, job.rules.clone());
        if kept.is_environment {
            outcome.is_environment = true;
            return Ok(Some(outcome));
        }
        if let (Some((row, digest)), Some(name)) = (kept.rule_file, self.walk.rule_file) {
            let stat = self.walk.fs.stat_at(folder.as_fd(), name);
            // Where it is another, or cannot be asked, listing the folder tells.
            if !stat.is_ok_and(|stat| is_row(&stat, &row, cache)) {
                return Ok(None);
            }
            outcome.rule_file = Some((row, digest));
            outcome.rules = job.rules.push_unread(job.place(), digest);
            if kept.rule_file_is_utf16 {
                outcome.rule_file_is_utf16 = true;
                outcome.found.warnings.push(warning(&job.source().join(os(name.to_bytes())), UTF16));
            }
        }
        let Some(changes) = self.look_at_items(job, folder, &mut outcome, cache, record)? else { return Ok(None) };
        if changes.is_empty() {
            outcome.record = Some(record);
        } else {
            let items = changed(cache, record, changes);
            self.check_rule_file(job, &items, &outcome)?;
            outcome.items = Some(items);
        }
        Ok(Some(outcome))
    }

    /// Looks at each item; gives those that are not as the cache has them. None where a link leads elsewhere now: what
    /// it stands for is found by listing.
    fn look_at_items(
        &mut self,
        job: &Job,
        folder: &OwnedFd,
        outcome: &mut Outcome,
        cache: &Cache,
        record: Record,
    ) -> Result<Option<Changes>> {
        let mut changes = Changes::new();
        let mut ahead = self.look_ahead(folder, cache, record)?.map(|reads| reads.into_iter().peekable());
        let was_told = ahead.is_some();
        for (at, item) in cache.items(record).enumerate() {
            self.walk.options.check_cancelled()?;
            let name = item.c_name();
            match item.what {
                Known::File { .. } | Known::Untrusted => {
                    let read = match (&mut ahead, item.what) {
                        (Some(reads), _) => reads.next_if(|(place, _)| *place == at).map(|(_, read)| read),
                        (None, Known::File { row, .. }) => self.read_unless_known(folder, name, &row),
                        (None, _) => Some(self.read_now(folder, name)),
                    };
                    let read = match (read, item.what) {
                        (None, Known::File { row, digest, number }) if cache.is_audited(number, &row) => {
                            self.audit(job, folder, name, (&row, digest), outcome)
                        }
                        (read, _) => read,
                    };
                    match (read, item.what) {
                        (Some(read), _) => changes.push((at, self.keep(job, name, read, outcome)?)),
                        (None, Known::File { .. }) => outcome.found.files_known += 1,
                        // What is young was read: where it was not, it must not be lost.
                        (None, _) => return Err(Error::Changed(job.source().join(os(name.to_bytes())))),
                    }
                }
                Known::Link(text) => {
                    if !self.is_known_link(job, folder, name, text, outcome)? {
                        return Ok(None);
                    }
                }
                Known::Folder(below) => outcome.below.push(Below {
                    place: place_below(job.place(), name.to_bytes()),
                    realm: Arc::clone(&job.realm),
                    known: Some(below).filter(|below| !below.is_none()),
                }),
                Known::Itself => {}
                Known::Special => note_special(job, name.to_bytes(), SPECIAL, outcome),
            }
        }
        if !was_told {
            let found = &outcome.found;
            self.walk.tell_progress(found.files_read + found.files_known, found.bytes_read);
        }
        Ok(Some(changes))
    }

    /// Looks at the files of a wide folder together with threads that have nothing to do; none where the folder is not
    /// wide. What was read stands under its place in the record.
    fn look_ahead(&mut self, folder: &OwnedFd, cache: &Cache, record: Record) -> Result<Option<Reads>> {
        if cache.items(record).len() < WIDE {
            return Ok(None);
        }
        let files = cache.items(record).enumerate().filter_map(|(at, item)| match item.what {
            Known::File { row, digest, .. } => {
                Some((at, Candidate { name: item.c_name(), known: Some((row, digest)) }))
            }
            Known::Untrusted => Some((at, Candidate { name: item.c_name(), known: None })),
            _ => None,
        });
        let (mut files, mut all) = (files.fuse(), Reads::new());
        loop {
            let (places, batch): (Vec<usize>, Vec<Candidate>) = files.by_ref().take(BATCH).unzip();
            if batch.is_empty() {
                return Ok(Some(all));
            }
            all.extend(self.look_at(folder, &batch)?.into_iter().map(|(at, read)| (places[at], read)));
        }
    }

    /// Reads a file that need not be read, to see that the cache is right; gives what was read where the file changed
    /// since it was looked at, as files do.
    fn audit(
        &mut self,
        job: &Job,
        folder: &OwnedFd,
        name: &CStr,
        (row, digest): (&Row, Digest),
        outcome: &mut Outcome,
    ) -> Option<Read> {
        match self.read_now(folder, name) {
            Ok(Looked::File(found, stat)) if Row::from(&stat) == *row => {
                if found != digest {
                    outcome.found.caught.get_or_insert(job.source().join(os(name.to_bytes())));
                }
                None
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
            read => Some(read),
        }
    }

    /// Whether a link is what the cache has.
    fn is_known_link(
        &self,
        job: &Job,
        folder: &OwnedFd,
        name: &CStr,
        known: &[u8],
        outcome: &mut Outcome,
    ) -> Result<bool> {
        let (fate, source) = self.fate_of(job, folder, name)?;
        let Fate::Link(text, said) = fate else { return Ok(false) };
        outcome.found.warnings.extend(said.map(|said| warning(&source, said)));
        Ok(text == known)
    }
}

/// The items of a record, some of them changed.
fn changed(cache: &Cache, record: Record, changes: Changes) -> Items {
    let mut items = Items::default();
    let mut changes = changes.into_iter().peekable();
    for (at, item) in cache.items(record).enumerate() {
        let change = changes.next_if(|(place, _)| *place == at).map(|(_, change)| change);
        let what = match (change, item.what) {
            (Some(None), _) | (None, Known::Untrusted) => continue,
            (Some(Some(what)), _) => what,
            (None, Known::File { row, digest, .. }) => What::File { row, digest, own: true },
            (None, Known::Link(text)) => What::Link(items.keep(text)),
            (None, Known::Folder(_)) => What::Folder { id: 0, own: true },
            (None, Known::Itself) => What::Itself,
            (None, Known::Special) => What::Special,
        };
        let name = items.keep(item.name());
        items.push(name, what);
    }
    items
}
