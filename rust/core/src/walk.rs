//! Which entries a directory holds, without reading any file but the rule files: parallel, by the `ignore` crate's
//! walker with all of its own filters off.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::error::{Error, Result};
use crate::fs::{FileKind, Fs, Stat};
use crate::rules::{MAX_RULE_FILE_BYTES, RuleFile, RuleStack, is_never_content};
use crate::scan::Options;

/// A thing that was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Its path below the root; `/` between its parts.
    pub path: Vec<u8>,
    /// Where it lies.
    pub source: PathBuf,
    pub what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    File(Stat),
    Directory,
    /// A link, with the text that it has in the manifest.
    Link(Vec<u8>),
}

/// All that a walk found.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    pub found: Vec<Found>,
    pub warnings: Vec<String>,
    /// Links that lead out, which were read through: their places, relative.
    pub read_through: Vec<Vec<u8>>,
    /// What is neither file, folder nor link, relative: left out.
    pub special: Vec<Vec<u8>>,
    /// What cannot be read, and why not.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// A folder to walk: the root, or what a link that leads out points at.
struct Job {
    folder: PathBuf,
    /// Where it stands below the root; empty for the root.
    place: Vec<u8>,
    rules: RuleStack,
    /// Canonical folders that this one is walked within: a link back to one of them would never end.
    within: Vec<PathBuf>,
}

/// Walks a directory.
pub(crate) fn walk(fs: &dyn Fs, root: &Path, options: &Options) -> Result<Walked> {
    let canonical = fs.canonical(root).map_err(|e| Error::io("read", root, e))?;
    let rule_file = options.rules.then(|| rule_file_name(fs, root));
    let rules = if options.rules { RuleStack::with_builtins() } else { RuleStack::default() };
    let mut all = Walked::default();
    let mut jobs = vec![Job { folder: canonical.clone(), place: Vec::new(), rules, within: vec![canonical] }];
    while let Some(job) = jobs.pop() {
        let walker = Walker { fs, options, rule_file, job: &job, shared: Mutex::default() };
        let shared = walker.run();
        if let Some(fatal) = shared.fatal {
            return Err(fatal);
        }
        if options.is_cancelled() {
            return Err(Error::Cancelled);
        }
        all.found.extend(shared.walked.found);
        all.warnings.extend(shared.walked.warnings);
        all.read_through.extend(shared.walked.read_through);
        all.special.extend(shared.walked.special);
        all.unreadable.extend(shared.walked.unreadable);
        jobs.extend(shared.jobs);
    }
    all.warnings.sort();
    Ok(all)
}

/// `.amlignore` where the root has one, and then no `.gitignore` counts anywhere; else `.gitignore`.
fn rule_file_name(fs: &dyn Fs, root: &Path) -> &'static str {
    if fs.stat(&root.join(".amlignore")).is_ok() { ".amlignore" } else { ".gitignore" }
}

#[derive(Default)]
struct Shared {
    walked: Walked,
    jobs: Vec<Job>,
    fatal: Option<Error>,
    /// The rules in force in each folder that was entered.
    stacks: HashMap<PathBuf, RuleStack>,
}

struct Walker<'a> {
    fs: &'a dyn Fs,
    options: &'a Options<'a>,
    rule_file: Option<&'static str>,
    job: &'a Job,
    shared: Mutex<Shared>,
}

impl Walker<'_> {
    fn run(self) -> Shared {
        WalkBuilder::new(&self.job.folder)
            .standard_filters(false)
            .follow_links(false)
            .threads(self.options.threads())
            .build_parallel()
            .run(|| {
                Box::new(|result| match result {
                    _ if self.options.is_cancelled() => WalkState::Quit,
                    Ok(entry) => self.visit(&entry).unwrap_or_else(|error| self.end(error)),
                    Err(error) => self.missed(&error).map_or_else(|error| self.end(error), |()| WalkState::Continue),
                })
            });
        self.shared.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Shared) -> T) -> T {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn end(&self, error: Error) -> WalkState {
        self.with(|shared| shared.fatal.get_or_insert(error).is_vanished());
        WalkState::Quit
    }

    /// Takes note of what the walker could not list.
    fn missed(&self, error: &ignore::Error) -> Result<()> {
        let path = error_path(error).unwrap_or(&self.job.folder);
        match error.io_error() {
            Some(source) if source.kind() == ErrorKind::NotFound => {
                Err(Error::io("read", path, ErrorKind::NotFound.into()))
            }
            Some(source) => {
                self.note_unreadable(path, source);
                Ok(())
            }
            None => Err(Error::io("read", path, std::io::Error::other(error.to_string()))),
        }
    }

    fn note_unreadable(&self, path: &Path, why: &std::io::Error) {
        self.with(|shared| shared.walked.unreadable.push((path.to_path_buf(), why.kind().to_string())));
    }

    /// What a call told; what must not be read is noted and passed over.
    fn allowed<T>(&self, path: &Path, told: std::io::Result<T>) -> Result<Option<T>> {
        match told {
            Ok(told) => Ok(Some(told)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                self.note_unreadable(path, &error);
                Ok(None)
            }
            Err(error) => Err(Error::io("read", path, error)),
        }
    }

    fn visit(&self, entry: &DirEntry) -> Result<WalkState> {
        let source = entry.path();
        if entry.depth() == 0 {
            self.enter(source, &self.job.place, &self.job.rules)?;
            return Ok(WalkState::Continue);
        }
        let name = entry.file_name().as_bytes();
        let path = self.place_of(source);
        if self.options.rules && is_never_content(name) {
            return Ok(WalkState::Skip);
        }
        let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
        let rules = self.rules_of_parent(source);
        if rules.ignores(&path, is_dir) {
            return Ok(WalkState::Skip);
        }
        if is_dir {
            if self.options.rules && self.is_environment(source, &path, &rules) {
                return Ok(WalkState::Skip);
            }
            self.enter(source, &path, &rules)?;
            if !self.options.rules {
                self.add(path, source, What::Directory);
            }
            return Ok(WalkState::Continue);
        }
        self.visit_leaf(path, source, &rules)?;
        Ok(WalkState::Continue)
    }

    /// A folder that holds a virtual environment is left out, unless a rule brings it back.
    fn is_environment(&self, source: &Path, path: &[u8], rules: &RuleStack) -> bool {
        self.fs.stat(&source.join("pyvenv.cfg")).is_ok() && rules.verdict(path, true).is_none()
    }

    fn visit_leaf(&self, path: Vec<u8>, source: &Path, rules: &RuleStack) -> Result<()> {
        let Some(stat) = self.allowed(source, self.fs.stat(source))? else { return Ok(()) };
        match stat.kind {
            FileKind::File => self.add(path, source, What::File(stat)),
            FileKind::Link => self.visit_link(path, source, rules)?,
            FileKind::Directory => return Err(Error::Changed(source.to_path_buf())),
            FileKind::Special => self.with(|shared| {
                shared.walked.warnings.push(format!("{}: a socket, FIFO or device, left out", source.display()));
                shared.walked.special.push(path);
            }),
        }
        Ok(())
    }

    fn visit_link(&self, path: Vec<u8>, source: &Path, rules: &RuleStack) -> Result<()> {
        let text = self.fs.read_link(source).map_err(|e| Error::io("read", source, e))?;
        if self.options.links_as_they_are {
            self.add(path, source, What::Link(text.as_os_str().as_bytes().to_vec()));
            return Ok(());
        }
        let found = self.fs.canonical(source);
        if let Err(error) = &found
            && error.kind() == ErrorKind::PermissionDenied
        {
            self.note_unreadable(source, error);
            return Ok(());
        }
        let Ok(target) = found else {
            self.warn(source, "a link that leads nowhere, kept as a link");
            self.add(path, source, What::Link(text.as_os_str().as_bytes().to_vec()));
            return Ok(());
        };
        if self.job.within.iter().any(|folder| folder.starts_with(&target)) {
            self.warn(source, "a link to a folder that holds it, kept as a link");
            let text = if text.is_absolute() { relative_text(source, &target) } else { text };
            self.add(path, source, What::Link(text.as_os_str().as_bytes().to_vec()));
            return Ok(());
        }
        if target.starts_with(&self.job.folder) {
            let text = if self.stays_inside(source, &text) { text } else { relative_text(source, &target) };
            self.add(path, source, What::Link(text.as_os_str().as_bytes().to_vec()));
            return Ok(());
        }
        self.read_through(path, source, target, rules)
    }

    fn read_through(&self, path: Vec<u8>, source: &Path, target: PathBuf, rules: &RuleStack) -> Result<()> {
        let Some(stat) = self.allowed(source, self.fs.stat(&target))? else { return Ok(()) };
        match stat.kind {
            FileKind::Directory if rules.ignores(&path, true) => return Ok(()),
            FileKind::Directory => {
                let mut within = self.job.within.clone();
                within.push(target.clone());
                if !self.options.rules {
                    self.with(|shared| {
                        shared.walked.found.push(Found {
                            path: path.clone(),
                            source: target.clone(),
                            what: What::Directory,
                        });
                    });
                }
                self.with(|shared| {
                    shared.walked.read_through.push(path.clone());
                    shared.jobs.push(Job { folder: target, place: path, rules: rules.clone(), within });
                });
            }
            FileKind::File => self.with(|shared| {
                shared.walked.read_through.push(path.clone());
                shared.walked.found.push(Found { path, source: target, what: What::File(stat) });
            }),
            _ => self.with(|shared| {
                shared
                    .walked
                    .warnings
                    .push(format!("{}: leads to a socket, FIFO or device, left out", source.display()));
                shared.walked.special.push(path);
            }),
        }
        Ok(())
    }

    /// Whether a link's own text never leaves the folder that is walked, so that it means the same anywhere.
    fn stays_inside(&self, source: &Path, text: &Path) -> bool {
        if text.is_absolute() {
            return false;
        }
        let above = source.parent().and_then(|p| p.strip_prefix(&self.job.folder).ok());
        let mut depth = above.map_or(0, |p| p.components().count());
        for part in text.components() {
            match part {
                std::path::Component::ParentDir if depth == 0 => return false,
                std::path::Component::ParentDir => depth -= 1,
                std::path::Component::Normal(_) => depth += 1,
                _ => {}
            }
        }
        true
    }

    /// Remembers the rules in force in a folder, its own rule file on top.
    fn enter(&self, source: &Path, place: &[u8], above: &RuleStack) -> Result<()> {
        let mut rules = above.clone();
        if let Some(name) = self.rule_file
            && let Some(bytes) = self.read_rule_file(&source.join(name))?
        {
            rules = rules.push(place, Arc::new(RuleFile::parse(name.as_bytes(), &bytes)));
        }
        self.with(|shared| shared.stacks.insert(source.to_path_buf(), rules));
        Ok(())
    }

    /// The bytes of a rule file; none where there is no regular file of that name: git follows no link there.
    fn read_rule_file(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match self.fs.stat(path) {
            Ok(stat) if stat.kind == FileKind::File => {}
            _ => return Ok(None),
        }
        let wrong = |reason: String| Error::RuleFile { path: path.to_path_buf(), reason };
        let mut file = self.fs.open(path, false).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::io("read", path, e),
            kind => wrong(format!("cannot be read: {kind}")),
        })?;
        match file.stat() {
            Ok(stat) if stat.kind == FileKind::File => {}
            _ => return Ok(None),
        }
        let mut bytes = Vec::new();
        (&mut file)
            .take(MAX_RULE_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| wrong(format!("cannot be read: {}", e.kind())))?;
        if bytes.len() as u64 > MAX_RULE_FILE_BYTES {
            return Err(wrong("is over 1 MB: that is no ignore file".to_owned()));
        }
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            self.warn(path, "is in UTF-16, which git does not read either: its rules match nothing; save it as UTF-8");
        }
        Ok(Some(bytes))
    }

    fn rules_of_parent(&self, source: &Path) -> RuleStack {
        let parent = source.parent().unwrap_or(source);
        self.with(|shared| shared.stacks.get(parent).cloned().unwrap_or_default())
    }

    fn place_of(&self, source: &Path) -> Vec<u8> {
        let below = source.strip_prefix(&self.job.folder).unwrap_or(source).as_os_str().as_bytes();
        if self.job.place.is_empty() { below.to_vec() } else { [&self.job.place, below].join(&b'/') }
    }

    fn add(&self, path: Vec<u8>, source: &Path, what: What) {
        let found = Found { path, source: source.to_path_buf(), what };
        self.with(|shared| shared.walked.found.push(found));
    }

    fn warn(&self, source: &Path, what: &str) {
        self.with(|shared| shared.walked.warnings.push(format!("{}: {what}", source.display())));
    }
}

fn error_path(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => error_path(err),
        ignore::Error::Loop { child, .. } => Some(child),
        ignore::Error::Partial(errors) => errors.first().and_then(error_path),
        _ => None,
    }
}

/// The text of a link at `source` that leads to `target`, relative.
fn relative_text(source: &Path, target: &Path) -> PathBuf {
    let from = source.parent().unwrap_or(source);
    let shared = from.components().zip(target.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| OsStr::new(".."));
    let text: PathBuf = up.chain(target.components().skip(shared).map(std::path::Component::as_os_str)).collect();
    if text.as_os_str().is_empty() { PathBuf::from(".") } else { text }
}
