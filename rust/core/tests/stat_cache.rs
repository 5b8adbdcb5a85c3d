//! The stat cache is never believed where it could be wrong, and spares reading where it cannot be.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // A test makes its own files.

mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use scriptstep_core::digest::Digest;
use scriptstep_core::scan::{Cost, Rules};

use support::{Call, Meanwhile, Place, SECOND};

fn read(place: &Place) -> u64 {
    place.checked().cost.files_read
}

/// The one cache of a place.
fn cache_file(place: &Place) -> PathBuf {
    let found = fs::read_dir(&place.cache).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = found.filter(|path| !path.ends_with("now")).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[test]
fn nothing_is_read_where_nothing_changed() {
    let place = Place::settled("unchanged", 40);
    let opened = place.fs.opened.load(Ordering::Relaxed);
    assert_eq!(place.scan().cost, Cost { files_read: 0, bytes_read: 0, files_known: 40 });
    // Eight of them are read all the same, to see that the cache is right.
    assert_eq!(place.fs.opened.load(Ordering::Relaxed) - opened, 8);
}

#[test]
fn what_is_younger_than_the_window_is_read_again() {
    let place = Place::new("young");
    for number in 0..20 {
        place.write(&format!("f{number}"), b"x");
    }
    for seconds in [0, 1, 30, 28] {
        place.pass(seconds);
        assert_eq!(read(&place), 20);
    }
    place.pass(2);
    assert_eq!(read(&place), 20);
    assert_eq!(read(&place), 0);
}

#[test]
fn another_content_of_the_same_size_in_the_same_tick_is_seen() {
    let place = Place::settled("racy", 20);
    place.write("d0/f0.py", b"FILE 0");
    assert_eq!(read(&place), 1);
    place.write("d0/f0.py", b"fIlE 0");
    assert_eq!(read(&place), 1);
    // Saved while it was young, written in the same tick, and left alone until it looks old.
    place.pass(1_000);
    assert_eq!(read(&place), 1);
}

#[test]
fn a_write_that_leaves_no_trace_for_a_while_is_seen() {
    let place = Place::settled("mapped", 20);
    // The first store into a clean page shows, those after it do not before it is written back.
    place.write("d0/f0.py", b"FILE 0");
    for (seconds, bytes) in [(3, b"File 0"), (10, b"fIle 0"), (20, b"fiLe 0")] {
        place.pass(seconds);
        place.checked();
        place.write_without_trace("d0/f0.py", bytes);
        place.checked();
    }
}

#[test]
fn an_mtime_that_was_put_back_hides_nothing() {
    let place = Place::settled("put-back", 20);
    let (mtime, _) = place.times(&place.path("d0/f0.py"));
    place.write("d0/f0.py", b"FILE 0");
    place.set_mtime("d0/f0.py", mtime);
    assert_eq!(read(&place), 1);
}

#[test]
fn a_file_that_was_renamed_over_is_another() {
    let place = Place::settled("renamed-over", 20);
    let times = place.times(&place.path("d0/f0.py"));
    place.write("new", b"FILE 0");
    place.set_times(&place.path("new"), times.0, times.1);
    place.rename("new", "d0/f0.py");
    assert!(read(&place) >= 1);
}

#[test]
fn an_inode_that_is_used_again_is_not_the_same_file() {
    let place = Place::settled("inode", 20);
    let (mtime, _) = place.times(&place.path("d0/f0.py"));
    place.remove("d0/f0.py");
    place.write("d0/f0.py", b"FILE 0");
    place.set_mtime("d0/f0.py", mtime);
    assert!(read(&place) >= 1);
}

#[test]
fn times_of_the_future_and_of_long_ago_are_never_a_reason_to_believe() {
    for time in [i64::MAX, 9_000_000_000 * SECOND, 1_000_200 * SECOND] {
        let place = Place::settled("future", 20);
        place.set_times(&place.path("d0/f0.py"), time, time);
        for bytes in [b"FILE 0", b"fILE 0", b"FiLE 0"] {
            place.write_without_trace("d0/f0.py", bytes);
            assert_eq!(read(&place), 1);
        }
    }
    for time in [0, -1, -1_000 * SECOND, SECOND - 1, i64::MIN] {
        let place = Place::settled("past", 20);
        place.set_times(&place.path("d0/f0.py"), time, place.fs.now());
        assert_eq!(read(&place), 1);
    }
}

#[test]
fn whole_seconds_are_trusted_later() {
    let place = Place::new("coarse");
    place.fs.tick.store(2 * SECOND, Ordering::Relaxed);
    for number in 0..20 {
        place.write(&format!("f{number}"), b"x");
    }
    place.pass(62);
    assert_eq!(read(&place), 20);
    assert_eq!(read(&place), 20);
    place.pass(10);
    assert_eq!(read(&place), 20);
    assert_eq!(read(&place), 0);
}

#[test]
fn a_mode_is_seen_and_only_its_file_is_read() {
    let place = Place::settled("mode", 20);
    place.chmod("d0/f0.py", 0o755);
    assert_eq!(read(&place), 1);
}

#[test]
fn a_file_that_comes_or_goes_leaves_those_beside_it_unread() {
    let place = Place::settled("beside", 20);
    place.write("d0/new.py", b"new");
    assert_eq!(read(&place), 1);
    place.remove("d1/f1.py");
    assert_eq!(read(&place), 1);
    place.rename("d2", "moved");
    assert!(read(&place) <= 5);
}

#[test]
fn an_edited_rule_file_decides_anew_and_reads_no_file_again() {
    let place = Place::settled("rules", 20);
    place.write(".gitignore", b"*.log\n");
    place.write("d0/a.log", b"log");
    place.pass(100);
    place.checked();
    for (rules, kept) in [(&b"*.lox\n"[..], 22), (b"*.log\n", 21), (b"d0/\n", 17), (b"*.log\n", 21)] {
        place.write(".gitignore", rules);
        assert_eq!(place.checked().manifest.len(), kept);
    }
    // One of a folder, which is no content itself.
    place.write("d1/.gitignore", b".gitignore\nf1.py\n");
    place.pass(100);
    let before = place.checked().manifest.len();
    place.checked();
    place.write("d1/.gitignore", b".gitignore\nf9.py\n");
    assert_eq!(place.checked().manifest.len(), before + 1);
}

#[test]
fn a_virtual_environment_that_becomes_a_folder_is_seen() {
    let place = Place::settled("environment", 20);
    place.write("venv/pyvenv.cfg", b"home = /usr");
    place.write("venv/lib.py", b"x");
    place.pass(100);
    assert_eq!(place.checked().manifest.len(), 20);
    place.checked();
    place.remove("venv/pyvenv.cfg");
    assert_eq!(place.checked().manifest.len(), 21);
    place.write("venv/pyvenv.cfg", b"home = /usr");
    assert_eq!(place.checked().manifest.len(), 20);
}

#[test]
fn what_a_link_leads_to_is_looked_at_each_time() {
    let place = Place::settled("links", 20);
    let outside = place.above.join("outside");
    place.link("../outside", "link");
    place.pass(100);
    assert_eq!(place.checked().warnings.len(), 1);
    place.checked();
    fs::write(&outside, "one").unwrap();
    place.checked();
    place.checked();
    fs::write(&outside, "two").unwrap();
    place.checked();
    fs::remove_file(&outside).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("in it"), "three").unwrap();
    assert_eq!(place.checked().manifest.len(), 21);
    fs::write(outside.join("in it"), "four").unwrap();
    place.checked();
    fs::remove_dir_all(&outside).unwrap();
    assert_eq!(place.checked().warnings.len(), 1);
}

#[test]
fn a_folder_whose_clock_went_back_is_read_anew() {
    let place = Place::settled("back", 20);
    place.pass(-1_000);
    place.write_without_trace("d0/f0.py", b"FILE 0");
    assert_eq!(read(&place), 20);
}

#[test]
fn a_cache_that_is_not_as_it_was_written_is_dropped_in_silence() {
    let place = Place::settled("damaged", 20);
    let file = cache_file(&place);
    let whole = fs::read(&file).unwrap();
    for end in [0, 1, 15, 16, 48, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&file, &whole[..end]).unwrap();
        assert_eq!(place.checked().cost.files_read, 20, "cut at {end}");
    }
    for at in (0..whole.len()).step_by(7) {
        let mut bent = whole.clone();
        bent[at] ^= 0x10;
        fs::write(&file, &bent).unwrap();
        assert_eq!(place.scan().cost.files_read, 20, "a bit at {at}");
    }
    fs::write(&file, vec![b'x'; 100_000]).unwrap();
    assert_eq!(read(&place), 20);
    assert_eq!(read(&place), 0);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(read(&place), 20);
}

#[test]
fn another_folder_at_the_same_place_is_not_believed() {
    let place = Place::settled("cloned", 20);
    let aside = place.above.join("aside");
    fs::rename(&place.root, &aside).unwrap();
    fs::create_dir(&place.root).unwrap();
    place.set_times(&place.root, 0, 0);
    for number in 0..20 {
        place.write(&format!("d{}/f{number}.py", number % 5), format!("FILE {number}").as_bytes());
    }
    assert_eq!(read(&place), 20);
}

#[test]
fn code_and_data_of_one_folder_have_a_cache_each() {
    let place = Place::settled("flavours", 20);
    place.write(".gitignore", b"d0/\n");
    place.make_folder("empty");
    place.pass(100);
    let all = |with_cache| place.try_scan(Rules::None, with_cache).unwrap();
    for _ in 0..3 {
        assert_eq!(all(true).manifest.digest(), all(false).manifest.digest());
        place.checked();
    }
    assert_eq!(all(true).cost.files_read, 0);
    assert_eq!(place.scan().cost.files_read, 0);
}

#[test]
fn a_file_that_changed_without_any_trace_is_caught_sooner_or_later_and_told() {
    let place = Place::settled("caught", 24);
    place.write_without_trace("d0/f0.py", b"FILE 0");
    // Of 24 files eight are read each time, drawn anew.
    let mut caught = None;
    for _ in 0..40 {
        place.pass(1);
        let found = place.scan();
        if !found.warnings.is_empty() {
            caught = Some(found);
            break;
        }
    }
    let caught = caught.expect("it was never caught");
    assert!(caught.warnings[0].contains("d0/f0.py: changed without a trace"), "{:?}", caught.warnings);
    assert_eq!(caught.manifest.digest(), place.try_scan(Rules::Git, false).unwrap().manifest.digest());
    // From then on everything is read.
    assert_eq!(read(&place), 24);
    assert_eq!(read(&place), 24);
}

#[test]
fn several_may_share_one_cache() {
    let place = Place::settled("shared", 60);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..40 {
                    place.checked();
                }
            });
        }
        scope.spawn(|| {
            let file = cache_file(&place);
            for _ in 0..40 {
                let _ = fs::remove_file(&file);
                std::thread::yield_now();
            }
        });
    });
    let left: Vec<_> = fs::read_dir(&place.cache).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".new")), "{left:?}");
}

#[test]
fn nothing_is_kept_where_the_cache_lies_on_another_device() {
    let place = Place::settled("device", 20);
    let other = PathBuf::from("/dev/shm");
    if !other.is_dir() {
        return;
    }
    let folder = other.join(format!("scriptstep-stat-{}", std::process::id()));
    let mut cache = scriptstep_core::stat_cache::CacheOptions::new(&folder);
    cache.on_any_file_system = true;
    let options = scriptstep_core::scan::Options {
        rules: Rules::Git,
        cache: Some(cache),
        ..scriptstep_core::scan::Options::default()
    };
    for _ in 0..3 {
        let found = scriptstep_core::scan::scan(&place.fs, &place.root, &options).unwrap();
        assert_eq!(found.cost.files_read, 20);
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_rule_file_that_is_written_while_its_folder_is_looked_at_comes_with_its_own_selection() {
    for turn in 1..4 {
        let place = Place::new("rules-meanwhile");
        place.write(".gitignore", b"*.log\n");
        place.write("a.log", b"left out");
        place.write("b.py", b"content");
        place.pass(100);
        place.checked();
        place.pass(100);
        let asked = AtomicU64::new(0);
        let fs = Meanwhile(&place.fs, |call, name: &str| {
            if call == Call::Stat && name == ".gitignore" && asked.fetch_add(1, Ordering::Relaxed) + 1 == turn {
                place.write(".gitignore", b"*.py\n");
            }
        });
        let found = place.scan_with(&fs, Rules::Git, true).unwrap();
        let old = [".gitignore", "b.py"];
        let new = [".gitignore", "a.log"];
        let rules = found.manifest.get(b".gitignore").unwrap().digest;
        let names: Vec<_> =
            found.manifest.entries().map(|entry| String::from_utf8_lossy(entry.path).into_owned()).collect();
        let wanted = if rules == Digest::of(b"*.py\n") { new } else { old };
        assert_eq!(names, wanted, "written before it was asked for the {turn}. time");
        assert_eq!(place.checked().manifest.len(), 2);
    }
}
