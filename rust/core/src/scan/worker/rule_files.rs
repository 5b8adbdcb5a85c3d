//! The rule files of folders that are listed.

use std::ffi::{CStr, CString};
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::{FileKind, Stat};
use crate::rules::{MAX_RULE_FILE_BYTES, RuleFile};
use crate::scan::fast::{Job, Walk};
use crate::scan::folder::{Items, What};
use crate::scan::read::{failed, open_below, read_whole};
use crate::scan::row::Row;
use crate::scan::worker::{Outcome, Worker, os};
use crate::scan::{UTF16, warning};

impl Worker<'_> {
    pub(super) fn read_rule_file(
        &self,
        job: &Job,
        folder: &OwnedFd,
        names: &[(CString, Option<FileKind>)],
        outcome: &mut Outcome,
    ) -> Result<()> {
        let Some(name) = self.walk.rule_file else { return Ok(()) };
        let is_it = |(found, kind): &&(CString, Option<FileKind>)| {
            found.as_c_str() == name && matches!(kind, None | Some(FileKind::File))
        };
        if !names.iter().any(|found| is_it(&found)) {
            return Ok(());
        }
        let path = job.source().join(os(name.to_bytes()));
        let Some((bytes, stat)) = rule_file_bytes(self.walk, folder, name, &path)? else { return Ok(()) };
        if is_utf16(&bytes) {
            outcome.rule_file_is_utf16 = true;
            outcome.found.warnings.push(warning(&path, UTF16));
        }
        let file = RuleFile::parse(name.to_bytes(), &bytes);
        outcome.rule_file = Some((Row::from(&stat), file.digest()));
        outcome.rules = job.rules.push(job.place(), Arc::new(file));
        Ok(())
    }

    /// The bytes that were read as rules and those that are content must be the same.
    pub(super) fn check_rule_file(&self, job: &Job, items: &Items, outcome: &Outcome) -> Result<()> {
        let (Some((_, rules)), Some(name)) = (outcome.rule_file, self.walk.rule_file) else { return Ok(()) };
        let is_other = items.list.iter().any(|item| match item.what {
            What::File { digest, .. } => items.text(item.name) == name.to_bytes() && digest != rules,
            _ => false,
        });
        if is_other { Err(Error::Changed(job.source().join(os(name.to_bytes())))) } else { Ok(()) }
    }

    /// A rule file of the main realm that was known by its digest until now.
    pub(super) fn rule_file_at(&self, place: &[u8], digest: Digest) -> Result<RuleFile> {
        let name = self.walk.rule_file.unwrap_or_default();
        let path = self.walk.realm.source(place).join(os(name.to_bytes()));
        let folder = open_below(self.walk.fs, self.walk.root.as_fd(), place).map_err(|e| failed(&path, e))?;
        let read = rule_file_bytes(self.walk, &folder, name, &path)?;
        let file = read.map(|(bytes, _)| RuleFile::parse(name.to_bytes(), &bytes));
        file.filter(|file| file.digest() == digest).ok_or(Error::Changed(path))
    }
}

fn rule_file_bytes(walk: &Walk, folder: &OwnedFd, name: &CStr, path: &Path) -> Result<Option<(Vec<u8>, Stat)>> {
    let wrong = |reason: String| Error::RuleFile { path: path.to_path_buf(), reason };
    read_whole(walk.fs, folder.as_fd(), name, MAX_RULE_FILE_BYTES).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ResourceBusy => failed(path, error),
        ErrorKind::FileTooLarge => wrong("is over 1 MB: that is no ignore file".to_owned()),
        kind => wrong(format!("cannot be read: {kind}")),
    })
}

fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")
}
