//! Why a path is content, or is not: which rule of which file, at which line, decided.

use std::ffi::{CStr, OsStr};
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::fs::{FileKind, Fs};
use crate::rules::{MAX_RULE_FILE_BYTES, RuleFile, RuleStack, is_never_content};
use crate::scan::read::{failed, open_below, read_whole};
use crate::scan::rule_file_name;

/// Why a path is content or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whether the rules leave it in; what is no file or link is no content all the same.
    pub is_kept: bool,
    /// The path that was decided about: the one that was asked for, or a folder above it that is left out.
    pub decided: Vec<u8>,
    /// What decided.
    pub reason: Reason,
}

/// What decided about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// No rule speaks of it.
    NoRule,
    /// A rule.
    Rule {
        /// Its file, relative to the root; `(built-in)` for the rules that hold everywhere.
        file: Vec<u8>,
        /// Its line in the file, from 1.
        line: usize,
        /// It, as it is written there.
        rule: Vec<u8>,
    },
    /// Its name is never content.
    Never,
    /// It is a virtual environment.
    Environment,
}

/// Tells why a path below a source directory is content or is not, as `git check-ignore -v` does.
///
/// # Errors
/// The directory or one of its rule files cannot be read; the path is absolute, or has a `..` in it.
pub fn explain(fs: &dyn Fs, root: &Path, path: &[u8]) -> Result<Explanation> {
    if path.starts_with(b"/") || path.split(|&byte| byte == b'/').any(|part| part == b"..") {
        let reason = std::io::Error::new(ErrorKind::InvalidInput, "only a path below the directory can be asked about");
        return Err(Error::io("explain", Path::new(OsStr::from_bytes(path)), reason));
    }
    let canonical = fs.canonical(root).map_err(|error| Error::io("read", root, error))?;
    let open = fs.open_folder(&canonical).map_err(|error| Error::io("read", root, error))?;
    let rule_file = rule_file_name(fs, &open);
    let mut rules = RuleStack::with_builtins();
    let parts: Vec<&[u8]> = path.split(|&byte| byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
    let mut place: Vec<u8> = Vec::new();
    let mut last = Reason::NoRule;
    for (at, part) in parts.iter().enumerate() {
        let folder = match open_below(fs, open.as_fd(), &place) {
            Ok(folder) => Some(folder),
            // What is not there can be asked about.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
            Err(error) => return Err(Error::io("read", &canonical.join(OsStr::from_bytes(&place)), error)),
        };
        if let Some(folder) = &folder {
            let path = canonical.join(OsStr::from_bytes(&place));
            rules = with_file_of(fs, folder, rule_file, &path, &place, &rules)?;
        }
        if !place.is_empty() {
            place.push(b'/');
        }
        place.extend_from_slice(part);
        let is_dir = at + 1 < parts.len() || is_folder(fs, folder.as_ref(), part) || path.ends_with(b"/");
        let left_out = |reason| Ok(Explanation { is_kept: false, decided: place.clone(), reason });
        if is_never_content(part) {
            return left_out(Reason::Never);
        }
        last = rules.verdict(&place, is_dir).map_or(Reason::NoRule, |found| Reason::Rule {
            file: if found.folder.is_empty() {
                found.file.name().to_vec()
            } else {
                [found.folder, found.file.name()].join(&b'/')
            },
            line: found.rule.line,
            rule: found.rule.text.clone(),
        });
        if rules.ignores(&place, is_dir) {
            return left_out(last);
        }
        if is_dir && last == Reason::NoRule && holds_environment(fs, open.as_fd(), &place) {
            return left_out(Reason::Environment);
        }
    }
    Ok(Explanation { is_kept: true, decided: place, reason: last })
}

fn is_folder(fs: &dyn Fs, folder: Option<&OwnedFd>, name: &[u8]) -> bool {
    let Ok(name) = std::ffi::CString::new(name) else { return false };
    folder.is_some_and(|folder| fs.stat_at(folder.as_fd(), &name).is_ok_and(|stat| stat.kind == FileKind::Directory))
}

fn holds_environment(fs: &dyn Fs, root: std::os::fd::BorrowedFd, place: &[u8]) -> bool {
    open_below(fs, root, place).is_ok_and(|folder| fs.stat_at(folder.as_fd(), c"pyvenv.cfg").is_ok())
}

fn with_file_of(
    fs: &dyn Fs,
    folder: &OwnedFd,
    name: &CStr,
    path: &Path,
    place: &[u8],
    rules: &RuleStack,
) -> Result<RuleStack> {
    match fs.stat_at(folder.as_fd(), name) {
        Ok(stat) if stat.kind == FileKind::File => {}
        _ => return Ok(rules.clone()),
    }
    let path = path.join(OsStr::from_bytes(name.to_bytes()));
    let read = read_whole(fs, folder.as_fd(), name, MAX_RULE_FILE_BYTES).map_err(|error| failed(&path, error))?;
    Ok(match read {
        Some((bytes, _)) => rules.push(place, Arc::new(RuleFile::parse(name.to_bytes(), &bytes))),
        None => rules.clone(),
    })
}
