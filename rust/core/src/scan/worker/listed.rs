//! A folder that is listed: what the rules leave in of it is read, but for what is known.

use std::ffi::{CStr, CString};
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::fs::{FileKind, Stat};
use crate::rules::RuleStack;
use crate::scan::fast::{Job, kind_of};
use crate::scan::folder::{Items, What};
use crate::scan::links::{Fate, fate};
use crate::scan::read::failed;
use crate::scan::worker::wide::{BATCH, Candidate};
use crate::scan::worker::{Below, Outcome, Worker, note_special, os, place_below, told, with_nul, without_nul};
use crate::scan::{OUTSIDE_SPECIAL, Rules, SPECIAL, is_left_out, warning};
use crate::stat_cache::{Known, Record};

const ENVIRONMENT: &[u8] = b"pyvenv.cfg";

impl Worker<'_> {
    pub(super) fn list(
        &mut self,
        job: &Job,
        folder: &OwnedFd,
        before: &Stat,
        known: Option<Record>,
    ) -> Result<Outcome> {
        let mut names: Vec<(CString, Option<FileKind>)> = Vec::new();
        let mut listing = std::mem::take(&mut self.listing);
        let listed =
            self.walk.fs.list_open(folder.as_fd(), &mut listing, &mut |name, kind| names.push((name.to_owned(), kind)));
        self.listing = listing;
        let mut outcome = Outcome::new(before, job.rules.clone());
        if !self.walk.options.rules.apply() && before.mode & 0o700 != 0o700 {
            outcome.found.closed.push(job.place().to_vec());
        }
        match listed {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                outcome.found.unreadable.push((job.source(), error.kind().to_string()));
                outcome.items = Some(Items::default());
                return Ok(outcome);
            }
            Err(error) => return Err(failed(&job.source(), error)),
        }
        job.rules.fill(|place, digest| self.rule_file_at(place, digest))?;
        if self.walk.options.rules == Rules::Git && !job.place().is_empty() {
            let holds_one = names.iter().any(|(name, _)| name.to_bytes() == ENVIRONMENT);
            if holds_one && job.rules.verdict(job.place(), true).is_none() {
                outcome.is_environment = true;
                if self.walk.options.names_left_out {
                    outcome.found.left_out.push([job.place(), b"/"].concat());
                }
                return Ok(outcome);
            }
        }
        self.read_rule_file(job, folder, &names, &mut outcome)?;
        let rows = self.walk.cache.zip(known).map(|(cache, record)| cache.by_name(record)).unwrap_or_default();
        let mut items = Items::default();
        let mut files: Vec<Candidate> = Vec::new();
        let mut place = place_below(job.place(), b"");
        let start = place.len() - 1;
        for (name, kind) in &names {
            self.walk.options.check_cancelled()?;
            place.truncate(start);
            place.extend_from_slice(name.to_bytes());
            let kind = match kind_of(self.walk.fs, folder, name, *kind) {
                Ok(kind) => kind,
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    outcome.found.unreadable.push((job.source().join(os(name.to_bytes())), error.kind().to_string()));
                    continue;
                }
                Err(error) => return Err(told(job, name, error)),
            };
            if self.is_left_out(&place, kind == FileKind::Directory, &outcome.rules) {
                if self.walk.options.names_left_out {
                    let end: &[u8] = if kind == FileKind::Directory { b"/" } else { b"" };
                    outcome.found.left_out.push([&place, end].concat());
                }
                continue;
            }
            match kind {
                FileKind::File => {
                    let known = match rows.get(name.to_bytes()) {
                        Some(Known::File { row, digest, .. }) => Some((*row, *digest)),
                        _ => None,
                    };
                    files.push(Candidate { name, known });
                    if files.len() == BATCH {
                        self.push_files(job, folder, &files, &mut items, &mut outcome)?;
                        files.clear();
                    }
                }
                FileKind::Directory => {
                    self.push_folder(&mut items, name.to_bytes(), true);
                    let known = match rows.get(name.to_bytes()) {
                        Some(Known::Folder(record)) => Some(*record).filter(|record| !record.is_none()),
                        _ => None,
                    };
                    let realm = Arc::clone(&job.realm);
                    outcome.below.push(Below { place: with_nul(&place), realm, known });
                }
                FileKind::Link => self.push_link(job, folder, name, &mut items, &mut outcome)?,
                FileKind::Special => {
                    note_special(job, name.to_bytes(), SPECIAL, &mut outcome);
                    let text = items.keep(name.to_bytes());
                    items.push(text, What::Special);
                }
            }
        }
        self.push_files(job, folder, &files, &mut items, &mut outcome)?;
        self.check_rule_file(job, &items, &outcome)?;
        outcome.items = Some(items);
        Ok(outcome)
    }

    /// Whether rules leave an entry out; `rules` are those in force in its folder.
    fn is_left_out(&self, place: &[u8], is_dir: bool, rules: &RuleStack) -> bool {
        is_left_out(self.walk.options.rules, self.walk.sdk_rules, rules, place, is_dir)
    }

    /// Files of the folder that are content: those that are not known are read.
    fn push_files(
        &mut self,
        job: &Job,
        folder: &OwnedFd,
        files: &[Candidate],
        items: &mut Items,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let mut reads = self.look_at(folder, files)?.into_iter().peekable();
        for (at, file) in files.iter().enumerate() {
            let what = match (reads.next_if(|(place, _)| *place == at), file.known) {
                (Some((_, read)), _) => self.keep(job, file.name, read, outcome)?,
                (None, Some((row, digest))) => {
                    outcome.found.files_known += 1;
                    Some(What::File { row, digest, own: true })
                }
                // What nothing is known of was read: where it was not, it must not be lost.
                (None, None) => return Err(Error::Changed(job.source().join(os(file.name.to_bytes())))),
            };
            if let Some(what) = what {
                let text = items.keep(file.name.to_bytes());
                items.push(text, what);
            }
        }
        Ok(())
    }

    fn push_folder(&self, items: &mut Items, name: &[u8], own: bool) {
        let text = items.keep(name);
        if !self.walk.options.rules.apply() {
            items.push(text, What::Itself);
        }
        items.push(text, What::Folder { id: 0, own });
    }

    pub(super) fn fate_of(&self, job: &Job, folder: &OwnedFd, name: &CStr) -> Result<(Fate, PathBuf)> {
        let source = job.source().join(os(name.to_bytes()));
        let text = self.walk.fs.read_link_at(folder.as_fd(), name);
        let text = text.map_err(|error| match error.kind() {
            // No link any more.
            ErrorKind::InvalidInput => Error::Changed(source.clone()),
            _ => failed(&source, error),
        })?;
        let fate = fate(self.walk.fs, &job.realm, &source, text, self.walk.options.links_as_they_are)?;
        Ok((fate, source))
    }

    fn push_link(
        &mut self,
        job: &Job,
        folder: &OwnedFd,
        name: &CStr,
        items: &mut Items,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let (fate, source) = self.fate_of(job, folder, name)?;
        let place = place_below(job.place(), name.to_bytes());
        match fate {
            Fate::Link(text, said) => {
                outcome.found.warnings.extend(said.map(|said| warning(&source, said)));
                let (name, text) = (items.keep(name.to_bytes()), items.keep(&text));
                items.push(name, What::Link(text));
            }
            Fate::Through(target, stat) if stat.kind == FileKind::Directory => {
                if self.is_left_out(&place[..place.len() - 1], true, &outcome.rules) {
                    return Ok(());
                }
                self.push_folder(items, name.to_bytes(), false);
                outcome.found.read_through.push((without_nul(place.clone()), target.clone()));
                let realm = Arc::new(job.realm.through(target, without_nul(place.clone())));
                outcome.below.push(Below { place, realm, known: None });
            }
            Fate::Through(target, _) => {
                outcome.found.read_through.push((without_nul(place), target.clone()));
                self.push_outside_file(job, &target, name, items, outcome)?;
            }
            Fate::Special => {
                note_special(job, name.to_bytes(), OUTSIDE_SPECIAL, outcome);
                let name = items.keep(name.to_bytes());
                items.push(name, What::Special);
            }
            Fate::Unreadable(error) => outcome.found.unreadable.push((source, error.kind().to_string())),
        }
        Ok(())
    }

    fn push_outside_file(
        &mut self,
        job: &Job,
        target: &Path,
        name: &CStr,
        items: &mut Items,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let above = target.parent().unwrap_or(target);
        let folder = self.walk.fs.open_folder(above).map_err(|error| failed(above, error))?;
        let theirs = CString::new(target.file_name().unwrap_or_default().as_bytes()).unwrap_or_default();
        let place = || place_below(job.place(), name.to_bytes());
        let read = self.read_from(&folder, &theirs, &|| above.to_path_buf(), &place, outcome)?;
        if let Some(What::File { row, digest, .. }) = read {
            let name = items.keep(name.to_bytes());
            items.push(name, What::File { row, digest, own: false });
        }
        Ok(())
    }
}
