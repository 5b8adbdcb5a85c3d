//! Trees that are edited at random, in every way that could fool a stat cache, are scanned as if there were none.
//!
//! `SCRIPTSTEP_STEPS` says how many edits are made, `SCRIPTSTEP_SEED` which.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // A test makes its own files.

mod support;

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::Ordering;

use scriptstep_core::scan::Rules;

use support::{Place, SECOND, listed};

/// A page goes back to the disk so long after it was written to, at the most.
const WRITEBACK_S: u64 = 35;

/// Draws numbers; the same seed draws the same ones (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

struct Model {
    place: Place,
    draw: Draw,
    /// Files with a dirty page, and when that goes back to the disk.
    dirty: HashMap<String, i64>,
    files: Vec<String>,
    last: Option<String>,
    log: String,
}

const FOLDERS: [&str; 6] = ["", "a/", "a/b/", "c/", "a/b/d/", "build/"];

impl Model {
    fn new(seed: u64) -> Self {
        let mut model = Self {
            place: Place::new(&format!("model-{seed}")),
            draw: Draw(seed),
            dirty: HashMap::new(),
            files: Vec::new(),
            last: None,
            log: String::new(),
        };
        for _ in 0..30 {
            model.create();
        }
        model
    }

    fn name(&mut self) -> String {
        let folder = *self.draw.of(&FOLDERS);
        let number = self.draw.below(12);
        format!("{folder}f{number}{}", self.draw.of(&["", ".py", ".log", ".o"]))
    }

    /// Four bytes: files differ in what they hold, not in how much.
    fn bytes(&mut self) -> Vec<u8> {
        format!("{:04}", self.draw.below(10_000)).into_bytes()
    }

    fn file(&mut self) -> Option<String> {
        self.files.retain(|name| self.place.path(name).is_file());
        // What was touched last is touched again, half of the time: most of what could fool a cache takes two turns.
        let last = self.last.clone().filter(|name| self.files.contains(name));
        if self.files.is_empty() {
            return None;
        }
        let again = self.draw.below(2) == 0;
        let drawn = self.draw.of(&self.files).clone();
        self.last = last.filter(|_| again).or(Some(drawn));
        self.last.clone()
    }

    fn create(&mut self) {
        let (name, bytes) = (self.name(), self.bytes());
        if !self.place.path(&name).is_dir() {
            self.place.write(&name, &bytes);
            self.dirty.remove(&name);
            self.files.push(name);
        }
    }

    /// What waits to be written back is, where its time has come.
    fn write_back(&mut self) {
        let now = self.place.fs.now();
        self.dirty.retain(|_, due| *due > now);
    }

    /// A store through a mapping: the first one into a clean page shows.
    fn store(&mut self, name: &str) {
        let bytes = self.bytes();
        let now = self.place.fs.now();
        if self.dirty.contains_key(name) {
            self.place.write_without_trace(name, &bytes);
        } else {
            self.place.write(name, &bytes);
            let seconds = i64::try_from(self.draw.below(WRITEBACK_S)).unwrap();
            self.dirty.insert(name.to_owned(), now + seconds * SECOND);
        }
    }

    fn edit(&mut self) {
        let what = self.draw.below(17);
        let Some(name) = self.file() else { return self.create() };
        let _ = write!(self.log, " {what}:{name}");
        let place = &self.place;
        match what {
            0 | 1 => self.create(),
            2..=4 => {
                let bytes = self.bytes();
                self.place.write(&name, &bytes);
            }
            // Written, and its mtime put back.
            5 => {
                let (mtime, _) = place.times(&place.path(&name));
                let bytes = self.bytes();
                self.place.write(&name, &bytes);
                self.place.set_mtime(&name, mtime);
            }
            6 | 7 => self.store(&name),
            8 => {
                place.remove(&name);
                self.dirty.remove(&name);
            }
            // Renamed over another one of the same times.
            9 => {
                let Some(other) = self.file() else { return };
                let place = &self.place;
                let times = place.times(&place.path(&other));
                place.set_times(&place.path(&name), times.0, times.1);
                place.rename(&name, &other);
                self.dirty.remove(&name);
                self.dirty.remove(&other);
            }
            10 => {
                let mode = *self.draw.of(&[0o644, 0o755, 0o600]);
                self.place.chmod(&name, mode);
            }
            11 => {
                let folder = *self.draw.of(&["", "a/", "c/"]);
                let rules = *self.draw.of(&["*.log\n", "*.o\nbuild/\n", "!*.log\n/a/b\n", "# none\n", "f1*\n!f11*\n"]);
                self.place.make_folder(folder.trim_end_matches('/'));
                self.place.write(&format!("{folder}.gitignore"), rules.as_bytes());
            }
            12 => {
                let folder = *self.draw.of(&[".gitignore", "a/.gitignore", "c/.gitignore"]);
                if place.path(folder).is_file() {
                    place.remove(folder);
                }
            }
            13 => {
                let (from, to) = *self.draw.of(&[("c", "a/c"), ("a/c", "c"), ("a/b", "b"), ("b", "a/b")]);
                let place = &self.place;
                if place.path(from).is_dir() && !place.path(to).exists() && place.path("a").is_dir() {
                    place.rename(from, to);
                    self.dirty.clear();
                }
            }
            14 => {
                let folder = *self.draw.of(&["a/b/d", "build", "c"]);
                if self.place.path(folder).is_dir() {
                    self.place.remove(folder);
                }
            }
            15 => {
                let cfg = format!("{}pyvenv.cfg", self.draw.of(&["a/b/", "c/", "build/"]));
                if self.place.path(&cfg).is_file() {
                    self.place.remove(&cfg);
                } else if self.place.path(&cfg).parent().unwrap().is_dir() {
                    self.place.write(&cfg, b"home");
                }
            }
            _ => {
                let place = &self.place;
                if place.path("link").is_symlink() {
                    place.remove("link");
                }
                place.link(&name, "link");
            }
        }
    }

    fn pass(&mut self) {
        const TICK: i64 = 4_000_000;
        let time =
            *self.draw.of(&[0, 0, 0, TICK, TICK / 2, SECOND, 3 * SECOND, 30 * SECOND, 61 * SECOND, 200 * SECOND]);
        let _ = write!(self.log, " +{time}");
        self.place.fs.pass(time);
        self.write_back();
    }

    fn check(&mut self) -> (u64, u64) {
        let rules = *self.draw.of(&[Rules::Git, Rules::Git, Rules::None]);
        let found = self.place.try_scan(rules, true).unwrap();
        let wanted = self.place.try_scan(rules, false).unwrap();
        assert_eq!(listed(&found.manifest), listed(&wanted.manifest), "{rules:?} after{}", self.log);
        assert_eq!(found.manifest.digest(), wanted.manifest.digest());
        // Neither did the sampling have to catch anything.
        assert_eq!(found.warnings, wanted.warnings, "after{}", self.log);
        (found.cost.files_known, found.cost.files_read)
    }
}

fn run(seed: u64, steps: u64) -> (u64, u64) {
    let mut model = Model::new(seed);
    model.place.fs.tick.store(*model.draw.of(&[1, 4_000_000, SECOND, 2 * SECOND]), Ordering::Relaxed);
    let (mut known, mut read) = (0, 0);
    for _ in 0..steps {
        for _ in 0..=model.draw.below(3) {
            model.edit();
            model.pass();
        }
        let (more_known, more_read) = model.check();
        known += more_known;
        read += more_read;
        let keep = model.log.len().saturating_sub(4_000);
        model.log = model.log.split_off(keep);
    }
    (known, read)
}

#[test]
fn edited_trees_are_scanned_as_if_there_were_no_cache() {
    let number =
        |name: &str, otherwise| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (steps, seed) = (number("SCRIPTSTEP_STEPS", 5_000_u64), number("SCRIPTSTEP_SEED", 1));
    let runs = steps.div_ceil(250);
    let (mut known, mut read) = (0, 0);
    for run_number in 0..runs {
        let (more_known, more_read) = run(seed * 1_000_000 + run_number, 250);
        known += more_known;
        read += more_read;
    }
    // A cache that is off would pass, too: this one spares a good part of the reading.
    assert!(known > read / 2, "{known} files were known, {read} read");
}
