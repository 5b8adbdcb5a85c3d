//! What is leased stays, what is collected goes whole, and what a killed process left is not in the way.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // A test makes its own files.

mod support;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proptest::prelude::*;
use scriptstep_core::Error;
use scriptstep_core::digest::Digest;
use scriptstep_core::fs::{Fs, OsFs};
use scriptstep_core::scan::Options;
use scriptstep_core::store::Store;

use support::Folder;

fn options() -> Options<'static> {
    Options::default()
}

/// Keeps a folder of a few files in a store.
fn add(store: &Store, folder: &Path, text: &str) -> Digest {
    let source = folder.join(format!("source-{text}"));
    fs::create_dir_all(source.join("sub")).unwrap();
    fs::write(source.join("a"), text).unwrap();
    fs::write(source.join("sub/b"), text.repeat(1000)).unwrap();
    store.add(&source, &options()).unwrap().digest()
}

fn collect(store: &Store, digests: &[Digest]) -> Vec<Digest> {
    store.collect(&store.begin_collecting().unwrap(), digests, &options()).unwrap()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let listed = fs::read_dir(folder).into_iter().flatten();
    listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn whoever_made_found_or_was_given_a_tree_keeps_it() {
    let folder = Folder::new("leases");
    let trees = folder.0.join("trees");
    let maker = Store::new(&trees);
    let digest = add(&maker, &folder.0, "text");
    let asks: [&dyn Fn(&Store); 7] = [
        &|store| assert!(store.ensure(digest, &options()).unwrap()),
        &|store| drop(store.content_path(digest).unwrap()),
        &|store| drop(store.guard(digest).unwrap()),
        &|store| drop(store.verify(digest, &options()).unwrap()),
        &|store| store.restore(digest, &folder.0.join("copy"), &options()).unwrap(),
        &|store| assert_eq!(add(store, &folder.0, "text"), digest),
        &|store| {
            let out = folder.0.join("out");
            store.restore(digest, &out, &options()).unwrap();
            assert_eq!(store.adopt(&out, &options()).unwrap().digest(), digest);
        },
    ];
    assert_eq!(collect(&Store::new(&trees), &[digest]), [], "its maker lives");
    let mut last = maker;
    for (at, ask) in asks.iter().enumerate() {
        let next = Store::new(&trees);
        ask(&next);
        drop(std::mem::replace(&mut last, next));
        assert_eq!(collect(&Store::new(&trees), &[digest]), [], "after ask {at}");
    }
    drop(last);
    assert_eq!(collect(&Store::new(&trees), &[digest]), [digest]);
    assert!(matches!(Store::new(&trees).content_path(digest), Err(Error::Missing(_))));
    assert_eq!(names(&trees.join(".trash")), BTreeSet::new());
}

#[test]
fn a_lease_of_one_that_dies_while_somebody_collects_still_counts() {
    let folder = Folder::new("leases-late");
    let trees = folder.0.join("trees");
    let digest = add(&Store::new(&trees), &folder.0, "text");
    let store = Store::new(&trees);
    let right = store.begin_collecting().unwrap();
    // It relies on the tree, records that, and is gone: who read the record before that does not know.
    assert!(Store::new(&trees).ensure(digest, &options()).unwrap());
    // Nor does the next one that opens the store bury it.
    assert!(!Store::new(&trees).ensure(Digest::of(b"none"), &options()).unwrap());
    add(&Store::new(&trees), &folder.0, "other");
    assert_eq!(store.collect(&right, &[digest], &options()).unwrap(), []);
    drop(right);
    assert_eq!(collect(&store, &[digest]), [digest]);
}

#[test]
fn one_at_a_time_collects() {
    let folder = Folder::new("leases-two");
    let store = Store::new(&folder.0.join("trees"));
    add(&store, &folder.0, "text");
    let right = store.begin_collecting().unwrap();
    assert!(matches!(store.begin_collecting(), Err(Error::Busy(_))));
    drop(right);
    store.begin_collecting().unwrap();
}

#[test]
fn files_of_the_dead_do_not_pile_up_and_are_for_their_owner_alone() {
    let folder = Folder::new("leases-dead");
    let trees = folder.0.join("trees");
    for turn in 0..20 {
        add(&Store::new(&trees), &folder.0, &format!("{turn}"));
    }
    assert_eq!(names(&trees.join(".leases")).len(), 1);
    for (name, mode) in [(".leases", 0o700), (".lock", 0o600), (".gc", 0o600)] {
        assert_eq!(fs::metadata(trees.join(name)).unwrap().permissions().mode() & 0o777, mode, "{name}");
    }
    for entry in fs::read_dir(trees.join(".leases")).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn asking_for_what_is_not_there_makes_nothing() {
    let folder = Folder::new("leases-none");
    let store = Store::new(&folder.0.join("trees"));
    assert!(!store.ensure(Digest::of(b"none"), &options()).unwrap());
    assert!(!folder.0.join("trees").exists());
}

#[test]
fn a_store_that_was_removed_is_leased_from_anew() {
    let folder = Folder::new("leases-removed");
    let trees = folder.0.join("trees");
    let store = Store::new(&trees);
    add(&store, &folder.0, "text");
    fs::remove_dir_all(&trees).unwrap();
    let digest = add(&store, &folder.0, "text");
    assert_eq!(collect(&Store::new(&trees), &[digest]), []);
}

#[test]
fn what_a_full_disk_cut_off_spoils_no_other_lease() {
    /// Writes half of the first lease.
    struct Full(AtomicU64);
    impl Fs for Full {
        fn write(&self, file: BorrowedFd, bytes: &[u8]) -> io::Result<usize> {
            if bytes.len() != 66 && bytes.len() != 33 {
                return OsFs.write(file, bytes);
            }
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => OsFs.write(file, &bytes[..33]),
                1 => Err(io::ErrorKind::StorageFull.into()),
                _ => OsFs.write(file, bytes),
            }
        }
    }
    let folder = Folder::new("leases-full");
    let trees = folder.0.join("trees");
    let digest = add(&Store::new(&trees), &folder.0, "text");
    let store = Store::with_fs(&trees, Box::new(Full(AtomicU64::new(0))));
    assert!(matches!(store.ensure(digest, &options()), Err(Error::Io { .. })), "no lease, no promise");
    assert!(store.ensure(digest, &options()).unwrap());
    assert_eq!(collect(&Store::new(&trees), &[digest]), []);
}

/// Counts calls; from one on, nothing happens any more: the process was killed.
struct Killed {
    left: AtomicU64,
    dead: AtomicBool,
}

impl Killed {
    fn call<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.dead.load(Ordering::Relaxed) || self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.dead.store(true, Ordering::Relaxed);
            return Err(io::ErrorKind::Other.into());
        }
        call()
    }
}

impl Fs for Killed {
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(|| OsFs.rename(from, to))
    }

    fn remove_all(&self, path: &Path) -> io::Result<()> {
        // Half of it goes.
        let first = fs::read_dir(path).ok().and_then(|mut names| names.next());
        self.call(|| OsFs.remove_all(path)).inspect_err(|_| {
            if let Some(Ok(entry)) = first {
                let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
            }
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.call(|| OsFs.remove_file(path))
    }

    fn make_folders(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.call(|| OsFs.make_folders(path, mode))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<std::ffi::OsString>> {
        self.call(|| OsFs.list(path))
    }

    fn stat(&self, path: &Path) -> io::Result<scriptstep_core::fs::Stat> {
        self.call(|| OsFs.stat(path))
    }
}

#[test]
fn killed_at_any_call_it_leaves_each_tree_whole_or_gone_and_the_next_one_finishes() {
    for at in 0.. {
        let folder = Folder::new("collect-killed");
        let trees = folder.0.join("trees");
        let digests: Vec<Digest> = (0..4).map(|n| add(&Store::new(&trees), &folder.0, &format!("text {n}"))).collect();
        let killed = Box::new(Killed { left: AtomicU64::new(at), dead: AtomicBool::new(false) });
        let collector = Store::with_fs(&trees, killed);
        let done = collector.begin_collecting().and_then(|right| collector.collect(&right, &digests[..3], &options()));
        drop(collector);
        let store = Store::new(&trees);
        for digest in &digests {
            if store.ensure(*digest, &options()).unwrap() {
                assert_eq!(store.verify(*digest, &options()).unwrap(), Vec::<String>::new(), "call {at}");
            }
        }
        assert!(store.ensure(digests[3], &options()).unwrap(), "call {at}: nobody asked for that");
        drop(store);
        let next = Store::new(&trees);
        let right = next.begin_collecting().unwrap();
        next.collect(&right, &digests[..3], &options()).unwrap();
        for left in next.leftovers().unwrap() {
            next.remove_leftover(&right, &left).unwrap();
        }
        assert_eq!(next.digests().unwrap(), [digests[3]], "call {at}");
        assert_eq!(names(&trees.join(".trash")), BTreeSet::new(), "call {at}");
        if done.is_ok() {
            assert!(at >= 8, "it made {at} calls");
            break;
        }
    }
}

#[test]
fn what_cannot_be_read_of_the_leases_ends_the_collection() {
    struct Unreadable;
    impl Fs for Unreadable {
        fn open(&self, path: &Path, follow: bool) -> io::Result<Box<dyn scriptstep_core::fs::OpenFile>> {
            if path.parent().is_some_and(|above| above.ends_with(".leases")) {
                return Err(io::Error::from_raw_os_error(5));
            }
            OsFs.open(path, follow)
        }
    }
    let folder = Folder::new("leases-unreadable");
    let trees = folder.0.join("trees");
    let maker = Store::new(&trees);
    let digest = add(&maker, &folder.0, "text");
    let store = Store::with_fs(&trees, Box::new(Unreadable));
    let right = store.begin_collecting().unwrap();
    assert!(store.collect(&right, &[digest], &options()).is_err());
    assert!(maker.ensure(digest, &options()).unwrap());
}

/// What du(1) would count below some folders: each inode once.
fn allocated(roots: impl Iterator<Item = PathBuf>) -> u64 {
    let (mut seen, mut waiting, mut sum) = (HashSet::new(), roots.collect::<Vec<_>>(), 0);
    while let Some(path) = waiting.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        if seen.insert(found.ino()) {
            sum += found.blocks() * 512;
        }
        if found.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever trees share which files, and in whatever order they go, the sums are those of the disk.
    #[test]
    fn sizes_are_those_of_the_disk(
        shared in prop::collection::vec(prop::collection::vec(0_usize..6, 0..4), 2..6),
        order in prop::collection::vec(any::<prop::sample::Index>(), 6),
        turn in any::<u64>(),
    ) {
        let folder = Folder::new(&format!("census-{turn}"));
        let trees = folder.0.join("trees");
        let store = Store::new(&trees);
        let mut digests: Vec<Digest> = (0..shared.len()).map(|n| add(&store, &folder.0, &format!("tree {n}"))).collect();
        for (number, files) in shared.iter().enumerate() {
            for file in files {
                let origin = folder.0.join(format!("file-{file}"));
                if !origin.exists() {
                    fs::write(&origin, vec![1; 5000 * (file + 1)]).unwrap();
                }
                let place = store.content_path(digests[number]).unwrap().join(format!("file-{file}"));
                let names = [CString::new(origin.to_str().unwrap()), CString::new(place.to_str().unwrap())];
                if let [Ok(from), Ok(to)] = names {
                    let root = OsFs.open_folder(Path::new("/")).unwrap();
                    let _ = OsFs.hard_link_at(root.as_fd(), &from, root.as_fd(), &to);
                }
            }
        }
        for file in 0..6 {
            let _ = fs::remove_file(folder.0.join(format!("file-{file}")));
        }
        let place = |digest: &Digest| trees.join(&digest.to_hex()[..2]).join(&digest.to_hex()[2..]);
        let mut census = store.census(&options()).unwrap();
        let all: HashMap<Digest, u64> = census.trees().collect();
        prop_assert_eq!(all.len(), digests.len());
        prop_assert_eq!(census.total(), allocated(digests.iter().map(place)));
        for index in order {
            if digests.is_empty() {
                break;
            }
            let before = allocated(digests.iter().map(place));
            let gone = digests.remove(index.index(digests.len()));
            let after = allocated(digests.iter().map(place));
            prop_assert_eq!(census.take_out(gone), before - after);
            prop_assert_eq!(census.total(), after);
        }
    }
}
