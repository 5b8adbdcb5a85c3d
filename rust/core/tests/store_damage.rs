//! A stored tree damaged at any byte of any of its files: it is never handed on, and can be made again.
//!
//! `cargo test --test store_damage -- --nocapture` tells the counts.

#![allow(clippy::disallowed_methods, clippy::print_stderr, clippy::unwrap_used)] // A test makes its own files.

mod support;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use scriptstep_core::Error;
use scriptstep_core::digest::Digest;
use scriptstep_core::fs::OsFs;
use scriptstep_core::scan::{Options, scan};
use scriptstep_core::store::Store;

use support::faulty::{Faulty, all_below, memory_folder};

/// A store in a boot after the one that its trees were made in, so that they are read before they are believed; and the
/// place of its one tree.
struct Stored {
    root: PathBuf,
    digest: Digest,
}

impl Drop for Stored {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Stored {
    fn new(name: &str) -> Self {
        let root = memory_folder(name);
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("code/sub")).unwrap();
        fs::write(root.join("code/main.py"), "print('hello')\n").unwrap();
        fs::write(root.join("code/sub/data"), "0123456789").unwrap();
        fs::write(root.join("code/sub/run"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(root.join("code/sub/run"), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("main.py", root.join("code/link")).unwrap();
        let digest = scan(&OsFs, &root.join("code"), &Options::default()).unwrap().manifest.digest();
        let stored = Self { root, digest };
        stored.store("a boot").add(&stored.root.join("code"), &Options::default()).unwrap();
        stored
    }

    fn store(&self, boot: &'static str) -> Store {
        Store::with_fs(&self.root.join("trees"), Box::new(Faulty::of_boot(boot)))
    }

    fn tree(&self) -> PathBuf {
        let hex = self.digest.to_hex();
        self.root.join("trees").join(&hex[..2]).join(&hex[2..])
    }

    /// Holds what a store does with a damaged tree against what it must do.
    fn check(&self, told: &str) {
        let copy = self.root.join("copy");
        let copied = |path: &Path| scan(&OsFs, path, &Options::default()).unwrap().manifest.digest();
        // Handed out at once: every byte is held against the manifest.
        match self.store("a boot").restore(self.digest, &copy, &Options::default()) {
            Ok(()) => assert_eq!(copied(&copy), self.digest, "{told}: what was handed out"),
            Err(Error::Damaged { .. } | Error::Missing(_)) => assert!(!copy.exists(), "{told}: a part was handed out"),
            Err(error) => panic!("{told}: {error}"),
        }
        let store = self.store("the boot after");
        if store.ensure(self.digest, &Options::default()).unwrap() {
            assert_eq!(store.verify(self.digest, &Options::default()).unwrap(), Vec::<String>::new(), "{told}");
        }
        store.add(&self.root.join("code"), &Options::default()).unwrap();
        assert!(store.ensure(self.digest, &Options::default()).unwrap(), "{told}: it cannot be made again");
        let _ = fs::remove_dir_all(&copy);
        store.restore(self.digest, &copy, &Options::default()).unwrap();
        assert_eq!(copied(&copy), self.digest, "{told}");
    }
}

fn damage_each(name: &str, damages: impl Fn(&[u8]) -> Vec<(String, Vec<u8>)>) -> usize {
    let files = |stored: &Stored| -> Vec<PathBuf> {
        all_below(&stored.tree()).into_iter().filter(|path| fs::symlink_metadata(path).unwrap().is_file()).collect()
    };
    let mut count = 0;
    let places: Vec<PathBuf> = {
        let stored = Stored::new(name);
        files(&stored).into_iter().map(|path| path.strip_prefix(stored.tree()).unwrap().to_path_buf()).collect()
    };
    assert!(places.len() >= 5, "{places:?}");
    for place in places {
        let bytes = fs::read(Stored::new(name).tree().join(&place)).unwrap();
        for (what, damaged) in damages(&bytes) {
            let stored = Stored::new(name);
            let path = stored.tree().join(&place);
            let time = fs::metadata(&path).unwrap().modified().unwrap();
            fs::write(&path, damaged).unwrap();
            // As a disk damages it: its times tell nothing.
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
            stored.check(&format!("{} {what}", place.display()));
            count += 1;
        }
    }
    count
}

#[test]
fn a_flipped_bit_at_any_byte_is_never_handed_on() {
    let flipped = |bytes: &[u8]| {
        let at = |at: usize| {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1 << (at % 8);
            (format!("flipped at {at}"), flipped)
        };
        (0..bytes.len()).map(at).collect()
    };
    eprintln!("flipped at {} places", damage_each("flipped", flipped));
}

#[test]
fn a_file_cut_anywhere_or_extended_is_never_handed_on() {
    let cut = |bytes: &[u8]| {
        let mut found: Vec<_> = (0..bytes.len()).map(|at| (format!("cut at {at}"), bytes[..at].to_vec())).collect();
        found.push(("extended".to_owned(), [bytes, b"x"].concat()));
        found.push(("doubled".to_owned(), bytes.repeat(2)));
        found.push(("zeroed".to_owned(), vec![0; bytes.len()]));
        found
    };
    eprintln!("cut or extended at {} places", damage_each("cut", cut));
}

#[test]
fn a_file_replaced_by_something_else_is_never_handed_on() {
    type Replace = fn(&Path);
    let replacements: [(&str, Replace); 5] = [
        ("gone", |_| {}),
        ("a folder", |path| fs::create_dir(path).unwrap()),
        ("a link to a copy", |path| std::os::unix::fs::symlink("/etc/hostname", path).unwrap()),
        ("a link to itself", |path| std::os::unix::fs::symlink(path.file_name().unwrap(), path).unwrap()),
        ("a socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
    ];
    let mut count = 0;
    for place in ["content/main.py", "content/sub/data", "content/sub/run", "content/link", "content/sub", "content"]
        .into_iter()
        .chain(["manifest", "rows", ""])
    {
        for (what, replace) in replacements {
            let stored = Stored::new("other");
            // The path of a socket must be short, and a tree's is not.
            let made = stored.root.join("s");
            let path = if place.is_empty() { stored.tree() } else { stored.tree().join(place) };
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
            replace(&made);
            if fs::symlink_metadata(&made).is_ok() {
                fs::rename(&made, &path).unwrap();
            }
            stored.check(&format!("{place} {what}"));
            count += 1;
        }
    }
    eprintln!("replaced {count} times");
}
