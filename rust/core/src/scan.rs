//! Reads a directory into a manifest: the one way in.

use std::io::{ErrorKind, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::{FileKind, Fs, Stat};
use crate::manifest::{Entry, Kind, Manifest};
use crate::walk::{Found, Walked, What, walk};

/// How often a directory that changes is read again before that is an error.
const TRIES: usize = 3;
/// Large enough that the calls do not show beside the hashing, small enough for every core's cache.
const CHUNK: usize = 128 * 1024;
const LARGEST: usize = 10;

/// How to read a directory.
#[derive(Default)]
pub struct Options<'a> {
    /// Whether ignore rules apply: they do to code, never to outputs and data.
    pub rules: bool,
    /// Whether links are taken for what they say, wherever they lead: those of a stored tree are.
    pub links_as_they_are: bool,
    /// Threads; 0 for as many as there are cores.
    pub threads: usize,
    /// Set from elsewhere to end it.
    pub cancelled: Option<&'a AtomicBool>,
    /// Called once between listing and reading.
    pub on_survey: Option<&'a (dyn Fn(&Survey) + Sync)>,
    /// Bytes that were read so far.
    pub bytes_read: Option<&'a AtomicU64>,
}

impl Options<'_> {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    pub(crate) fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            given => given,
        }
    }
}

/// What a directory would cost to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub size: u64,
    /// Its ten largest entries with their bytes, the largest first; folders end in `/`. Where one folder holds nearly
    /// all, it is opened.
    pub largest: Vec<(Vec<u8>, u64)>,
}

/// What a directory holds, and what its owner should know of it.
#[derive(Debug, Clone)]
pub struct Scan {
    /// What it holds.
    pub manifest: Manifest,
    /// Links that lead nowhere, sockets and the like.
    pub warnings: Vec<String>,
}

/// What a scan found, with where each file was read from.
pub(crate) struct Sources {
    pub scan: Scan,
    pub walked: Walked,
}

/// Reads a source directory: the regular files and links that the rules leave in.
///
/// # Errors
/// [`Error::Unreadable`] with all that cannot be read, [`Error::RuleFile`], [`Error::Changed`] after three tries.
pub fn scan_code(fs: &dyn Fs, root: &Path, options: &Options) -> Result<Scan> {
    scan_sources(fs, root, &Options { rules: true, ..*options }).map(|found| found.scan)
}

/// Reads an output or data: a directory whole, empty folders too, or one file.
///
/// # Errors
/// As [`scan_code`], less what rules can do wrong.
pub fn scan_tree(fs: &dyn Fs, root: &Path, options: &Options) -> Result<Scan> {
    scan_sources(fs, root, &Options { rules: false, ..*options }).map(|found| found.scan)
}

pub(crate) fn scan_sources(fs: &dyn Fs, root: &Path, options: &Options) -> Result<Sources> {
    let mut tries = 0;
    loop {
        tries += 1;
        // A directory is surveyed once, however often it is read.
        let on_survey = options.on_survey.filter(|_| tries == 1);
        match scan_once(fs, root, &Options { on_survey, ..*options }) {
            Err(Error::Changed(path)) if tries == TRIES => return Err(Error::Changed(path)),
            Err(Error::Changed(_)) => {}
            Err(Error::Io { path, .. }) if path != root && tries == TRIES && fs.stat(root).is_ok() => {
                return Err(Error::Changed(path));
            }
            Err(error) if error.is_vanished() && tries < TRIES && fs.stat(root).is_ok() => {}
            other => return other,
        }
    }
}

fn scan_once(fs: &dyn Fs, root: &Path, options: &Options) -> Result<Sources> {
    let stat = fs.stat_target(root).map_err(|e| Error::io("read", root, e))?;
    let walked = match stat.kind {
        FileKind::Directory => walk(fs, root, options)?,
        FileKind::File if !options.rules => {
            let source = fs.canonical(root).map_err(|e| Error::io("read", root, e))?;
            let found = Found { path: Vec::new(), source, what: What::File(stat) };
            Walked { found: vec![found], ..Walked::default() }
        }
        _ => {
            let wrong = std::io::Error::from(ErrorKind::NotADirectory);
            return Err(Error::io("read", root, wrong));
        }
    };
    if !walked.unreadable.is_empty() {
        return Err(all_unreadable(fs, root, walked));
    }
    if let Some(tell) = options.on_survey {
        tell(&survey(&walked.found));
    }
    let entries = read_all(fs, root, &walked.found, options)?;
    let manifest = Manifest::new(entries)?;
    Ok(Sources { scan: Scan { manifest, warnings: walked.warnings.clone() }, walked })
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

fn unreadable(root: &Path, mut found: Vec<(PathBuf, String)>) -> Error {
    found.sort();
    Error::Unreadable { root: root.to_path_buf(), found }
}

/// Reads the files on all threads; each takes the next that is left.
fn read_all(fs: &dyn Fs, root: &Path, found: &[Found], options: &Options) -> Result<Vec<Entry>> {
    let next = AtomicUsize::new(0);
    let gathered = Mutex::new(Gathered::default());
    let work = || {
        let mut entries = Vec::new();
        let mut unreadable = Vec::new();
        let mut buffer = vec![0; CHUNK];
        let mut fatal = None;
        while let Some(item) = found.get(next.fetch_add(1, Ordering::Relaxed)) {
            if options.is_cancelled() {
                fatal = Some(Error::Cancelled);
                break;
            }
            match read_one(fs, item, &mut buffer, options) {
                Ok(entry) => entries.push(entry),
                Err(Error::Io { path, source, .. }) if source.kind() == ErrorKind::PermissionDenied => {
                    unreadable.push((path, source.kind().to_string()));
                }
                Err(error) => {
                    fatal = Some(error);
                    next.store(found.len(), Ordering::Relaxed);
                    break;
                }
            }
        }
        let mut all = gathered.lock().unwrap_or_else(PoisonError::into_inner);
        all.entries.extend(entries);
        all.unreadable.extend(unreadable);
        if all.fatal.is_none() {
            all.fatal = fatal;
        }
    };
    let threads = options.threads().min(found.len().div_ceil(16)).max(1);
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| {
            scope.spawn(work);
        });
        work();
    });
    let all = gathered.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(fatal) = all.fatal {
        return Err(fatal);
    }
    if !all.unreadable.is_empty() {
        return Err(unreadable(root, all.unreadable));
    }
    Ok(all.entries)
}

#[derive(Default)]
struct Gathered {
    entries: Vec<Entry>,
    unreadable: Vec<(PathBuf, String)>,
    fatal: Option<Error>,
}

fn read_one(fs: &dyn Fs, item: &Found, buffer: &mut [u8], options: &Options) -> Result<Entry> {
    let path = item.path.clone();
    match &item.what {
        What::Directory => Ok(Entry::directory(path)),
        What::Link(text) => Ok(Entry::link(path, text.clone())),
        What::File(stat) => {
            let (digest, stat) = digest_file(fs, &item.source, stat, buffer, options)?;
            let kind = if stat.is_executable() { Kind::Executable } else { Kind::File };
            Ok(Entry { path, kind, size: stat.size, digest, target: Vec::new() })
        }
    }
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
            if let Some(read) = options.bytes_read {
                read.fetch_add(count as u64, Ordering::Relaxed);
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

fn survey(found: &[Found]) -> Survey {
    let files: Vec<(&[u8], u64)> = found
        .iter()
        .filter_map(|item| match &item.what {
            What::File(stat) => Some((item.path.as_slice(), stat.size)),
            _ => None,
        })
        .collect();
    let size = files.iter().map(|(_, size)| size).sum();
    let mut prefix: Vec<u8> = Vec::new();
    let largest = loop {
        let largest = largest_below(&files, &prefix);
        match largest.first() {
            Some((name, bytes)) if name.ends_with(b"/") && bytes * 10 > size * 9 && size > 0 => prefix.clone_from(name),
            _ => break largest,
        }
    };
    Survey { files: files.len() as u64, size, largest }
}

fn largest_below(files: &[(&[u8], u64)], prefix: &[u8]) -> Vec<(Vec<u8>, u64)> {
    let mut sizes: std::collections::HashMap<Vec<u8>, u64> = std::collections::HashMap::new();
    for (path, size) in files {
        let Some(rest) = path.strip_prefix(prefix) else { continue };
        let end = rest.iter().position(|&byte| byte == b'/').map_or(rest.len(), |at| at + 1);
        *sizes.entry([prefix, &rest[..end]].concat()).or_default() += size;
    }
    let mut largest: Vec<(Vec<u8>, u64)> = sizes.into_iter().collect();
    largest.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    largest.truncate(LARGEST);
    largest
}
