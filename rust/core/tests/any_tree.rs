//! Any tree is read: as deep, as odd, as large and as restless as it may be; and both walks find the same.
//!
//! `SCRIPTSTEP_TREES` says how many random trees are made, `SCRIPTSTEP_SPARSE_GB` how large a file of nothing is.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // A test makes its own files.

mod support;

use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, Mode, OFlags};
use scriptstep_core::Error;
use scriptstep_core::digest::Digest;
use scriptstep_core::fs::{Fs, OnName, OsFs, Stat};
use scriptstep_core::scan::{Options, Rules, scan};
use scriptstep_core::store::Store;

use support::{Folder, listed};

fn options(rules: Rules) -> Options<'static> {
    Options { rules, threads: 2, ..Options::default() }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Makes folders in each other, with a file in the deepest, and, where asked, one in each.
fn plant_deep(root: &Path, levels: usize, with_siblings: bool) {
    let mode = Mode::from_raw_mode(0o755);
    let mut open = rustix::fs::open(root, OFlags::DIRECTORY, Mode::empty()).unwrap();
    let write = |folder: &OwnedFd, name: &CStr| {
        let flags = OFlags::CREATE | OFlags::WRONLY;
        let file = rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o644)).unwrap();
        rustix::io::write(&file, b"here").unwrap();
    };
    for _ in 0..levels {
        if with_siblings {
            rustix::fs::mkdirat(&open, c"beside", mode).unwrap();
            let beside = rustix::fs::openat(&open, c"beside", OFlags::DIRECTORY, Mode::empty()).unwrap();
            write(&beside, c"file");
        }
        rustix::fs::mkdirat(&open, c"deeper", mode).unwrap();
        open = rustix::fs::openat(&open, c"deeper", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    write(&open, c"file");
}

/// Removes what paths are too short for.
fn remove_deep(root: &Path, levels: usize) {
    let mut open = vec![rustix::fs::open(root, OFlags::DIRECTORY, Mode::empty()).unwrap()];
    // The deepest first, some hundred at a time, moved up to where a path reaches them.
    for _ in 0..=levels / 500 {
        let mut here = rustix::fs::openat(&open[0], c".", OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..500 {
            match rustix::fs::openat(&here, c"deeper", OFlags::DIRECTORY, Mode::empty()) {
                Ok(next) => here = next,
                Err(_) => break,
            }
        }
        let aside = CString::new(format!("cut{}", open.len())).unwrap();
        let _ = rustix::fs::renameat(&here, c"deeper", &open[0], &aside);
        let _ = fs::remove_dir_all(root.join("deeper"));
        let _ = rustix::fs::renameat(&open[0], &aside, &open[0], c"deeper");
    }
    open.clear();
}

#[test]
fn ten_thousand_levels_are_read_kept_and_given_back() {
    let folder = Folder::new("deep");
    let (code, trees) = (folder.0.join("code"), folder.0.join("trees"));
    fs::create_dir(&code).unwrap();
    plant_deep(&code, 10_000, false);
    let found = scan(&OsFs, &code, &options(Rules::Git)).unwrap();
    assert_eq!(found.manifest.len(), 1);
    assert_eq!(found.manifest.entry(0).path.len(), 10_000 * "deeper/".len() + "file".len());
    let store = Store::new(&trees);
    store.save(&found, None, &Options::default()).unwrap();
    let copy = folder.0.join("copy");
    store.restore(found.manifest.digest(), &copy, &Options::default()).unwrap();
    assert_eq!(scan(&OsFs, &copy, &options(Rules::Git)).unwrap().manifest.digest(), found.manifest.digest());
    remove_deep(&code, 10_000);
    remove_deep(&copy, 10_000);
    let kept = store.content_path(found.manifest.digest()).unwrap();
    remove_deep(&kept, 10_000);
}

#[test]
fn many_folders_on_the_way_down_do_not_use_descriptors_up() {
    let folder = Folder::new("bushy");
    plant_deep(&folder.0, 3_000, true);
    for threads in [1, 2, 7] {
        let found = scan(&OsFs, &folder.0, &Options { threads, ..options(Rules::Git) }).unwrap();
        assert_eq!(found.manifest.len(), 3_001);
    }
    remove_deep(&folder.0, 3_000);
}

/// Draws numbers; the same seed draws the same ones (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }
}

const NAMES: [&[u8]; 14] = [
    b"a",
    b"b",
    b"a-b",
    b"a.b",
    b"ab",
    b"a0",
    b"\xff\xfe",
    b"new\nline",
    b" ",
    b"-",
    b"pyvenv.cfg",
    b".git",
    b"x.log",
    b"\xc3\xa9",
];
const LINKS: [&str; 8] = ["a", "../b", "nowhere", ".", "..", "../../outside", "../../outside/a", "a/../b"];

fn plant(draw: &mut Draw, folder: &Path, depth: usize) {
    for _ in 0..=draw.below(6) {
        let path = folder.join(OsStr::from_bytes(NAMES[draw.below(NAMES.len())]));
        if path.symlink_metadata().is_ok() {
            continue;
        }
        match draw.below(12) {
            0..=3 if depth < 5 => {
                fs::create_dir(&path).unwrap();
                plant(draw, &path, depth + 1);
            }
            4 => std::os::unix::fs::symlink(LINKS[draw.below(LINKS.len())], &path).unwrap(),
            5 => {
                let mode = Mode::from_raw_mode(0o644);
                rustix::fs::mknodat(CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
            }
            6 => {
                let rules: &[u8] = [&b"*.log\n"[..], b"a\n!a/b\n", b"/b/\n", b"\xff*\n", b"!*.log\n"][draw.below(5)];
                fs::write(folder.join(".gitignore"), rules).unwrap();
            }
            _ => fs::write(&path, [b"", &b"x"[..], b"something", &[7; 5_000]][draw.below(4)]).unwrap(),
        }
    }
}

#[test]
fn both_walks_find_the_same_whatever_the_threads() {
    for seed in 0..setting("SCRIPTSTEP_TREES", 500) {
        let folder = Folder::new(&format!("random-{seed}"));
        let code = folder.0.join("code");
        for path in ["code", "outside", "outside/a"] {
            fs::create_dir(folder.0.join(path)).unwrap();
        }
        plant(&mut Draw(seed), &code, 0);
        plant(&mut Draw(seed + 1_000_000), &folder.0.join("outside/a"), 2);
        for rules in [Rules::Git, Rules::None, Rules::AzureMl] {
            let wanted = scan(&OsFs, &code, &Options { by_paths: true, ..options(rules) });
            for threads in [1, 2, 5] {
                let found = scan(&OsFs, &code, &Options { threads, ..options(rules) });
                match (&wanted, found) {
                    (Ok(wanted), Ok(found)) => {
                        assert_eq!(listed(&found.manifest), listed(&wanted.manifest), "seed {seed}, {rules:?}");
                        assert_eq!(found.manifest.digest(), wanted.manifest.digest(), "seed {seed}");
                        assert_eq!(found.warnings, wanted.warnings, "seed {seed}, {rules:?}");
                    }
                    (Err(wanted), Err(found)) => assert_eq!(found.to_string(), wanted.to_string(), "seed {seed}"),
                    (wanted, found) => panic!("seed {seed}: {wanted:?}, and {found:?}"),
                }
            }
        }
    }
}

#[test]
fn a_large_file_is_read_by_pieces_as_by_one() {
    let folder = Folder::new("large");
    for (name, size) in [("small", 1_048_576), ("two", 1_048_577), ("odd", 3_456_789), ("even", 8 << 20)] {
        let bytes: Vec<u8> = (0..=255).cycle().take(size).collect();
        fs::write(folder.0.join(name), &bytes).unwrap();
        for threads in [1, 2, 8] {
            let found = scan(&OsFs, &folder.0, &Options { threads, ..options(Rules::None) }).unwrap();
            assert_eq!(found.manifest.get(name.as_bytes()).unwrap().digest, Digest::of(&bytes), "{name}");
            let alone = scan(&OsFs, &folder.0.join(name), &Options { threads, ..options(Rules::None) }).unwrap();
            assert_eq!(alone.manifest.get(b"").unwrap().digest, Digest::of(&bytes), "{name}");
        }
    }
}

/// Most memory that this process ever had, kilobytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[test]
fn a_huge_file_of_nothing_takes_no_memory() {
    let folder = Folder::new("sparse");
    let size = setting("SCRIPTSTEP_SPARSE_GB", 1) << 30;
    fs::File::create(folder.0.join("nothing")).unwrap().set_len(size).unwrap();
    let before = peak();
    let found = scan(&OsFs, &folder.0, &options(Rules::Git)).unwrap();
    assert_eq!(found.manifest.total_size(), size);
    // Other tests run beside it, and none of them holds much.
    assert!(peak() - before < 200_000, "{} KB", peak() - before);
}

/// Changes a tree while it is walked: each time that a folder is listed, `act` is called with how often that was so.
struct Restless<A: Fn(u64) + Send + Sync> {
    count: AtomicU64,
    act: A,
}

impl<A: Fn(u64) + Send + Sync> Fs for Restless<A> {
    fn list_open(&self, folder: BorrowedFd, buffer: &mut Vec<u8>, on_name: &mut OnName) -> io::Result<()> {
        OsFs.list_open(folder, buffer, on_name)?;
        (self.act)(self.count.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}

fn restless(act: impl Fn(u64) + Send + Sync) -> impl Fs {
    Restless { count: AtomicU64::new(0), act }
}

#[test]
fn a_file_that_comes_while_a_folder_is_walked_is_found_or_the_folder_named() {
    let folder = Folder::new("restless");
    let root = folder.0.clone();
    fs::write(root.join("a"), "a").unwrap();
    let once = restless(|turn| {
        if turn == 0 {
            fs::write(root.join("b"), "b").unwrap();
        }
    });
    let found = scan(&once, &root, &options(Rules::Git)).unwrap();
    assert_eq!(found.manifest.len(), 2);
    // One that goes between being listed and being read.
    let gone = restless(|turn| {
        if turn == 0 {
            fs::remove_file(root.join("b")).unwrap();
        }
    });
    assert_eq!(scan(&gone, &root, &options(Rules::Git)).unwrap().manifest.len(), 1);
    let endless = restless(|turn| fs::write(root.join(format!("f{turn}")), "x").unwrap());
    let error = scan(&endless, &root, &options(Rules::Git)).unwrap_err();
    assert!(matches!(&error, Error::Changed(path) if path.ends_with(root.file_name().unwrap())), "{error}");
}

#[test]
fn files_that_the_rules_leave_out_may_come_and_go_all_the_while() {
    let folder = Folder::new("logs");
    let root = folder.0.clone();
    fs::write(root.join(".gitignore"), "*.log\n").unwrap();
    fs::write(root.join("a"), "a").unwrap();
    let busy = restless(|turn| fs::write(root.join(format!("{turn}.log")), "x").unwrap());
    assert_eq!(scan(&busy, &root, &options(Rules::Git)).unwrap().manifest.len(), 2);
}

/// Fails the call of a number.
struct Failing {
    count: AtomicU64,
    at: u64,
}

impl Failing {
    fn turn(&self) -> io::Result<()> {
        let error = io::Error::from_raw_os_error(5);
        if self.count.fetch_add(1, Ordering::Relaxed) == self.at { Err(error) } else { Ok(()) }
    }
}

impl Fs for Failing {
    fn stat_open(&self, file: BorrowedFd) -> io::Result<Stat> {
        self.turn().and_then(|()| OsFs.stat_open(file))
    }

    fn stat_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<Stat> {
        self.turn().and_then(|()| OsFs.stat_at(folder, name))
    }

    fn open_folder_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        self.turn().and_then(|()| OsFs.open_folder_at(folder, name))
    }

    fn list_open(&self, folder: BorrowedFd, buffer: &mut Vec<u8>, on_name: &mut OnName) -> io::Result<()> {
        self.turn().and_then(|()| OsFs.list_open(folder, buffer, on_name))
    }

    fn open_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        self.turn().and_then(|()| OsFs.open_at(folder, name))
    }

    fn read_at(&self, file: BorrowedFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.turn().and_then(|()| OsFs.read_at(file, buffer, offset))
    }

    fn create_at(&self, folder: BorrowedFd, name: &CStr, mode: u32) -> io::Result<OwnedFd> {
        self.turn().and_then(|()| OsFs.create_at(folder, name, mode))
    }

    fn write(&self, file: BorrowedFd, bytes: &[u8]) -> io::Result<usize> {
        self.turn().and_then(|()| OsFs.write(file, bytes))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.turn().and_then(|()| OsFs.rename(from, to))
    }
}

#[test]
fn whichever_call_fails_the_answer_is_right_or_an_error() {
    let folder = Folder::new("failing");
    let code = folder.0.join("code");
    plant(
        &mut Draw(7),
        &{
            fs::create_dir(&code).unwrap();
            code.clone()
        },
        0,
    );
    fs::write(code.join("large"), vec![3; 3 << 20]).unwrap();
    fs::write(code.join(".gitignore"), "*.log\n").unwrap();
    let wanted = scan(&OsFs, &code, &options(Rules::Git)).unwrap().manifest.digest();
    let (mut errors, mut at) = (0, 0);
    loop {
        let failing = Failing { count: AtomicU64::new(0), at };
        match scan(&failing, &code, &Options { threads: 1, ..options(Rules::Git) }) {
            Ok(found) => assert_eq!(found.manifest.digest(), wanted, "call {at}"),
            Err(error) => {
                errors += 1;
                assert!(error.to_string().contains("code"), "call {at}: {error}");
            }
        }
        if failing.count.load(Ordering::Relaxed) <= at {
            break;
        }
        at += 1;
    }
    assert!(errors > 15 && at > 20, "{errors} errors in {at} calls");
}

#[test]
fn whichever_call_fails_the_store_holds_a_tree_whole_or_not_at_all() {
    let folder = Folder::new("failing-store");
    let code = folder.0.join("code");
    fs::create_dir_all(code.join("sub")).unwrap();
    for name in ["a", "b", "sub/c", "sub/d"] {
        fs::write(code.join(name), name).unwrap();
    }
    let found = scan(&OsFs, &code, &options(Rules::Git)).unwrap();
    let digest = found.manifest.digest();
    for at in 0.. {
        let trees = folder.0.join("trees");
        let _ = fs::remove_dir_all(&trees);
        let failing = Failing { count: AtomicU64::new(0), at };
        let count = std::sync::Arc::new(failing);
        let saved = Store::with_fs(&trees, Box::new(Shared(count.clone()))).save(&found, None, &Options::default());
        let store = Store::new(&trees);
        match saved {
            Ok(()) => assert_eq!(store.verify(digest, &Options::default()).unwrap(), Vec::<String>::new()),
            Err(_) => assert!(matches!(store.content_path(digest), Err(Error::Missing(_))), "call {at}"),
        }
        assert_eq!(fs::read_dir(trees.join(".tmp")).map_or(0, Iterator::count), 0, "call {at}");
        if count.count.load(Ordering::Relaxed) <= at {
            break;
        }
    }
}

#[test]
fn whichever_call_fails_a_copy_is_there_whole_or_not_at_all() {
    let folder = Folder::new("failing-copy");
    let (code, trees) = (folder.0.join("code"), folder.0.join("trees"));
    fs::create_dir_all(code.join("sub")).unwrap();
    for name in ["a", "sub/b", "sub/c"] {
        fs::write(code.join(name), name).unwrap();
    }
    let found = scan(&OsFs, &code, &options(Rules::Git)).unwrap();
    let digest = found.manifest.digest();
    Store::new(&trees).save(&found, None, &Options::default()).unwrap();
    for at in 0.. {
        let (outside, failing) = (folder.0.join(format!("out-{at}")), Failing { count: AtomicU64::new(0), at });
        fs::create_dir(&outside).unwrap();
        let count = std::sync::Arc::new(failing);
        let store = Store::with_fs(&trees, Box::new(Shared(count.clone())));
        match store.restore(digest, &outside.join("copy"), &Options::default()) {
            Ok(()) => {
                let copied = scan(&OsFs, &outside.join("copy"), &options(Rules::Git)).unwrap();
                assert_eq!(copied.manifest.digest(), digest, "call {at}");
            }
            Err(error) => {
                assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "call {at}");
                // What the disk does not give back is damaged; nothing else is.
                let is_there = Store::new(&trees).content_path(digest).is_ok();
                assert_eq!(is_there, !matches!(error, Error::Damaged { .. }), "call {at}: {error}");
                Store::new(&trees).save(&found, None, &Options::default()).unwrap();
            }
        }
        if count.count.load(Ordering::Relaxed) <= at {
            assert!(at > 10);
            break;
        }
    }
}

#[test]
fn a_tree_comes_out_whole_though_its_base_is_deleted_while_it_is_saved() {
    struct Deleting(PathBuf, AtomicU64, u64);
    impl Fs for Deleting {
        fn hard_link_at(&self, from: BorrowedFd, name: &CStr, to: BorrowedFd, new_name: &CStr) -> io::Result<()> {
            if self.1.fetch_add(1, Ordering::Relaxed) == self.2 {
                fs::remove_dir_all(&self.0).unwrap();
            }
            OsFs.hard_link_at(from, name, to, new_name)
        }
    }
    for at in [0, 1, 7, 30] {
        let folder = Folder::new(&format!("base-{at}"));
        let (code, trees) = (folder.0.join("code"), folder.0.join("trees"));
        fs::create_dir_all(code.join("sub")).unwrap();
        for number in 0..40 {
            fs::write(code.join(format!("sub/{number}")), format!("file {number}")).unwrap();
        }
        let first = scan(&OsFs, &code, &options(Rules::Git)).unwrap();
        let base = first.manifest.digest();
        Store::new(&trees).save(&first, None, &Options::default()).unwrap();
        fs::write(code.join("new"), "new").unwrap();
        let second = scan(&OsFs, &code, &options(Rules::Git)).unwrap();
        let lost = Store::new(&trees).content_path(base).unwrap().parent().unwrap().to_path_buf();
        let deleting = Deleting(lost, AtomicU64::new(0), at);
        Store::with_fs(&trees, Box::new(deleting)).save(&second, Some(base), &Options::default()).unwrap();
        let store = Store::new(&trees);
        assert!(matches!(store.content_path(base), Err(Error::Missing(_))));
        let told = store.verify(second.manifest.digest(), &Options::default()).unwrap();
        assert_eq!(told, Vec::<String>::new());
    }
}

/// One file system for a store and for who looks on.
struct Shared(std::sync::Arc<Failing>);

impl Fs for Shared {
    fn stat_open(&self, file: BorrowedFd) -> io::Result<Stat> {
        self.0.stat_open(file)
    }

    fn create_at(&self, folder: BorrowedFd, name: &CStr, mode: u32) -> io::Result<OwnedFd> {
        self.0.create_at(folder, name, mode)
    }

    fn write(&self, file: BorrowedFd, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(file, bytes)
    }

    fn read_at(&self, file: BorrowedFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(file, buffer, offset)
    }

    fn open_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        self.0.open_at(folder, name)
    }

    fn open_folder_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        self.0.open_folder_at(folder, name)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
}
