//! The core by itself, as a whole process that says how long the call in it took.
//!
//! ```text
//! core scan DIRECTORY [--cache FOLDER] [--tree] [--threads N] [--by-paths]
//! core changed DIRECTORY FILE --cache FOLDER     scan and diff after one file changed
//! core save DIRECTORY STORE [--cache FOLDER] [--base DIGEST]
//! core restore STORE DIGEST TARGET
//! core adopt DIRECTORY STORE
//! core match                                     the worst patterns that there are
//! ```

#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::fmt::Display;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use scriptstep_core::digest::Digest;
use scriptstep_core::fs::OsFs;
use scriptstep_core::rules::Pattern;
use scriptstep_core::scan::{Options, Rules, Scan, scan};
use scriptstep_core::stat_cache::CacheOptions;
use scriptstep_core::store::Store;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct Arguments(Vec<String>);

impl Arguments {
    fn at(&self, place: usize) -> Outcome<&Path> {
        self.0.get(place).map(Path::new).ok_or_else(|| "an argument is missing".into())
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|found| found == name)
    }

    fn after(&self, name: &str) -> Option<&String> {
        self.0.iter().position(|found| found == name).and_then(|at| self.0.get(at + 1))
    }

    fn cache(&self) -> Option<PathBuf> {
        self.after("--cache").map(PathBuf::from)
    }

    fn scan(&self, root: &Path) -> Outcome<Scan> {
        let folder = self.cache();
        let rules = if self.has("--tree") { Rules::None } else { Rules::Git };
        let threads = self.after("--threads").and_then(|text| text.parse().ok()).unwrap_or_default();
        let by_paths = self.has("--by-paths");
        let cache = folder.as_deref().map(CacheOptions::new);
        Ok(scan(&OsFs, root, &Options { rules, cache, threads, by_paths, ..Options::default() })?)
    }
}

fn say(began: Instant, digest: impl Display, files: usize, more: &str) {
    let seconds = began.elapsed().as_secs_f64();
    println!("{{\"seconds\": {seconds}, \"digest\": \"{digest}\", \"files\": {files}{more}}}");
}

fn main() -> ExitCode {
    let arguments = Arguments(std::env::args().skip(1).collect());
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Outcome<()> {
    match arguments.at(0)?.to_str() {
        Some("scan") => {
            let began = Instant::now();
            let found = arguments.scan(arguments.at(1)?)?;
            let read = format!(", \"read\": {}, \"known\": {}", found.cost.files_read, found.cost.files_known);
            say(began, found.manifest.digest(), found.manifest.len(), &read);
        }
        Some("changed") => {
            let before = arguments.scan(arguments.at(1)?)?;
            let file = arguments.at(1)?.join(arguments.at(2)?);
            let was = std::fs::read(&file)?;
            let mut bytes = was.clone();
            bytes[0] ^= 1;
            std::fs::write(&file, bytes)?;
            let began = Instant::now();
            let after = arguments.scan(arguments.at(1)?)?;
            let changes = before.manifest.diff(&after.manifest);
            say(began, after.manifest.digest(), changes.len(), "");
            std::fs::write(&file, was)?;
        }
        Some("save") => {
            let began = Instant::now();
            let found = arguments.scan(arguments.at(1)?)?;
            let base = arguments.after("--base").and_then(|text| Digest::from_hex(text));
            Store::new(arguments.at(2)?).save(&found, base, &Options::default())?;
            say(began, found.manifest.digest(), found.manifest.len(), "");
        }
        Some("restore") => {
            let digest = arguments.at(2)?.to_str().and_then(Digest::from_hex).ok_or("no digest")?;
            let began = Instant::now();
            Store::new(arguments.at(1)?).restore(digest, arguments.at(3)?, &Options::default())?;
            say(began, digest, 0, "");
        }
        Some("adopt") => {
            let began = Instant::now();
            let manifest = Store::new(arguments.at(2)?).adopt(arguments.at(1)?, &Options::default())?;
            say(began, manifest.digest(), manifest.len(), "");
        }
        Some("match") => {
            let hostile = [
                ("*a".repeat(60) + "b", "a".repeat(4_096)),
                ("**/a*/**/a*/**/a*/**/b".to_owned(), ["abc"; 60].join("/")),
            ];
            for (pattern, text) in hostile {
                let pattern = Pattern::new(pattern.as_bytes());
                let began = Instant::now();
                black_box(pattern.matches(black_box(text.as_bytes())));
                say(began, "", 0, "");
            }
        }
        _ => return Err("no such work".into()),
    }
    Ok(())
}
