//! A folder of very many files is read by all threads, and found to hold what one thread finds.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // A test makes its own files.

mod support;

use std::collections::HashSet;
use std::ffi::CStr;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use scriptstep_core::Error;
use scriptstep_core::fs::{Fs, OsFs};
use scriptstep_core::scan::{Options, Rules, scan};
use scriptstep_core::store::Store;

use support::{Call, Meanwhile, Place, listed};

const FILES: usize = 10_000;

fn name(number: usize) -> String {
    format!("f{number:05}")
}

fn plant(name_of_place: &str) -> Place {
    let place = Place::new(name_of_place);
    for number in 0..FILES {
        place.write(&name(number), format!("file {number}").as_bytes());
    }
    place.write(".gitignore", b"*7\n");
    place
}

/// Lets no thread go on that opened a file before a second one did, too; for so long, once.
#[derive(Default)]
struct Together {
    threads: Mutex<HashSet<ThreadId>>,
    joined: Condvar,
    gave_up: AtomicBool,
}

impl Fs for Together {
    fn open_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        if name.to_bytes().starts_with(b"f") {
            let mut threads = self.threads.lock().unwrap();
            threads.insert(std::thread::current().id());
            self.joined.notify_all();
            let alone = |found: &mut HashSet<ThreadId>| found.len() < 2 && !self.gave_up.load(Ordering::Relaxed);
            let waited = self.joined.wait_timeout_while(threads, Duration::from_secs(20), alone).unwrap();
            self.gave_up.fetch_or(waited.1.timed_out(), Ordering::Relaxed);
        }
        OsFs.open_at(folder, name)
    }
}

/// Does not let two files be read.
struct Closed;

impl Fs for Closed {
    fn open_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        match name.to_bytes() {
            b"f00001" | b"f09999" => Err(io::ErrorKind::PermissionDenied.into()),
            _ => OsFs.open_at(folder, name),
        }
    }
}

#[test]
fn all_threads_find_what_one_finds() {
    let place = plant("wide");
    let wanted =
        scan(&OsFs, &place.root, &Options { by_paths: true, rules: Rules::Git, ..Options::default() }).unwrap();
    assert_eq!(wanted.manifest.len(), FILES - FILES / 10 + 1);
    for threads in [1, 2, 5] {
        let found = scan(&OsFs, &place.root, &Options { threads, rules: Rules::Git, ..Options::default() }).unwrap();
        assert_eq!(found.manifest.digest(), wanted.manifest.digest(), "{threads} threads");
        assert_eq!(found.cost.files_read, wanted.manifest.len() as u64, "{threads} threads");
    }
}

#[test]
fn a_second_thread_reads_some_of_the_files() {
    let place = plant("wide-together");
    let fs = Together::default();
    scan(&fs, &place.root, &Options { threads: 2, ..Options::default() }).unwrap();
    assert!(fs.threads.lock().unwrap().len() > 1, "one thread read them all");
}

#[test]
fn of_a_known_one_only_what_changed_is_read() {
    let place = plant("wide-known");
    // Too young to be known, and looked at by the cache all the same.
    place.checked();
    assert_eq!(place.checked().cost.files_known, 0);
    place.pass(100);
    place.checked();
    assert_eq!(place.checked().cost.files_read, 0);
    for number in [0, 5_000, 9_999] {
        place.write(&name(number), b"other");
    }
    place.chmod(&name(4_096), 0o755);
    let found = place.checked();
    assert_eq!(found.cost.files_read, 4);
    assert!(listed(&found.manifest)[4_096 - 409 + 1].starts_with("Executable f04096"));
    place.remove(&name(6_000));
    place.write("f06000-new", b"new");
    // The folder is listed anew; what is young is read once more.
    assert_eq!(place.checked().cost.files_read, 5);
}

#[test]
fn files_that_cannot_be_read_are_all_named() {
    let place = plant("wide-closed");
    let failed = scan(&Closed, &place.root, &Options { threads: 2, ..Options::default() });
    let Err(Error::Unreadable { found, .. }) = failed else { panic!("{failed:?}") };
    let names: Vec<_> = found.iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["f00001", "f09999"]);
}

/// Ends the scan at so many opened files.
struct Impatient<'a>(&'a AtomicBool, AtomicU64);

impl Fs for Impatient<'_> {
    fn open_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        if self.1.fetch_add(1, Ordering::Relaxed) == 2_000 {
            self.0.store(true, Ordering::Relaxed);
        }
        OsFs.open_at(folder, name)
    }
}

#[test]
fn it_ends_where_it_is_cancelled() {
    let place = plant("wide-cancelled");
    let cancelled = AtomicBool::new(false);
    let fs = Impatient(&cancelled, AtomicU64::new(0));
    let options = Options { threads: 2, cancelled: Some(&cancelled), ..Options::default() };
    assert!(matches!(scan(&fs, &place.root, &options), Err(Error::Cancelled)));
    assert!(fs.1.load(Ordering::Relaxed) < 3_000);
}

#[test]
fn wide_folders_among_others_are_found_whole() {
    let place = Place::new("wide-below");
    for folder in ["", "a/", "a/b/", "c/"] {
        for number in 0..1_500 {
            place.write(&format!("{folder}{}", name(number)), format!("{folder} {number}").as_bytes());
        }
        place.write(&format!("{folder}large"), &vec![7; (1 << 20) + folder.len()]);
        place.make_folder(&format!("{folder}empty"));
        place.link("f00001", &format!("{folder}link"));
        place.make_folder(&format!("{folder}f00001-folder"));
    }
    let wanted = scan(&OsFs, &place.root, &Options { by_paths: true, ..Options::default() }).unwrap();
    for threads in [1, 2, 7] {
        let found = scan(&OsFs, &place.root, &Options { threads, ..Options::default() }).unwrap();
        assert_eq!(listed(&found.manifest), listed(&wanted.manifest), "{threads} threads");
        assert_eq!(found.manifest.digest(), wanted.manifest.digest(), "{threads} threads");
        assert_eq!(found.cost, wanted.cost, "{threads} threads");
    }
    // What is kept goes by what the scan says of each file, in the order of the manifest.
    let store = Store::new(&place.above.join("store"));
    let digest = store.add(&place.root, &Options::default()).unwrap().digest();
    assert_eq!(digest, wanted.manifest.digest());
    store.verify(digest, &Options::default()).unwrap();
    let adopted = Store::new(&place.above.join("other-store"));
    assert_eq!(adopted.adopt(&place.root, &Options::default()).unwrap().digest(), digest);
    adopted.verify(digest, &Options::default()).unwrap();
}

#[test]
fn a_file_that_is_edited_before_it_is_audited_is_no_reason_to_doubt_the_cache() {
    let place = plant("wide-edited");
    place.pass(100);
    place.checked();
    place.pass(1);
    let was_edited = AtomicBool::new(false);
    let fs = Meanwhile(&place.fs, |call, name: &str| {
        // The first that is opened of a known folder is one that is read to see that the cache is right.
        if call == Call::Open && name.starts_with('f') && !was_edited.swap(true, Ordering::Relaxed) {
            place.write(name, b"edited meanwhile");
        }
    });
    let found = place.scan_with(&fs, Rules::Git, true).unwrap();
    assert!(was_edited.load(Ordering::Relaxed));
    assert_eq!(found.warnings, Vec::<String>::new());
    assert_eq!(found.cost.files_read, 1);
    // The cache is on still.
    assert_eq!(place.checked().cost.files_read, 1);
}
