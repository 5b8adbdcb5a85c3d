//! One thread's part of the walk by descriptor: what lies in one folder, listed and read, or known and only looked at.

mod known;
mod listed;
mod rule_files;
mod wide;

use std::ffi::{CStr, CString, OsStr};
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::{FileKind, Stat};
use crate::rules::RuleStack;
use crate::scan::fast::{Found, Job, Large, Walk};
use crate::scan::folder::{Body, Folder, FolderId, Items, Kept, What};
use crate::scan::links::Realm;
use crate::scan::read::{Looked, TRIES, failed};
use crate::scan::row::Row;
use crate::scan::tree::Views;
use crate::scan::{gain, warning};
use crate::stat_cache::{Cache, Record};

/// A folder in the one that is walked.
struct Below {
    /// Its place below the root, with a NUL behind it.
    place: Vec<u8>,
    realm: Arc<Realm>,
    known: Option<Record>,
}

/// What one look at a folder gave.
pub(super) struct Outcome {
    /// The folder itself.
    row: Row,
    device: u64,
    pub is_settled: bool,
    /// What was found; none where it is all as the record has it.
    items: Option<Items>,
    record: Option<Record>,
    below: Vec<Below>,
    /// The rules in force in it.
    rules: RuleStack,
    rule_file: Option<(Row, Digest)>,
    rule_file_is_utf16: bool,
    is_environment: bool,
    large: Vec<Large>,
    found: Found,
}

impl Outcome {
    fn new(stat: &Stat, rules: RuleStack) -> Self {
        Self {
            row: Row::from(stat),
            device: stat.device,
            is_settled: false,
            items: None,
            record: None,
            below: Vec::new(),
            rules,
            rule_file: None,
            rule_file_is_utf16: false,
            is_environment: false,
            large: Vec::new(),
            found: Found::default(),
        }
    }

    /// Whether two looks found the same.
    pub fn is_same(&self, other: &Self) -> bool {
        let (Some(one), Some(two)) = (&self.items, &other.items) else { return false };
        let plain = |items: &Items, at: usize| match items.list[at].what {
            What::File { digest, row, .. } => (1, digest.0.to_vec(), row.is_executable()),
            What::Link(text) => (2, items.text(text).to_vec(), false),
            What::Folder { .. } => (3, Vec::new(), false),
            What::Itself => (4, Vec::new(), false),
            What::Special => (5, Vec::new(), false),
        };
        let count = one.list.len();
        count == two.list.len()
            && self.rule_file.map(|(_, digest)| digest) == other.rule_file.map(|(_, digest)| digest)
            && (0..count).all(|at| {
                one.text(one.list[at].name) == two.text(two.list[at].name) && plain(one, at) == plain(two, at)
            })
    }
}

/// A thread's buffers, and what it found.
pub(super) struct Worker<'a> {
    walk: &'a Walk<'a>,
    buffer: Vec<u8>,
    listing: Vec<u8>,
    pub found: Found,
}

impl<'a> Worker<'a> {
    pub fn new(walk: &'a Walk<'a>) -> Self {
        Self { walk, buffer: Vec::new(), listing: Vec::new(), found: Found::default() }
    }

    /// Looks at a folder.
    pub fn walk(&mut self, job: &Job, folder: &OwnedFd, known: Option<Record>) -> Result<Outcome> {
        let before = self.walk.fs.stat_open(folder.as_fd());
        let before = before.map_err(|error| failed(&job.source(), error))?;
        let outcome = match self.look(job, folder, &before, known)? {
            Some(outcome) => outcome,
            None => self.list(job, folder, &before, known)?,
        };
        if outcome.record.is_some() {
            // Every item is as its record has it, and so was the folder when it was asked: what comes now comes later.
            return Ok(Outcome { is_settled: true, ..outcome });
        }
        let after = self.walk.fs.stat_open(folder.as_fd());
        let after = after.map_err(|error| failed(&job.source(), error))?;
        Ok(Outcome { is_settled: before.is_same(&after), ..outcome })
    }

    /// Keeps what a look gave; gives the folders that are to be walked next.
    pub fn take(&mut self, job: &Job, folder: OwnedFd, outcome: Outcome) -> Vec<Job> {
        let ids: Vec<FolderId> = outcome.below.iter().map(|_| self.walk.new_id()).collect();
        let parent = if outcome.below.is_empty() { None } else { self.walk.parent(folder) };
        let kept = Kept {
            row: outcome.row,
            rules: job.rules.identity(),
            rule_file: outcome.rule_file,
            rule_file_is_utf16: outcome.rule_file_is_utf16,
            is_environment: outcome.is_environment,
        };
        let mut large = outcome.large;
        let body = match (outcome.items, outcome.record) {
            (Some(mut items), _) => {
                let mut next = ids.iter().copied();
                for item in &mut items.list {
                    if let What::Folder { id, .. } = &mut item.what {
                        *id = next.next().unwrap_or_default();
                    }
                }
                // Numbers were given in the order in which folders were found.
                items.sort();
                items.shrink();
                place_large(&mut large, job.id, &items);
                Body::Found(items)
            }
            (None, Some(record)) => Body::Known(record, ids.clone()),
            (None, None) => Body::Found(Items::default()),
        };
        let can_be_kept = outcome.is_settled && job.realm.place.is_empty() && outcome.device == self.walk.device;
        let extent = Views::of(&body, self.walk.cache).extent(job.place().len());
        let kept = can_be_kept.then_some(kept);
        self.found.folders.push((job.id, Folder { body, above: job.above, extent, kept }));
        self.found.large.append(&mut large);
        self.found.add(outcome.found);
        let jobs = outcome.below.into_iter().zip(ids).map(|(below, id)| Job {
            id,
            above: job.id,
            parent: if Arc::ptr_eq(&below.realm, &job.realm) { parent.clone() } else { None },
            realm: below.realm,
            place: below.place,
            rules: outcome.rules.clone(),
            known: below.known,
        });
        jobs.collect()
    }

    /// Keeps what reading a file of the folder gave; none where it cannot be read, which is noted.
    fn keep(
        &mut self,
        job: &Job,
        name: &CStr,
        read: std::io::Result<Looked>,
        outcome: &mut Outcome,
    ) -> Result<Option<What>> {
        let place = || place_below(job.place(), name.to_bytes());
        self.keep_read(read, name, &|| job.source(), &place, outcome)
    }

    /// Reads a file that stands at a place; it lies in a folder that `source` names.
    fn read_from(
        &mut self,
        folder: &OwnedFd,
        name: &CStr,
        source: &dyn Fn() -> PathBuf,
        place: &dyn Fn() -> Vec<u8>,
        outcome: &mut Outcome,
    ) -> Result<Option<What>> {
        let read = self.read_now(folder, name);
        self.keep_read(read, name, source, place, outcome)
    }

    /// Keeps what reading a file gave.
    fn keep_read(
        &mut self,
        read: std::io::Result<Looked>,
        name: &CStr,
        source: &dyn Fn() -> PathBuf,
        place: &dyn Fn() -> Vec<u8>,
        outcome: &mut Outcome,
    ) -> Result<Option<What>> {
        let (stat, digest) = match read {
            Ok(Looked::File(digest, stat)) => {
                outcome.found.files_read += 1;
                outcome.found.bytes_read += stat.size;
                if Row::from(&stat).is_older_than(self.walk.trusted_before) {
                    outcome.found.gain += gain(stat.size);
                }
                (stat, digest)
            }
            Ok(Looked::Large(stat)) => {
                let large =
                    Large { folder: 0, item: 0, source: source(), place: place(), name: name.to_owned(), tries: TRIES };
                outcome.large.push(large);
                (stat, Digest([0; 32]))
            }
            Ok(Looked::Other) => return Err(Error::Changed(source().join(os(name.to_bytes())))),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                outcome.found.unreadable.push((source().join(os(name.to_bytes())), error.kind().to_string()));
                return Ok(None);
            }
            Err(error) => return Err(failed(&source().join(os(name.to_bytes())), error)),
        };
        if !self.walk.options.rules.apply() {
            if stat.links > 1 {
                outcome.found.linked.push(without_nul(place()));
            }
            if stat.mode & 0o400 == 0 {
                outcome.found.closed.push(without_nul(place()));
            }
        }
        Ok(Some(What::File { row: Row::from(&stat), digest, own: stat.device == self.walk.device }))
    }

    /// Reads the one file that is the root.
    pub fn read_root_file(&mut self, path: &Path) -> Result<()> {
        let name = CString::new(path.file_name().unwrap_or_default().as_bytes()).unwrap_or_default();
        let source = || path.parent().unwrap_or(path).to_path_buf();
        let stat = self.walk.fs.stat_at(self.walk.root.as_fd(), &name).map_err(|error| failed(path, error))?;
        let mut outcome = Outcome::new(&stat, RuleStack::default());
        let mut items = Items::default();
        if let Some(what) = self.read_from(&self.walk.root, &name, &source, &|| vec![0], &mut outcome)? {
            let empty = items.keep(b"");
            items.push(empty, what);
        }
        let body = Body::Found(items);
        let extent = Views::of(&body, None).extent(0);
        self.found.folders.push((0, Folder { body, above: 0, extent, kept: None }));
        self.found.large = outcome.large;
        self.found.add(outcome.found);
        Ok(())
    }
}

/// Tells large files where among the items of their folder they are.
fn place_large(large: &mut [Large], folder: FolderId, items: &Items) {
    if large.is_empty() {
        return;
    }
    large.sort_unstable_by(|a, b| a.entry_name().cmp(b.entry_name()));
    for (at, item) in items.list.iter().enumerate().filter(|(_, item)| matches!(item.what, What::File { .. })) {
        if let Ok(found) = large.binary_search_by(|large| large.entry_name().cmp(items.text(item.name))) {
            (large[found].folder, large[found].item) = (folder, at);
        }
    }
}

fn is_row(stat: &Stat, row: &Row, cache: &Cache) -> bool {
    stat.kind == FileKind::File && stat.device == cache.device() && Row::from(stat) == *row
}

fn os(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

/// The place of a name in a folder, with a NUL behind it.
fn place_below(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut place = Vec::with_capacity(folder.len() + name.len() + 2);
    place.extend_from_slice(folder);
    if !folder.is_empty() {
        place.push(b'/');
    }
    place.extend_from_slice(name);
    place.push(0);
    place
}

fn with_nul(place: &[u8]) -> Vec<u8> {
    [place, b"\0"].concat()
}

fn without_nul(mut place: Vec<u8>) -> Vec<u8> {
    place.pop();
    place
}

fn told(job: &Job, name: &CStr, error: std::io::Error) -> Error {
    failed(&job.source().join(os(name.to_bytes())), error)
}

fn note_special(job: &Job, name: &[u8], what: &str, outcome: &mut Outcome) {
    outcome.found.warnings.push(warning(&job.source().join(os(name)), what));
    outcome.found.special.push(without_nul(place_below(job.place(), name)));
}
