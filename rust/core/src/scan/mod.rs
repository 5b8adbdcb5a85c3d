//! Reads a directory into a manifest: the one way in.

mod assemble;
mod explain;
mod fast;
pub(crate) mod folder;
mod large;
mod large_files;
pub(crate) mod links;
mod portable;
mod read;
pub(crate) mod row;
mod survey;
pub(crate) mod tree;
mod worker;

use std::ffi::{CStr, OsStr};
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::{FileKind, Fs};
use crate::manifest::Manifest;
use crate::rules::{MAX_RULE_FILE_BYTES, RuleStack, SdkRules, is_never_content};
use crate::scan::assemble::manifest_of;
use crate::scan::fast::Walk;
use crate::scan::links::Realm;
pub(crate) use crate::scan::read::read_exact;
use crate::scan::read::{TRIES, read_whole};
use crate::scan::row::Row;
use crate::scan::tree::{Tree, View};
use crate::stat_cache::{CacheOptions, Session};

pub use explain::{Explanation, Reason, explain};
pub use survey::Survey;

const SPECIAL: &str = "a socket, FIFO or device, left out";
const OUTSIDE_SPECIAL: &str = "leads to a socket, FIFO or device, left out";
const UTF16: &str = "is in UTF-16, which git does not read either: its rules match nothing; save it as UTF-8";

/// Called with a survey.
pub type OnSurvey<'a> = dyn Fn(&Survey) + Sync + 'a;

/// Called again and again by all threads.
pub type OnCheck<'a> = dyn Fn() + Sync + 'a;

/// Which rules say what of a directory is content.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// None: it is read whole, empty folders too, as outputs and data are.
    #[default]
    None,
    /// Those of its ignore files, as git reads them.
    Git,
    /// Those of its root's ignore file, as the Azure ML SDK reads it; nothing else.
    AzureMl,
}

impl Rules {
    /// Whether rules apply.
    pub fn apply(self) -> bool {
        self != Self::None
    }
}

/// How to read a directory.
#[derive(Default, Clone, Copy)]
pub struct Options<'a> {
    /// What is content: of code what the rules leave in, of outputs and data everything.
    pub rules: Rules,
    /// Whether links are taken for what they say, wherever they lead: those of a stored tree are.
    pub links_as_they_are: bool,
    /// Threads; 0 for as many as there are cores.
    pub threads: usize,
    /// Set from elsewhere to end it.
    pub cancelled: Option<&'a AtomicBool>,
    /// Called by each thread at each file, and some twenty times a second while it waits, before it looks whether it is
    /// to end: what listens for that can do so here.
    pub on_check: Option<&'a OnCheck<'a>>,
    /// Called once, after everything is listed and before large files are read, where the directory holds more files or
    /// bytes than these.
    pub on_survey: Option<(u64, u64, &'a OnSurvey<'a>)>,
    /// How far it has come.
    pub progress: Option<&'a Progress>,
    /// What is known from earlier scans; without it everything is read.
    pub cache: Option<CacheOptions<'a>>,
    /// Name what the rules leave out, too; then no cache is used.
    pub names_left_out: bool,
    /// Walk by paths, as on systems without directory descriptors; slower, without a cache.
    pub by_paths: bool,
}

impl Options<'_> {
    pub(crate) fn is_cancelled(&self) -> bool {
        if let Some(listen) = self.on_check {
            listen();
        }
        self.cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    pub(crate) fn check_cancelled(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    pub(crate) fn threads(&self) -> usize {
        match self.threads {
            0 => crate::threads::available(),
            given => given,
        }
    }
}

/// How far a scan has come; read from elsewhere while it goes on.
#[derive(Debug, Default)]
pub struct Progress {
    /// Files that were read, or that are known to be what they were.
    pub files: AtomicU64,
    /// Bytes that were read.
    pub bytes: AtomicU64,
}

/// What a scan had to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Files that were read.
    pub files_read: u64,
    /// Their bytes.
    pub bytes_read: u64,
    /// Files that were known to be what they were without being read.
    pub files_known: u64,
}

/// What a directory holds, and what its owner should know of it.
#[derive(Debug, Clone)]
pub struct Scan {
    /// What it holds.
    pub manifest: Manifest,
    /// Links that lead nowhere, sockets and the like.
    pub warnings: Vec<String>,
    /// What the rules leave out, relative to the directory, where that was asked for; folders, which were not entered,
    /// end in `/`.
    pub left_out: Vec<Vec<u8>>,
    /// What it took to find out.
    pub cost: Cost,
    pub(crate) sources: Sources,
}

/// Where the entries of a scan's manifest were found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// The directory, or the file, canonical.
    pub root: PathBuf,
    /// Links that lead out, which were read through: their places, with what they lead to.
    pub read_through: Vec<(Vec<u8>, PathBuf)>,
    /// What is neither file, folder nor link, relative: left out.
    pub special: Vec<Vec<u8>>,
    /// Files with several names.
    pub linked: Vec<Vec<u8>>,
    /// Files that their owner may not read, and folders that he may not list and write to.
    pub closed: Vec<Vec<u8>>,
    /// What each entry was that is a file; by its place in the manifest.
    pub rows: Vec<Option<Row>>,
}

impl Sources {
    /// Whether a path was found through a link that leads out.
    pub fn is_read_through(&self, path: &[u8]) -> bool {
        self.read_through.iter().any(|(place, _)| {
            path.strip_prefix(place.as_slice()).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        })
    }

    /// Where the entry of a path was found.
    pub fn path_of(&self, path: &[u8]) -> PathBuf {
        let join = |folder: &Path, below: &[u8]| match below.strip_prefix(b"/").unwrap_or(below) {
            b"" => folder.to_path_buf(),
            below => folder.join(OsStr::from_bytes(below)),
        };
        let through = self.read_through.iter().filter_map(|(place, target)| {
            let below = path.strip_prefix(place.as_slice())?;
            (below.is_empty() || below[0] == b'/').then_some((place.len(), target, below))
        });
        match through.max_by_key(|(length, ..)| *length) {
            Some((_, target, below)) => join(target, below),
            None => join(&self.root, path),
        }
    }
}

/// Reads a source directory: the regular files and links that the rules leave in.
///
/// # Errors
/// [`Error::Unreadable`] with all that cannot be read, [`Error::RuleFile`], [`Error::Changed`] after three tries.
pub fn scan_code(fs: &dyn Fs, root: &Path, options: &Options) -> Result<Scan> {
    scan(fs, root, &Options { rules: Rules::Git, ..*options })
}

/// Reads an output or data: a directory whole, empty folders too, or one file.
///
/// # Errors
/// As [`scan_code`], less what rules can do wrong.
pub fn scan_tree(fs: &dyn Fs, root: &Path, options: &Options) -> Result<Scan> {
    scan(fs, root, &Options { rules: Rules::None, ..*options })
}

/// Reads a directory, or, where no rules apply, one file.
///
/// # Errors
/// As [`scan_code`] and [`scan_tree`].
pub fn scan(fs: &dyn Fs, root: &Path, options: &Options) -> Result<Scan> {
    let mut tries = 0;
    loop {
        tries += 1;
        // A directory is surveyed once, however often it is read.
        let on_survey = options.on_survey.filter(|_| tries == 1);
        match scan_once(fs, root, &Options { on_survey, ..*options }) {
            Err(Error::Changed(path)) if tries == TRIES => return Err(Error::Changed(path)),
            Err(Error::Changed(_)) => {}
            Err(error) if error.is_vanished() && fs.stat(root).is_ok() => match error {
                Error::Io { path, .. } if tries == TRIES => return Err(Error::Changed(path)),
                _ => {}
            },
            other => return other,
        }
    }
}

fn scan_once(fs: &dyn Fs, root: &Path, options: &Options) -> Result<Scan> {
    let failed = |error| Error::io("read", root, error);
    let stat = fs.stat_target(root).map_err(failed)?;
    let is_file = match stat.kind {
        FileKind::Directory => false,
        FileKind::File if !options.rules.apply() => true,
        _ => return Err(failed(ErrorKind::NotADirectory.into())),
    };
    let canonical = fs.canonical(root).map_err(failed)?;
    if options.by_paths {
        return portable::scan(fs, root, canonical, is_file, options);
    }
    let folder = if is_file { canonical.parent().unwrap_or(&canonical) } else { &canonical };
    let folder = fs.open_folder(folder).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => unreadable(root, vec![(canonical.clone(), error.kind().to_string())]),
        _ => failed(error),
    })?;
    let rule_file = options.rules.apply().then(|| rule_file_name(fs, &folder));
    let sdk_rules = match rule_file.filter(|_| options.rules == Rules::AzureMl) {
        Some(name) => Some(read_sdk_rules(fs, &folder, name, &canonical)?),
        None => None,
    };
    let rule_file = rule_file.filter(|_| sdk_rules.is_none());
    let device = fs.stat_open(folder.as_fd()).map_err(failed)?.device;
    let session = options.cache.filter(|_| !is_file && !options.names_left_out).and_then(|cache| {
        let sdk = sdk_rules.as_ref().map(|(_, digest)| digest);
        let flavour = format!("{rule_file:?} {sdk:?} {}", options.links_as_they_are);
        Session::open(fs, &cache, folder.as_fd(), &canonical, &flavour, options.threads())
    });
    let mut walk = Walk::new(fs, options, folder, Realm::new(canonical.clone()), rule_file, device);
    walk.sdk_rules = sdk_rules.as_ref().map(|(rules, _)| rules);
    if let Some(session) = &session {
        walk.cache = session.cache.as_ref();
        walk.trusted_before = session.trusted_before();
    }
    let mut found = if is_file { walk.run_on_file(&canonical)? } else { walk.run()? };
    if let Some(caught) = found.caught {
        return without_cache(fs, root, options, session.as_ref(), &caught);
    }
    if !found.unreadable.is_empty() {
        return Err(unreadable(root, found.unreadable));
    }
    let mut tree = Tree::new(std::mem::take(&mut found.folders), walk.cache);
    if let Some((files, bytes, tell)) = options.on_survey {
        survey_if_large(&tree, files, bytes, tell);
    }
    large_files::read(&walk, &mut found, &mut tree)?;
    if options.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let (manifest, rows) = manifest_of(&tree, !options.rules.apply(), options.threads());
    if let Some(session) = &session {
        // A cache that cannot be written costs time only.
        let _ = session.save(fs, &tree, found.gain, manifest.len());
    }
    let cost = Cost { files_read: found.files_read, bytes_read: found.bytes_read, files_known: found.files_known };
    let sources = Sources {
        root: canonical,
        read_through: found.read_through,
        special: found.special,
        linked: found.linked,
        closed: found.closed,
        rows,
    };
    found.left_out.sort();
    Ok(Scan { manifest, warnings: found.warnings, left_out: found.left_out, cost, sources })
}

/// `.amlignore` where the root has one, and then no `.gitignore` counts anywhere; else `.gitignore`.
fn rule_file_name(fs: &dyn Fs, root: &impl AsFd) -> &'static CStr {
    if fs.stat_at(root.as_fd(), c".amlignore").is_ok() { c".amlignore" } else { c".gitignore" }
}

/// The SDK's rules, which stand in the root alone.
fn read_sdk_rules(fs: &dyn Fs, folder: &OwnedFd, name: &CStr, root: &Path) -> Result<(SdkRules, Digest)> {
    let path = root.join(OsStr::from_bytes(name.to_bytes()));
    let bytes = match read_whole(fs, folder.as_fd(), name, MAX_RULE_FILE_BYTES) {
        Ok(read) => read.map(|(bytes, _)| bytes).unwrap_or_default(),
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            return Err(Error::RuleFile { path, reason: format!("cannot be read: {}", error.kind()) });
        }
    };
    Ok((SdkRules::parse(&bytes), Digest::of(&bytes)))
}

/// Whether rules leave an entry out; `stack` are those in force in its folder.
fn is_left_out(rules: Rules, sdk: Option<&SdkRules>, stack: &RuleStack, place: &[u8], is_dir: bool) -> bool {
    match (rules, sdk) {
        (Rules::None, _) => false,
        (Rules::AzureMl, Some(sdk)) => sdk.ignores(place),
        _ => {
            is_never_content(place.rsplit(|&byte| byte == b'/').next().unwrap_or(place)) || stack.ignores(place, is_dir)
        }
    }
}

/// Scans again, believing no row any more.
fn without_cache(
    fs: &dyn Fs,
    root: &Path,
    options: &Options,
    session: Option<&Session>,
    caught: &Path,
) -> Result<Scan> {
    if let Some(session) = session {
        let _ = session.turn_off(fs);
    }
    let mut scan = scan_once(fs, root, &Options { cache: None, on_survey: None, ..*options })?;
    scan.warnings.push(warning(
        caught,
        "changed without a trace in its times; from now on every file of its source directory is read each time",
    ));
    Ok(scan)
}

fn survey_if_large(tree: &Tree, most_files: u64, most_bytes: u64, tell: &OnSurvey) {
    let (mut files, mut bytes) = (0, 0);
    tree.for_each(|_, view| {
        if let View::File { row, .. } = view {
            files += 1;
            bytes += row.size;
        }
    });
    if files <= most_files && bytes <= most_bytes {
        return;
    }
    let mut all = Vec::new();
    tree.for_each(|place, view| {
        if let View::File { row, .. } = view {
            all.push((place.to_vec(), row.size));
        }
    });
    tell(&survey::survey(&all));
}

fn unreadable(root: &Path, mut found: Vec<(PathBuf, String)>) -> Error {
    found.sort();
    Error::Unreadable { root: root.to_path_buf(), found }
}

fn warning(path: &Path, what: &str) -> String {
    format!("{}: {what}", path.display())
}

/// What reading a file again costs, in tenths of a microsecond.
fn gain(bytes: u64) -> u64 {
    50 + bytes / 500
}
