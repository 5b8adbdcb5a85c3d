//! A stamp that is what it was proves that a file holds what it held; where nothing is proved, there is none.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // A test makes its own files.

mod support;

use std::os::unix::fs::symlink;
use std::time::{Duration, UNIX_EPOCH};

use scriptstep_core::fs::OsFs;
use scriptstep_core::stat_cache::stamps;

use support::{Place, SECOND};

fn stamp(place: &Place, name: &str) -> Option<Vec<u8>> {
    let now = UNIX_EPOCH + Duration::from_nanos(place.fs.now().unsigned_abs());
    stamps(&place.fs, &place.root, &[name], now).remove(0)
}

#[test]
fn a_file_that_is_left_alone_keeps_its_stamp() {
    let place = Place::new("stamp-kept");
    place.write("a/RECORD", b"one");
    place.pass(61);
    let before = stamp(&place, "a/RECORD");
    assert!(before.as_ref().is_some_and(|stamp| !stamp.is_empty()));
    place.pass(100_000);
    assert_eq!(stamp(&place, "a/RECORD"), before);
}

#[test]
fn a_file_that_changed_in_the_last_minute_has_none() {
    let place = Place::new("stamp-young");
    place.write("RECORD", b"one");
    for seconds in [0, 1, 58] {
        place.pass(seconds);
        assert_eq!(stamp(&place, "RECORD"), None, "{seconds} s later");
    }
    place.pass(2);
    assert!(stamp(&place, "RECORD").is_some());
}

#[test]
fn whatever_is_written_has_another_stamp() {
    let place = Place::new("stamp-written");
    place.write("RECORD", b"one");
    place.pass(61);
    let first = stamp(&place, "RECORD");
    // Of the same size, and given back the time that it had; what says so can be no older than that.
    let (mtime, _) = place.times(&place.path("RECORD"));
    place.write("RECORD", b"two");
    place.set_times(&place.path("RECORD"), mtime, place.fs.now());
    assert_eq!(stamp(&place, "RECORD"), None);
    place.pass(61);
    let second = stamp(&place, "RECORD");
    assert!(second.is_some() && second != first);
}

#[test]
fn a_time_of_the_future_proves_nothing() {
    let place = Place::new("stamp-future");
    place.write("RECORD", b"one");
    place.set_times(&place.path("RECORD"), place.fs.now() + 1_000 * SECOND, place.fs.now());
    place.pass(100);
    assert_eq!(stamp(&place, "RECORD"), None);
}

#[test]
fn what_is_not_there_is_known_as_that() {
    let place = Place::new("stamp-gone");
    assert_eq!(stamp(&place, "nothing"), Some(Vec::new()));
    place.write("nothing", b"");
    place.pass(61);
    assert!(stamp(&place, "nothing").is_some_and(|stamp| !stamp.is_empty()));
}

#[test]
fn links_and_folders_have_none() {
    let place = Place::new("stamp-kinds");
    place.write("folder/file", b"");
    symlink("folder/file", place.path("link")).unwrap();
    place.pass(1_000);
    assert_eq!(stamp(&place, "link"), None);
    assert_eq!(stamp(&place, "folder"), None);
    assert!(stamp(&place, "folder/file").is_some());
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_system_that_does_not_show_each_change_gives_none() {
    let later = UNIX_EPOCH + Duration::from_secs(1 << 33);
    assert_eq!(stamps(&OsFs, "/proc".as_ref(), &["version", "nothing"], later), [None, None]);
    assert_eq!(stamps(&OsFs, "/no/such/folder".as_ref(), &["a"], later), [None]);
}
