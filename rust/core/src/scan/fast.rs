//! The walk by directory descriptor: folders are shared out among threads, and each is listed, stat-ed and read by one.
//!
//! No path is built for a file that is read, nothing calls itself, and few descriptors are open at once, so that a tree
//! may be of any depth.

use std::ffi::{CStr, CString, OsStr};
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::fs::{FileKind, Fs, Stat};
use crate::rules::{RuleStack, SdkRules};
use crate::scan::folder::{Folder, FolderId};
use crate::scan::links::Realm;
use crate::scan::read::{TRIES, open_below};
use crate::scan::worker::Worker;
use crate::scan::{Options, Rules};
use crate::stat_cache::{Cache, Record};
use crate::threads::lock;

/// So many folders stay open for the folders in them; those of a bushier tree are opened anew, part by part.
const OPEN_PARENTS: usize = 64;
/// So few files are looked at sooner than a thread starts.
const SMALL: u64 = 200;
/// How often a thread that waits for work looks whether it is to end.
const LISTEN: Duration = Duration::from_millis(50);

/// A folder that is to be walked.
pub(super) struct Job {
    pub id: FolderId,
    /// The folder that it is in.
    pub above: FolderId,
    pub realm: Arc<Realm>,
    /// The folder above, where it is open still.
    pub parent: Option<Arc<Parent>>,
    /// Its place below the root, with a NUL behind it; empty but for that where it is the root.
    pub place: Vec<u8>,
    /// The rules in force above it.
    pub rules: RuleStack,
    /// What the cache knows of it.
    pub known: Option<Record>,
}

impl Job {
    /// Its place below the root.
    pub fn place(&self) -> &[u8] {
        &self.place[..self.place.len() - 1]
    }

    /// Its name as the system takes it.
    fn name(&self) -> &CStr {
        let start = self.place().iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
        CStr::from_bytes_with_nul(&self.place[start..]).unwrap_or_default()
    }

    /// Whether a realm begins with it.
    pub fn is_top(&self) -> bool {
        self.place() == self.realm.place
    }

    /// Where it really lies.
    pub fn source(&self) -> PathBuf {
        self.realm.source(self.place())
    }
}

/// An open folder, counted.
pub(super) struct Parent {
    pub folder: OwnedFd,
    count: Arc<AtomicUsize>,
}

impl Drop for Parent {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A file that is too large for a thread alone.
#[derive(Debug, Clone)]
pub(super) struct Large {
    pub folder: FolderId,
    /// Its place among the folder's items.
    pub item: usize,
    /// The folder that it lies in, and its name there.
    pub source: PathBuf,
    pub name: CString,
    /// Its place below the root, with a NUL behind it: of a link, where it is a link that leads to it.
    pub place: Vec<u8>,
    pub tries: usize,
}

impl Large {
    /// The file itself.
    pub fn path(&self) -> PathBuf {
        self.source.join(OsStr::from_bytes(self.name.to_bytes()))
    }

    /// It, to be read once more, for it changed meanwhile.
    pub fn again(self) -> Result<Self> {
        match self.tries.checked_sub(1) {
            Some(tries) if tries > 0 => Ok(Self { tries, ..self }),
            _ => Err(Error::Changed(self.path())),
        }
    }

    /// The name of the item.
    pub fn entry_name(&self) -> &[u8] {
        let place = &self.place[..self.place.len() - 1];
        place.rsplit(|&byte| byte == b'/').next().unwrap_or(place)
    }
}

/// What the threads found, together.
#[derive(Default)]
pub(super) struct Found {
    pub folders: Vec<(FolderId, Folder)>,
    pub warnings: Vec<String>,
    pub unreadable: Vec<(PathBuf, String)>,
    pub large: Vec<Large>,
    /// Places of links that were read through, with what they lead to.
    pub read_through: Vec<(Vec<u8>, PathBuf)>,
    /// Places of what the rules leave out, where that was asked for.
    pub left_out: Vec<Vec<u8>>,
    /// Places of what is neither file, folder nor link.
    pub special: Vec<Vec<u8>>,
    /// Places of files with several names.
    pub linked: Vec<Vec<u8>>,
    /// Places of files and folders that their owner may not read, or not write to.
    pub closed: Vec<Vec<u8>>,
    /// Files that were read, and their bytes.
    pub files_read: u64,
    pub bytes_read: u64,
    /// Files whose rows told that they need not be read.
    pub files_known: u64,
    /// What the cache may spare the next scan of what this one read, in tenths of a microsecond.
    pub gain: u64,
    /// A file that was not what its row told.
    pub caught: Option<PathBuf>,
}

impl Found {
    pub fn add(&mut self, other: Self) {
        self.folders.extend(other.folders);
        self.warnings.extend(other.warnings);
        self.unreadable.extend(other.unreadable);
        self.large.extend(other.large);
        self.read_through.extend(other.read_through);
        self.left_out.extend(other.left_out);
        self.special.extend(other.special);
        self.linked.extend(other.linked);
        self.closed.extend(other.closed);
        self.files_read += other.files_read;
        self.bytes_read += other.bytes_read;
        self.files_known += other.files_known;
        self.gain += other.gain;
        self.caught = self.caught.take().or(other.caught);
    }
}

/// What all threads share.
pub(super) struct Walk<'a> {
    pub fs: &'a dyn Fs,
    pub options: &'a Options<'a>,
    /// Name of the rule files, where rules apply.
    pub rule_file: Option<&'a CStr>,
    /// The SDK's rules, where those apply instead.
    pub sdk_rules: Option<&'a SdkRules>,
    pub root: OwnedFd,
    pub realm: Arc<Realm>,
    /// The device of the root: a row of another one is not kept.
    pub device: u64,
    pub cache: Option<&'a Cache>,
    /// What did not change since then may be kept.
    pub trusted_before: i64,
    queue: Mutex<Queue>,
    work: Condvar,
    /// Threads that look for work; where all do, there is none.
    idle: AtomicUsize,
    /// So many more could be at work: those that look for it or are not started, less those in whose place others are.
    spare: AtomicIsize,
    next_id: AtomicU32,
    open_parents: Arc<AtomicUsize>,
    stop: AtomicBool,
    fatal: Mutex<Option<Error>>,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Job>,
    threads: usize,
}

/// Threads that may be started in the place of those that have nothing to do; given back when it is dropped.
pub(super) struct Lent<'a> {
    spare: &'a AtomicIsize,
    pub count: usize,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.spare.fetch_add(isize::try_from(self.count).unwrap_or(0), Ordering::Relaxed);
    }
}

/// Ends the walk where its thread panics: the others would wait for it.
struct EndsAll<'a>(&'a Walk<'a>);

impl Drop for EndsAll<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}

impl<'a> Walk<'a> {
    pub fn new(
        fs: &'a dyn Fs,
        options: &'a Options<'a>,
        root: OwnedFd,
        realm: Realm,
        rule_file: Option<&'a CStr>,
        device: u64,
    ) -> Self {
        Self {
            fs,
            options,
            rule_file,
            sdk_rules: None,
            root,
            realm: Arc::new(realm),
            device,
            cache: None,
            trusted_before: i64::MIN,
            queue: Mutex::default(),
            work: Condvar::new(),
            idle: AtomicUsize::new(0),
            spare: AtomicIsize::new(isize::try_from(options.threads()).unwrap_or(isize::MAX) - 1),
            next_id: AtomicU32::new(0),
            open_parents: Arc::default(),
            stop: AtomicBool::new(false),
            fatal: Mutex::new(None),
        }
    }

    /// Walks everything.
    pub fn run(&self) -> Result<Found> {
        let is_git = self.options.rules == Rules::Git;
        let rules = if is_git { RuleStack::with_builtins() } else { RuleStack::default() };
        let known = self.cache.map(Cache::root);
        let realm = Arc::clone(&self.realm);
        let first = Job { id: self.new_id(), above: 0, realm, parent: None, place: vec![0], rules, known };
        let mut worker = Worker::new(self);
        // Threads are worth their start where there is more than one folder to walk, or many files are known to be there.
        let mut jobs = vec![first];
        while let Some(job) = jobs.pop() {
            jobs.extend(self.do_job(&mut worker, &job)?);
            if jobs.len() > 1 {
                break;
            }
        }
        let is_small =
            self.cache.is_some_and(|cache| cache.files() < SMALL) && jobs.iter().all(|job| job.known.is_some());
        let threads = if is_small || jobs.is_empty() { 1 } else { self.options.threads() };
        *lock(&self.queue) = Queue { jobs, threads: 1 };
        let mut found = std::thread::scope(|scope| {
            let helpers: Vec<_> = (1..threads)
                .map_while(|_| {
                    lock(&self.queue).threads += 1;
                    self.spare.fetch_sub(1, Ordering::Relaxed);
                    let help = || {
                        let mut helper = Worker::new(self);
                        self.work(&mut helper);
                        helper.found
                    };
                    let started = Builder::new().spawn_scoped(scope, help);
                    // Fewer do the same, where the system gives no more.
                    started.inspect_err(|_| lock(&self.queue).threads -= 1).ok()
                })
                .collect();
            self.work(&mut worker);
            let mut found = worker.found;
            for helper in helpers {
                match helper.join() {
                    Ok(theirs) => found.add(theirs),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            found
        });
        if let Some(fatal) = lock(&self.fatal).take() {
            return Err(fatal);
        }
        found.warnings.sort();
        Ok(found)
    }

    /// Reads the one file that is the root.
    pub fn run_on_file(&self, path: &Path) -> Result<Found> {
        let mut worker = Worker::new(self);
        worker.read_root_file(path)?;
        Ok(worker.found)
    }

    /// Lets so many threads be started, or as many fewer as have nothing to do.
    pub fn lend(&self, wanted: usize) -> Lent<'_> {
        let lent = |spare: isize| usize::try_from(spare).unwrap_or(0).min(wanted);
        let taken = self
            .spare
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |spare| spare.checked_sub_unsigned(lent(spare)));
        Lent { spare: &self.spare, count: taken.map_or(0, lent) }
    }

    /// Says that so much was read, or known.
    pub fn tell_progress(&self, files: u64, bytes: u64) {
        if let Some(progress) = self.options.progress {
            progress.files.fetch_add(files, Ordering::Relaxed);
            progress.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Ends the walk on all threads.
    fn end(&self) {
        // By the lock nobody is between having looked and waiting.
        let _queue = lock(&self.queue);
        self.stop.store(true, Ordering::Relaxed);
        self.work.notify_all();
    }

    pub fn new_id(&self) -> FolderId {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// An open folder that its folders may be opened from; none where too many are open.
    pub fn parent(&self, folder: OwnedFd) -> Option<Arc<Parent>> {
        if self.open_parents.fetch_add(1, Ordering::Relaxed) >= OPEN_PARENTS {
            self.open_parents.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Arc::new(Parent { folder, count: Arc::clone(&self.open_parents) }))
    }

    fn work(&self, worker: &mut Worker) {
        let _ends = EndsAll(self);
        // A thread keeps the folders that it finds, and shares them out while another one looks for work.
        let mut own: Vec<Job> = Vec::new();
        while let Some(job) = own.pop().or_else(|| self.next()) {
            match self.do_job(worker, &job) {
                Ok(more) => own.extend(more),
                Err(error) => {
                    lock(&self.fatal).get_or_insert(error);
                    self.end();
                }
            }
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            if own.len() > 1 && self.idle.load(Ordering::Relaxed) > 0 {
                // Those that were found first stand higher, and hold more.
                let rest = own.split_off(own.len().div_ceil(2));
                lock(&self.queue).jobs.extend(std::mem::replace(&mut own, rest));
                self.work.notify_all();
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = lock(&self.queue);
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(job) = queue.jobs.pop() {
                return Some(job);
            }
            if self.idle.fetch_add(1, Ordering::Relaxed) + 1 == queue.threads {
                self.stop.store(true, Ordering::Relaxed);
                self.work.notify_all();
                return None;
            }
            self.spare.fetch_add(1, Ordering::Relaxed);
            let (woken, waited) = self.work.wait_timeout(queue, LISTEN).unwrap_or_else(PoisonError::into_inner);
            self.spare.fetch_sub(1, Ordering::Relaxed);
            self.idle.fetch_sub(1, Ordering::Relaxed);
            queue = woken;
            if waited.timed_out() {
                drop(queue);
                if self.options.is_cancelled() {
                    lock(&self.fatal).get_or_insert(Error::Cancelled);
                    self.end();
                }
                queue = lock(&self.queue);
            }
        }
    }

    /// Walks one folder; again where it changes meanwhile.
    fn do_job(&self, worker: &mut Worker, job: &Job) -> Result<Vec<Job>> {
        let mut before: Option<crate::scan::worker::Outcome> = None;
        let mut changed = job.source();
        for _ in 0..=TRIES {
            if self.options.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let folder = match self.open(job) {
                Ok(folder) => folder,
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    worker.found.unreadable.push((job.source(), error.kind().to_string()));
                    return Ok(Vec::new());
                }
                // Replaced by something else, or gone: whoever listed it looks again.
                Err(error) => return Err(gone(&job.source(), error)),
            };
            let known = if before.is_none() { job.known } else { None };
            match worker.walk(job, &folder, known) {
                Ok(outcome) if outcome.is_settled || before.as_ref().is_some_and(|last| last.is_same(&outcome)) => {
                    return Ok(worker.take(job, folder, outcome));
                }
                Ok(outcome) => before = Some(outcome),
                Err(Error::Changed(path)) => changed = path,
                Err(Error::Io { path, source, .. }) if is_gone(&source) => changed = path,
                Err(error) => return Err(error),
            }
        }
        Err(Error::Changed(changed))
    }

    fn open(&self, job: &Job) -> std::io::Result<OwnedFd> {
        if job.is_top() {
            return if job.place().is_empty() {
                self.fs.open_folder_at(self.root.as_fd(), c".")
            } else {
                self.fs.open_folder(&job.realm.folder)
            };
        }
        if let Some(parent) = &job.parent {
            return self.fs.open_folder_at(parent.folder.as_fd(), job.name());
        }
        let below = job.place().strip_prefix(job.realm.place.as_slice()).unwrap_or(job.place());
        if job.realm.place.is_empty() {
            open_below(self.fs, self.root.as_fd(), below)
        } else {
            open_below(self.fs, self.fs.open_folder(&job.realm.folder)?.as_fd(), below)
        }
    }
}

fn is_gone(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory)
        || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

fn gone(path: &Path, error: std::io::Error) -> Error {
    if is_gone(&error) { Error::Changed(path.to_path_buf()) } else { Error::io("read", path, error) }
}

/// What a name in a folder stands for, where the folder's own word is not enough.
pub(super) fn kind_of(fs: &dyn Fs, folder: &OwnedFd, name: &CStr, told: Option<FileKind>) -> std::io::Result<FileKind> {
    match told {
        Some(kind) => Ok(kind),
        None => fs.stat_at(folder.as_fd(), name).map(|stat: Stat| stat.kind),
    }
}
