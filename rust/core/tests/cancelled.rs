//! A scan ends soon after it was told to, at whatever moment, on however many threads.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // A test makes its own files.

mod support;

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use scriptstep_core::Error;
use scriptstep_core::fs::{Fs, OnName, OsFs, Stat};
use scriptstep_core::scan::{Options, Rules, scan};

use support::Folder;

/// Tells a scan to end at the call of a number.
struct Cancelling<'a> {
    cancelled: &'a AtomicBool,
    count: AtomicU64,
    at: u64,
}

impl Cancelling<'_> {
    fn turn(&self) {
        if self.count.fetch_add(1, Ordering::Relaxed) == self.at {
            self.cancelled.store(true, Ordering::Relaxed);
        }
    }
}

impl Fs for Cancelling<'_> {
    fn stat_open(&self, file: BorrowedFd) -> io::Result<Stat> {
        self.turn();
        OsFs.stat_open(file)
    }

    fn list_open(&self, folder: BorrowedFd, buffer: &mut Vec<u8>, on_name: &mut OnName) -> io::Result<()> {
        self.turn();
        OsFs.list_open(folder, buffer, on_name)
    }

    fn open_at(&self, folder: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
        self.turn();
        OsFs.open_at(folder, name)
    }
}

#[test]
fn a_scan_that_is_told_to_end_ends() {
    let folder = Folder::new("cancelled");
    for number in 0..60 {
        let below = folder.0.join(format!("d{}/e{}", number % 4, number % 12));
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join(format!("f{number}")), "file").unwrap();
    }
    fs::File::create(folder.0.join("large")).unwrap().set_len(5 << 20).unwrap();
    let root = folder.0.clone();
    let (sender, told) = channel();
    let scans = std::thread::spawn(move || {
        let whole = scan(&OsFs, &root, &Options { rules: Rules::Git, ..Options::default() }).unwrap().manifest.digest();
        let mut ended = 0;
        for at in 0.. {
            for threads in [1, 2, 8] {
                let cancelled = AtomicBool::new(false);
                let fs = Cancelling { cancelled: &cancelled, count: AtomicU64::new(0), at };
                let options = Options { rules: Rules::Git, threads, cancelled: Some(&cancelled), ..Options::default() };
                match scan(&fs, &root, &options) {
                    Ok(found) => assert_eq!(found.manifest.digest(), whole),
                    Err(Error::Cancelled) => ended += 1,
                    Err(error) => panic!("{error}"),
                }
                if threads == 8 && !cancelled.load(Ordering::Relaxed) {
                    return ended;
                }
            }
            sender.send(at).unwrap();
        }
        ended
    });
    let mut last = 0;
    loop {
        match told.recv_timeout(Duration::from_secs(60)) {
            Ok(at) => last = at,
            Err(RecvTimeoutError::Timeout) => panic!("a scan told to end at call {} does not", last + 1),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let ended = scans.join().unwrap();
    assert!(last > 100 && ended > last, "{ended} ended early, of {last} calls");
}
