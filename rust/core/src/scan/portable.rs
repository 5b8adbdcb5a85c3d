//! The walk by paths: by the `ignore` crate's walker, with all of its own filters off. It serves systems without directory
//! descriptors, and is held against the other walk in tests.

use std::collections::HashMap;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::{FileKind, Fs, Stat};
use crate::manifest::{Entry, Manifest};
use crate::rules::{MAX_RULE_FILE_BYTES, RuleFile, RuleStack, SdkRules};
use crate::scan::links::{Fate, Realm, fate};
use crate::scan::read::TRIES;
use crate::scan::row::Row;
use crate::scan::survey::survey;
use crate::scan::{
    Cost, OUTSIDE_SPECIAL, Options, Rules, SPECIAL, Scan, Sources, UTF16, is_left_out, unreadable, warning,
};
use crate::threads::{lock, on_threads};

/// Large enough that the calls do not show beside the hashing, small enough for every core's cache.
const CHUNK: usize = 128 * 1024;

/// A thing that was found.
struct Found {
    /// Its path below the root; `/` between its parts.
    path: Vec<u8>,
    /// Where it lies.
    source: PathBuf,
    what: What,
}

enum What {
    File(Stat),
    Directory,
    /// A link, with the text that it has in the manifest.
    Link(Vec<u8>),
}

/// All that a walk found.
#[derive(Default)]
struct Walked {
    found: Vec<Found>,
    warnings: Vec<String>,
    read_through: Vec<(Vec<u8>, PathBuf)>,
    special: Vec<Vec<u8>>,
    closed: Vec<Vec<u8>>,
    unreadable: Vec<(PathBuf, String)>,
}

pub(super) fn scan(fs: &dyn Fs, root: &Path, canonical: PathBuf, is_file: bool, options: &Options) -> Result<Scan> {
    let mut walked = if is_file {
        let stat = fs.stat(&canonical).map_err(|e| Error::io("read", root, e))?;
        let found = vec![Found { path: Vec::new(), source: canonical.clone(), what: What::File(stat) }];
        Walked { found, ..Walked::default() }
    } else {
        walk(fs, &canonical, options)?
    };
    if !walked.unreadable.is_empty() {
        return Err(all_unreadable(fs, root, walked));
    }
    tell_if_large(&walked.found, options);
    walked.found.sort_by(|a, b| a.path.cmp(&b.path));
    let (digests, bytes_read) = read_all(fs, root, &walked.found, options)?;
    let mut rows = Vec::new();
    let mut entries = Vec::new();
    for (item, read) in walked.found.iter().zip(&digests) {
        entries.push(match (&item.what, read) {
            (What::Link(text), _) => Entry::link(&item.path, text),
            (What::File(_), Some((digest, stat))) => Entry::file(&item.path, stat.is_executable(), stat.size, *digest),
            _ => Entry::directory(&item.path),
        });
        rows.push(read.as_ref().map(|(_, stat)| Row::from(stat)));
    }
    let linked = |(item, read): (&Found, &Option<(Digest, Stat)>)| {
        read.as_ref().is_some_and(|(_, stat)| stat.links > 1).then(|| item.path.clone())
    };
    let linked = walked.found.iter().zip(&digests).filter_map(linked).collect();
    let files_read = digests.iter().flatten().count() as u64;
    Ok(Scan {
        manifest: Manifest::new(entries)?,
        warnings: walked.warnings,
        left_out: Vec::new(),
        cost: Cost { files_read, bytes_read, files_known: 0 },
        sources: Sources {
            root: canonical,
            read_through: walked.read_through,
            special: walked.special,
            linked,
            closed: walked.closed,
            rows,
        },
    })
}

fn tell_if_large(found: &[Found], options: &Options) {
    let Some((most_files, most_bytes, tell)) = options.on_survey else { return };
    let files: Vec<(Vec<u8>, u64)> = found
        .iter()
        .filter_map(|item| match &item.what {
            What::File(stat) => Some((item.path.clone(), stat.size)),
            _ => None,
        })
        .collect();
    if files.len() as u64 > most_files || files.iter().map(|(_, size)| size).sum::<u64>() > most_bytes {
        tell(&survey(&files));
    }
}

/// The error that lists what cannot be read: what the walk could not enter, and the files that cannot be opened.
fn all_unreadable(fs: &dyn Fs, root: &Path, walked: Walked) -> Error {
    let mut all = walked.unreadable;
    all.extend(walked.found.into_iter().filter(|item| matches!(item.what, What::File(_))).filter_map(|item| {
        let error = fs.open(&item.source, false).err()?;
        (error.kind() == ErrorKind::PermissionDenied).then(|| (item.source, error.kind().to_string()))
    }));
    unreadable(root, all)
}

type Digested = Vec<Option<(Digest, Stat)>>;

/// Reads the files on all threads; each takes the next that is left.
fn read_all(fs: &dyn Fs, root: &Path, found: &[Found], options: &Options) -> Result<(Digested, u64)> {
    let next = AtomicUsize::new(0);
    let read: Mutex<(Digested, u64)> = Mutex::new((vec![None; found.len()], 0));
    let refused: Mutex<Vec<(PathBuf, String)>> = Mutex::default();
    let work = || {
        let mut buffer = vec![0; CHUNK];
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = found.get(at) else { return Ok(()) };
            let What::File(seen) = &item.what else { continue };
            options.check_cancelled()?;
            match digest_file(fs, &item.source, seen, &mut buffer, options) {
                Ok((digest, stat)) => {
                    let mut read = lock(&read);
                    read.1 += stat.size;
                    read.0[at] = Some((digest, stat));
                }
                Err(Error::Io { path, source, .. }) if source.kind() == ErrorKind::PermissionDenied => {
                    lock(&refused).push((path, source.kind().to_string()));
                }
                Err(error) => return Err(error),
            }
        }
    };
    let threads = options.threads().min(found.len().div_ceil(16)).max(1);
    on_threads(threads, work, || next.store(found.len(), Ordering::Relaxed))?;
    let refused = std::mem::take(&mut *lock(&refused));
    if refused.is_empty() { Ok(std::mem::take(&mut *lock(&read))) } else { Err(unreadable(root, refused)) }
}

/// Digests a file whose bytes stay what they are meanwhile; reads it again where they do not.
fn digest_file(fs: &dyn Fs, path: &Path, seen: &Stat, buffer: &mut [u8], options: &Options) -> Result<(Digest, Stat)> {
    for _ in 0..TRIES {
        let mut file = fs.open(path, false).map_err(|e| Error::io("read", path, e))?;
        let before = file.stat().map_err(|e| Error::io("read", path, e))?;
        if before.kind != seen.kind {
            return Err(Error::Changed(path.to_path_buf()));
        }
        let mut hasher = blake3::Hasher::new();
        let mut total = 0;
        loop {
            let count = match file.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other.map_err(|e| Error::io("read", path, e))?,
            };
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            total += count as u64;
            if let Some(progress) = options.progress {
                progress.bytes.fetch_add(count as u64, Ordering::Relaxed);
            }
            if options.is_cancelled() {
                return Err(Error::Cancelled);
            }
        }
        let after = file.stat().map_err(|e| Error::io("read", path, e))?;
        if before.is_same(&after) && total == after.size {
            return Ok((Digest(*hasher.finalize().as_bytes()), after));
        }
    }
    Err(Error::Changed(path.to_path_buf()))
}

/// Walks a directory.
fn walk(fs: &dyn Fs, canonical: &Path, options: &Options) -> Result<Walked> {
    let has_other = || fs.stat(&canonical.join(".amlignore")).is_ok();
    let rule_file = options.rules.apply().then(|| if has_other() { ".amlignore" } else { ".gitignore" });
    let sdk_rules = match rule_file.filter(|_| options.rules == Rules::AzureMl) {
        Some(name) => Some(SdkRules::parse(&rule_file_bytes(fs, &canonical.join(name))?.unwrap_or_default())),
        None => None,
    };
    let (rule_file, sdk_rules) = (rule_file.filter(|_| sdk_rules.is_none()), sdk_rules.as_ref());
    let rules = if options.rules == Rules::Git { RuleStack::with_builtins() } else { RuleStack::default() };
    let mut all = Walked::default();
    let mut jobs = vec![(Realm::new(canonical.to_path_buf()), rules)];
    while let Some((realm, rules)) = jobs.pop() {
        let shared = Mutex::default();
        let walker = Walker { fs, options, rule_file, sdk_rules, realm: &realm, rules: &rules, shared };
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
        all.closed.extend(shared.walked.closed);
        all.unreadable.extend(shared.walked.unreadable);
        jobs.extend(shared.jobs);
    }
    all.warnings.sort();
    Ok(all)
}

#[derive(Default)]
struct Shared {
    walked: Walked,
    jobs: Vec<(Realm, RuleStack)>,
    fatal: Option<Error>,
    /// The rules in force in each folder that was entered.
    stacks: HashMap<PathBuf, RuleStack>,
}

struct Walker<'a> {
    fs: &'a dyn Fs,
    options: &'a Options<'a>,
    rule_file: Option<&'static str>,
    /// The SDK's rules, where those apply instead.
    sdk_rules: Option<&'a SdkRules>,
    realm: &'a Realm,
    /// The rules in force above the realm.
    rules: &'a RuleStack,
    shared: Mutex<Shared>,
}

impl Walker<'_> {
    fn run(self) -> Shared {
        WalkBuilder::new(&self.realm.folder)
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
        std::mem::take(&mut *lock(&self.shared))
    }

    fn with<T>(&self, change: impl FnOnce(&mut Shared) -> T) -> T {
        change(&mut lock(&self.shared))
    }

    fn end(&self, error: Error) -> WalkState {
        self.with(|shared| shared.fatal.get_or_insert(error).is_vanished());
        WalkState::Quit
    }

    /// Takes note of what the walker could not list.
    fn missed(&self, error: &ignore::Error) -> Result<()> {
        let path = error_path(error).unwrap_or(&self.realm.folder);
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

    fn visit(&self, entry: &DirEntry) -> Result<WalkState> {
        let source = entry.path();
        let path = self.place_of(source);
        let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
        if entry.depth() == 0 {
            let is_left_out = !path.is_empty() && self.is_environment(source, &path, self.rules);
            return if is_left_out { Ok(WalkState::Skip) } else { self.enter(source, &path, self.rules) };
        }
        let rules = self.rules_of_parent(source);
        if self.is_left_out(&path, is_dir, &rules) {
            return Ok(WalkState::Skip);
        }
        if !is_dir {
            self.visit_leaf(path, source, &rules)?;
            return Ok(WalkState::Continue);
        }
        if self.is_environment(source, &path, &rules) {
            return Ok(WalkState::Skip);
        }
        if !self.options.rules.apply() {
            self.add(path.clone(), source, What::Directory);
        }
        self.enter(source, &path, &rules)
    }

    fn is_left_out(&self, path: &[u8], is_dir: bool, rules: &RuleStack) -> bool {
        is_left_out(self.options.rules, self.sdk_rules, rules, path, is_dir)
    }

    /// A folder that holds a virtual environment is left out, unless a rule brings it back.
    fn is_environment(&self, source: &Path, path: &[u8], rules: &RuleStack) -> bool {
        self.options.rules == Rules::Git
            && self.fs.stat(&source.join("pyvenv.cfg")).is_ok()
            && rules.verdict(path, true).is_none()
    }

    fn visit_leaf(&self, path: Vec<u8>, source: &Path, rules: &RuleStack) -> Result<()> {
        let stat = match self.fs.stat(source) {
            Ok(stat) => stat,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                self.note_unreadable(source, &error);
                return Ok(());
            }
            Err(error) => return Err(Error::io("read", source, error)),
        };
        match stat.kind {
            FileKind::File => {
                if !self.options.rules.apply() && stat.mode & 0o400 == 0 {
                    self.with(|shared| shared.walked.closed.push(path.clone()));
                }
                self.add(path, source, What::File(stat));
            }
            FileKind::Link => self.visit_link(path, source, rules)?,
            FileKind::Directory => return Err(Error::Changed(source.to_path_buf())),
            FileKind::Special => self.add_special(path, source, SPECIAL),
        }
        Ok(())
    }

    fn visit_link(&self, path: Vec<u8>, source: &Path, rules: &RuleStack) -> Result<()> {
        let text = self.fs.read_link(source).map_err(|e| Error::io("read", source, e))?;
        match fate(self.fs, self.realm, source, text, self.options.links_as_they_are)? {
            Fate::Link(text, said) => {
                self.with(|shared| shared.walked.warnings.extend(said.map(|said| warning(source, said))));
                self.add(path, source, What::Link(text));
            }
            Fate::Through(_, stat) if stat.kind == FileKind::Directory && self.is_left_out(&path, true, rules) => {}
            Fate::Through(target, stat) if stat.kind == FileKind::Directory => {
                if !self.options.rules.apply() {
                    self.add(path.clone(), &target, What::Directory);
                }
                self.with(|shared| {
                    shared.walked.read_through.push((path.clone(), target.clone()));
                    shared.jobs.push((self.realm.through(target, path), rules.clone()));
                });
            }
            Fate::Through(target, stat) => {
                self.with(|shared| shared.walked.read_through.push((path.clone(), target.clone())));
                self.add(path, &target, What::File(stat));
            }
            Fate::Special => self.add_special(path, source, OUTSIDE_SPECIAL),
            Fate::Unreadable(error) => self.note_unreadable(source, &error),
        }
        Ok(())
    }

    /// Remembers the rules in force in a folder, its own rule file on top.
    fn enter(&self, source: &Path, place: &[u8], above: &RuleStack) -> Result<WalkState> {
        if !self.options.rules.apply() && self.fs.stat(source).is_ok_and(|stat| stat.mode & 0o700 != 0o700) {
            self.with(|shared| shared.walked.closed.push(place.to_vec()));
        }
        let mut rules = above.clone();
        if let Some(name) = self.rule_file
            && let path = source.join(name)
            && let Some(bytes) = rule_file_bytes(self.fs, &path)?
        {
            if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
                self.with(|shared| shared.walked.warnings.push(warning(&path, UTF16)));
            }
            rules = rules.push(place, Arc::new(RuleFile::parse(name.as_bytes(), &bytes)));
        }
        self.with(|shared| shared.stacks.insert(source.to_path_buf(), rules));
        Ok(WalkState::Continue)
    }

    fn rules_of_parent(&self, source: &Path) -> RuleStack {
        let parent = source.parent().unwrap_or(source);
        self.with(|shared| shared.stacks.get(parent).cloned().unwrap_or_default())
    }

    fn place_of(&self, source: &Path) -> Vec<u8> {
        let below = source.strip_prefix(&self.realm.folder).unwrap_or(source).as_os_str().as_bytes();
        match (self.realm.place.as_slice(), below) {
            (b"", below) => below.to_vec(),
            (place, b"") => place.to_vec(),
            (place, below) => [place, below].join(&b'/'),
        }
    }

    fn add(&self, path: Vec<u8>, source: &Path, what: What) {
        let found = Found { path, source: source.to_path_buf(), what };
        self.with(|shared| shared.walked.found.push(found));
    }

    fn add_special(&self, path: Vec<u8>, source: &Path, what: &str) {
        self.with(|shared| {
            shared.walked.warnings.push(warning(source, what));
            shared.walked.special.push(path);
        });
    }
}

/// The bytes of a rule file; none where there is no regular file of that name: git follows no link there.
fn rule_file_bytes(fs: &dyn Fs, path: &Path) -> Result<Option<Vec<u8>>> {
    match fs.stat(path) {
        Ok(stat) if stat.kind == FileKind::File => {}
        _ => return Ok(None),
    }
    let wrong = |reason: String| Error::RuleFile { path: path.to_path_buf(), reason };
    let mut file = fs.open(path, false).map_err(|e| match e.kind() {
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
    Ok(Some(bytes))
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
