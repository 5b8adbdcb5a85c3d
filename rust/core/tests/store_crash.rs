//! Whatever call of the store is its last, or fails, nothing is half there afterwards and nothing is lost.
//!
//! Each operation is done again and again, with a fault at its first call, at its second, and so on to its last; after
//! each a new store, with no repair, must be right. `cargo test --test store_crash -- --nocapture` tells the counts.

#![allow(clippy::disallowed_methods, clippy::print_stderr, clippy::unwrap_used)] // A test makes its own files.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::Errno;
use scriptstep_core::digest::Digest;
use scriptstep_core::fs::OsFs;
use scriptstep_core::scan::{Options, Rules, scan};
use scriptstep_core::store::Store;
use scriptstep_core::{Error, Result};

use support::faulty::{Fault, Faulty, Loss, all_below, cut_power, memory_folder};

const OPERATION: &str = "SCRIPTSTEP_CRASH_OPERATION";
const CALL: &str = "SCRIPTSTEP_CRASH_CALL";
const FOLDER: &str = "SCRIPTSTEP_CRASH_FOLDER";

/// Everything that changes a store or hands something out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Save,
    SaveFromBase,
    SaveAgain,
    Adopt,
    AdoptWithLinks,
    AdoptFile,
    AdoptWhatLeadsOut,
    AdoptAgain,
    Add,
    Restore,
    RestoreIntoFolder,
    RestoreDamaged,
    EnsureOfEarlierBoot,
    EnsureDamaged,
    SetAside,
    Sync,
}

use Operation::*;

const ALL: [Operation; 16] = [
    Save,
    SaveFromBase,
    SaveAgain,
    Adopt,
    AdoptWithLinks,
    AdoptFile,
    AdoptWhatLeadsOut,
    AdoptAgain,
    Add,
    Restore,
    RestoreIntoFolder,
    RestoreDamaged,
    EnsureOfEarlierBoot,
    EnsureDamaged,
    SetAside,
    Sync,
];

fn options() -> Options<'static> {
    Options { threads: 1, ..Options::default() }
}

fn code_options() -> Options<'static> {
    Options { rules: Rules::Git, ..options() }
}

/// A store with a source directory and an output beside it, ready for one operation.
struct Scene {
    root: PathBuf,
    operation: Operation,
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn write(path: PathBuf, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

impl Scene {
    fn new(name: &str, operation: Operation) -> Self {
        let root = memory_folder(name);
        let _ = fs::remove_dir_all(&root);
        let scene = Self { root, operation };
        write(scene.code().join("main.py"), "print(1)");
        write(scene.code().join("lib/large.bin"), vec![7; 300_000]);
        write(scene.code().join("lib/empty.py"), "");
        symlink("../main.py", scene.code().join("lib/link.py")).unwrap();
        fs::set_permissions(scene.code().join("main.py"), fs::Permissions::from_mode(0o755)).unwrap();
        scene.make_output();
        let store = scene.store(&Faulty::of_boot("a boot"));
        match operation {
            SaveFromBase => {
                scene.save(&store, None).unwrap();
                write(scene.code().join("main.py"), "print(2)");
            }
            AdoptAgain => {
                store.add(&scene.output(), &options()).unwrap();
            }
            Save | Adopt | AdoptWithLinks | AdoptFile | AdoptWhatLeadsOut | Add => {}
            _ => {
                scene.save(&store, None).unwrap();
            }
        }
        if matches!(operation, RestoreDamaged | EnsureDamaged) {
            write(store.content_path(scene.digest()).unwrap().join("main.py"), "print(9)");
        }
        scene
    }

    fn code(&self) -> PathBuf {
        self.root.join("code")
    }

    fn output(&self) -> PathBuf {
        self.root.join("out")
    }

    fn copy(&self) -> PathBuf {
        self.root.join("copy")
    }

    fn trees(&self) -> PathBuf {
        self.root.join("trees")
    }

    fn store(&self, fs: &Faulty) -> Store {
        Store::with_fs(&self.trees(), Box::new(fs.clone()))
    }

    /// What a script leaves, as it left it: an attempt that is made again writes it again.
    fn make_output(&self) {
        let out = self.output();
        let _ = fs::remove_dir_all(&out).or_else(|_| fs::remove_file(&out));
        if self.operation == AdoptFile {
            write(out, "a model");
            return;
        }
        write(out.join("a"), "this is a");
        write(out.join("sub/b"), "this is b");
        fs::create_dir(out.join("empty")).unwrap();
        write(self.root.join("shared/s"), "this is s");
        match self.operation {
            AdoptWithLinks => {
                fs::hard_link(out.join("a"), out.join("sub/also-a")).unwrap();
                symlink(out.join("sub/b"), out.join("absolute")).unwrap();
                symlink("../out/a", out.join("round")).unwrap();
                symlink("nowhere", out.join("gone")).unwrap();
                fs::set_permissions(out.join("sub"), fs::Permissions::from_mode(0o555)).unwrap();
            }
            AdoptWhatLeadsOut => symlink("../shared/s", out.join("shared")).unwrap(),
            _ => {}
        }
    }

    /// The digest that the operation is about, by what its source holds.
    fn digest(&self) -> Digest {
        let is_output = matches!(self.operation, Adopt | AdoptWithLinks | AdoptFile | AdoptWhatLeadsOut | AdoptAgain);
        if is_output {
            scan(&OsFs, &self.output(), &options()).unwrap().manifest.digest()
        } else {
            let of_code = if self.operation == Add { options() } else { code_options() };
            scan(&OsFs, &self.code(), &of_code).unwrap().manifest.digest()
        }
    }

    fn save(&self, store: &Store, base: Option<Digest>) -> Result<Digest> {
        let found = scan(&OsFs, &self.code(), &code_options())?;
        store.save(&found, base, &code_options())?;
        Ok(found.manifest.digest())
    }

    /// The base of `SaveFromBase`.
    fn base(&self, digest: Digest) -> Option<Digest> {
        trees(&self.trees()).into_iter().find(|tree| *tree != digest)
    }

    fn run(&self, fs: &Faulty, digest: Digest) -> Result<()> {
        let store = self.store(fs);
        match self.operation {
            Save | SaveAgain => self.save(&store, None).map(drop),
            SaveFromBase => self.save(&store, self.base(digest)).map(drop),
            Adopt | AdoptWithLinks | AdoptFile | AdoptWhatLeadsOut | AdoptAgain => {
                store.adopt(&self.output(), &options()).map(drop)
            }
            Add => store.add(&self.code(), &options()).map(drop),
            Restore => store.restore(digest, &self.copy(), &options()),
            RestoreIntoFolder => {
                fs::create_dir_all(self.copy()).unwrap();
                store.restore(digest, &self.copy(), &options())
            }
            RestoreDamaged => match store.restore(digest, &self.copy(), &options()) {
                Err(Error::Damaged { .. } | Error::Missing(_)) => Ok(()),
                Ok(()) => panic!("a damaged tree was handed out"),
                Err(error) => Err(error),
            },
            EnsureOfEarlierBoot | EnsureDamaged => store.ensure(digest, &options()).map(drop),
            SetAside => store.set_aside(digest).map(drop),
            Sync => store.sync(&[digest]),
        }
    }

    /// The file system of the operation: its boot is another where the trees are to be those of an earlier one.
    fn file_system(&self, fault: Fault, at: u64) -> Faulty {
        let is_later = matches!(self.operation, EnsureOfEarlierBoot | EnsureDamaged);
        let mut fs = Faulty::new(fault, at);
        if is_later {
            // What they hold came through an earlier power cut: it is on the disk.
            fs.boot = "a later boot";
            fs.synced_below(&self.trees());
        }
        fs
    }

    /// Holds everything against what must be, for a process that comes later, in some boot.
    fn check(&self, digest: Digest, boot: &'static str, told: &str) {
        let fs = Faulty::of_boot(boot);
        let store = self.store(&fs);
        for tree in trees(&self.trees()) {
            if store.ensure(tree, &options()).unwrap() {
                let wrong = store.verify(tree, &options()).unwrap();
                assert_eq!(wrong, Vec::<String>::new(), "{told}: {tree} is believed");
                assert_eq!(store.manifest(tree).unwrap().digest(), tree, "{told}");
            }
        }
        if self.copy().exists() && self.operation != RestoreIntoFolder {
            let copied = scan(&OsFs, &self.copy(), &code_options()).unwrap().manifest.digest();
            assert_eq!(copied, digest, "{told}: a part of a copy");
        }
        // Once more, and now it is well.
        let _ = fs::remove_dir_all(self.copy());
        self.make_output();
        match self.operation {
            Restore | RestoreIntoFolder | RestoreDamaged | EnsureDamaged | SetAside | Sync | EnsureOfEarlierBoot => {
                self.save(&store, None).unwrap_or_else(|error| panic!("{told}: {error}"));
                if store.ensure(digest, &options()).unwrap() {
                    store.restore(digest, &self.copy(), &options()).unwrap_or_else(|error| panic!("{told}: {error}"));
                }
                self.save(&store, None).unwrap();
            }
            _ => self.run(&fs, digest).unwrap_or_else(|error| panic!("{told}, again: {error}")),
        }
        assert!(store.ensure(digest, &options()).unwrap(), "{told}: it is not there when it was made again");
        assert_eq!(store.verify(digest, &options()).unwrap(), Vec::<String>::new(), "{told}");
    }

    /// Names that lie where only unfinished things do.
    fn unfinished(&self) -> Vec<String> {
        let mut found: Vec<String> = names(&self.trees().join(".tmp"));
        found.extend(names(&self.root).into_iter().filter(|name| name.starts_with(".scriptstep-")));
        found
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// The digests under which something lies in a store.
fn trees(root: &Path) -> Vec<Digest> {
    let folders = names(root).into_iter().filter(|name| name.len() == 2);
    let found =
        folders.flat_map(|above| names(&root.join(&above)).into_iter().map(move |rest| format!("{above}{rest}")));
    found.filter_map(|hex| Digest::from_hex(&hex)).collect()
}

/// Does each operation with a fault at each of its calls; what follows is told of the scene, its digest, the file
/// system, what came of it, and in which words. Returns how often the fault came to pass.
fn at_each_call(name: &str, fault: Fault, mut then: impl FnMut(&Scene, Digest, &Faulty, Result<()>, &str)) -> u64 {
    let mut times = 0;
    for operation in ALL {
        for at in 1.. {
            let scene = Scene::new(name, operation);
            let digest = scene.digest();
            let fs = scene.file_system(fault, at);
            let outcome = scene.run(&fs, digest);
            let told = format!("{operation:?}, {fault:?} at call {at}");
            if fs.struck() {
                times += 1;
                then(&scene, digest, &fs, outcome, &told);
            } else {
                outcome.unwrap_or_else(|error| panic!("{told}, which was not reached: {error}"));
            }
            if fs.count() < at {
                break;
            }
        }
    }
    times
}

#[test]
fn a_process_that_ends_at_any_call_leaves_nothing_half() {
    let mut times = 0;
    for fault in [Fault::End, Fault::EndHalfway] {
        times += at_each_call("ended", fault, |scene, digest, _, _, told| scene.check(digest, "a boot", told));
    }
    eprintln!("ended at {times} calls");
    assert!(times > 500, "{times}");
}

/// Not a test: the process that the next one kills.
#[test]
fn killed() {
    let (Ok(operation), Ok(call), Ok(folder)) = (std::env::var(OPERATION), std::env::var(CALL), std::env::var(FOLDER))
    else {
        return;
    };
    let operation = ALL[operation.parse::<usize>().unwrap()];
    let scene = std::mem::ManuallyDrop::new(Scene { root: PathBuf::from(folder), operation });
    let fs = scene.file_system(Fault::Kill, call.parse().unwrap());
    scene.run(&fs, scene.digest()).unwrap();
}

#[test]
fn a_process_that_is_killed_at_any_call_leaves_nothing_half_and_what_it_left_is_reclaimed() {
    let mut kills = 0;
    for (number, operation) in ALL.into_iter().enumerate() {
        for at in 1.. {
            let scene = Scene::new("killed", operation);
            let digest = scene.digest();
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "killed"])
                .env(OPERATION, number.to_string())
                .env(CALL, at.to_string())
                .env(FOLDER, &scene.root)
                .output()
                .unwrap();
            if status.status.success() {
                break;
            }
            let told = format!("{operation:?}, killed at call {at}");
            assert!(status.status.code().is_none(), "{told}: {}", String::from_utf8_lossy(&status.stdout));
            kills += 1;
            scene.check(digest, "a boot", &told);
            // Something new is made, and what the dead one left goes.
            write(scene.root.join("new"), "new");
            let store = scene.store(&Faulty::of_boot("a boot"));
            store.add(&scene.root.join("new"), &options()).unwrap();
            let _ = fs::remove_dir_all(scene.copy());
            store.restore(digest, &scene.copy(), &options()).unwrap();
            assert_eq!(scene.unfinished(), Vec::<String>::new(), "{told}");
        }
    }
    eprintln!("killed at {kills} calls");
    assert!(kills > 300, "{kills}");
}

fn fault_is(fault: Fault, wanted: Errno) -> bool {
    matches!(fault, Fault::Once(error) | Fault::From(error) if error == wanted)
}

#[test]
fn a_call_that_fails_is_one_error_that_names_a_path_and_loses_nothing() {
    let mut times = 0;
    let faults = [Fault::Once, Fault::From];
    for fault in faults.into_iter().flat_map(|how| [Errno::NOSPC, Errno::IO, Errno::MFILE, Errno::ROFS].map(how)) {
        times += at_each_call("failed", fault, |scene, digest, fs, outcome, told| {
            if let Err(error) = &outcome {
                let text = error.to_string();
                let names_it = matches!(error, Error::Damaged { .. } | Error::Missing(_));
                assert!(names_it || text.contains(scene.root.to_str().unwrap()), "{told}: {text}");
            }
            if matches!(fault, Fault::Once(_)) && !fs.struck_removal() {
                assert_eq!(scene.unfinished(), Vec::<String>::new(), "{told}: {outcome:?}");
            }
            let store = scene.store(&Faulty::of_boot("a boot"));
            let is_kept = store.ensure(digest, &options()).unwrap();
            if outcome.is_ok() {
                let is_gone = matches!(scene.operation, RestoreDamaged | EnsureDamaged | SetAside);
                // What the disk does not give back is damaged: it was told not to be there.
                let is_lost = scene.operation == EnsureOfEarlierBoot && fault_is(fault, Errno::IO);
                assert!(is_kept || is_gone || is_lost, "{told}: it was told to be well");
            }
            if matches!(scene.operation, Adopt | AdoptWithLinks | AdoptFile | AdoptWhatLeadsOut | AdoptAgain)
                && !is_kept
            {
                // Where it could not be moved back, the error says where it lies.
                if let Err(Error::Io { action: "move back", path, .. }) = &outcome
                    && path.exists()
                {
                    fs::rename(path, scene.output()).unwrap();
                }
                // A disk that fails from there on does not let go of what is beside it.
                let unfinished =
                    |path: &PathBuf| path.file_name().unwrap().as_encoded_bytes().starts_with(b".scriptstep-");
                if matches!(fault, Fault::From(Errno::IO | Errno::ROFS)) {
                    all_below(&scene.output())
                        .into_iter()
                        .filter(unfinished)
                        .for_each(|path| fs::remove_file(path).unwrap());
                }
                let left = scan(&OsFs, &scene.output(), &options()).map(|found| found.manifest.digest());
                assert_eq!(left.ok(), Some(digest), "{told}: what the script wrote is lost: {outcome:?}");
            }
            if outcome.is_err() && !matches!(scene.operation, RestoreIntoFolder) {
                assert!(!scene.copy().exists() || fs.struck_removal(), "{told}: {outcome:?}, and a copy");
            }
            scene.check(digest, "a boot", told);
        });
    }
    eprintln!("failed {times} calls");
    assert!(times > 1000, "{times}");
}

#[test]
fn reads_and_writes_that_do_a_part_or_are_interrupted_do_the_whole() {
    for operation in ALL {
        let scene = Scene::new("parts", operation);
        let digest = scene.digest();
        scene.run(&scene.file_system(Fault::Parts, 0), digest).unwrap_or_else(|error| panic!("{operation:?}: {error}"));
        scene.check(digest, "a boot", &format!("{operation:?} in parts"));
    }
}

#[test]
fn what_the_disk_did_not_take_once_is_read_after_a_power_cut_whatever_it_says_later() {
    let mut times = 0;
    at_each_call("taken", Fault::Once(Errno::IO), |scene, digest, _, outcome, told| {
        let Err(Error::Io { action: "sync", .. }) = outcome else { return };
        times += 1;
        // The system tells of what it lost one time only.
        let fs = Faulty::of_boot("a boot");
        scene.store(&fs).sync(&[digest]).unwrap();
        cut_power(&scene.trees(), &Faulty::of_boot("a boot"), Loss::Zeros);
        scene.check(digest, "the boot after", told);
    });
    assert_eq!(times, 1);
}

#[test]
fn a_power_cut_after_any_call_leaves_no_torn_tree_that_is_believed() {
    let mut times = 0;
    for loss in [Loss::Empty, Loss::Cut, Loss::Zeros, Loss::Some] {
        times += at_each_call("power", Fault::End, |scene, digest, fs, _, told| {
            cut_power(&scene.trees(), fs, loss);
            scene.check(digest, "the boot after", &format!("{told}, {loss:?}"));
        });
        // And after its last.
        for operation in ALL {
            let scene = Scene::new("power", operation);
            let digest = scene.digest();
            let fs = scene.file_system(Fault::None, 0);
            scene.run(&fs, digest).unwrap();
            cut_power(&scene.trees(), &fs, loss);
            if operation == Sync {
                let store = scene.store(&Faulty::of_boot("the boot after"));
                assert!(store.ensure(digest, &options()).unwrap(), "what was synced is there");
            }
            scene.check(digest, "the boot after", &format!("{operation:?} done, {loss:?}"));
        }
    }
    eprintln!("power cut {times} times");
    assert!(times > 500, "{times}");
}
