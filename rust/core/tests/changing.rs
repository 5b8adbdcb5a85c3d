//! A file that changes while it is read, in one piece or in several, is read again, or named.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // A test makes its own files.

mod support;

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use scriptstep_core::Error;
use scriptstep_core::digest::Digest;
use scriptstep_core::fs::{Fs, OsFs};
use scriptstep_core::scan::{Options, Rules, scan};

use support::Folder;

fn options(rules: Rules) -> Options<'static> {
    Options { rules, threads: 2, ..Options::default() }
}

#[test]
fn a_file_that_changes_while_it_is_read_in_pieces_is_read_again_or_named() {
    struct Growing(PathBuf, AtomicU64, u64);
    impl Fs for Growing {
        fn read_at(&self, file: BorrowedFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let turn = self.1.fetch_add(1, Ordering::Relaxed);
            if turn < self.2 {
                use std::io::Write;
                fs::OpenOptions::new().append(true).open(&self.0).unwrap().write_all(b"more").unwrap();
            }
            OsFs.read_at(file.as_fd(), buffer, offset)
        }
    }
    for size in [1_000, 2 << 20] {
        let folder = Folder::new(&format!("growing-{size}"));
        let path = folder.0.join("file");
        fs::write(&path, vec![5; size]).unwrap();
        let once = scan(&Growing(path.clone(), AtomicU64::new(0), 1), &folder.0, &options(Rules::None)).unwrap();
        assert_eq!(once.manifest.get(b"file").unwrap().digest, Digest::of(&fs::read(&path).unwrap()));
        let endless = Growing(path.clone(), AtomicU64::new(0), u64::MAX);
        let error = scan(&endless, &folder.0, &options(Rules::None)).unwrap_err();
        assert!(matches!(&error, Error::Changed(named) if named.ends_with("file") || named == &folder.0), "{error}");
    }
}

#[test]
fn a_file_that_is_cut_while_it_is_read_in_pieces_is_read_again_or_named() {
    struct Cutting(PathBuf, AtomicU64, u64);
    impl Fs for Cutting {
        fn read_at(&self, file: BorrowedFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            // The first read is of its first piece, and finds all of it.
            if self.1.fetch_add(1, Ordering::Relaxed) == 1 {
                fs::OpenOptions::new().write(true).open(&self.0).unwrap().set_len(self.2).unwrap();
            }
            OsFs.read_at(file.as_fd(), buffer, offset)
        }
    }
    for left in [0, 1, 1_000_000, 1 << 20, (2 << 20) + 7] {
        let folder = Folder::new(&format!("cut-{left}"));
        let path = folder.0.join("file");
        fs::write(&path, vec![5; 5 << 20]).unwrap();
        let found = scan(&Cutting(path.clone(), AtomicU64::new(0), left), &folder.0, &options(Rules::None)).unwrap();
        assert_eq!(found.manifest.get(b"file").unwrap().size, left);
        assert_eq!(found.manifest.get(b"file").unwrap().digest, Digest::of(&fs::read(&path).unwrap()));
    }
}
