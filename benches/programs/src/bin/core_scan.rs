//! Scans a directory by the core, as a whole process: `core_scan DIRECTORY [--cache FOLDER] [--tree] [--threads N]`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use scriptstep_core::fs::OsFs;
use scriptstep_core::scan::{Options, scan_code, scan_tree};
use scriptstep_core::stat_cache::CacheOptions;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| arguments.iter().position(|found| found == name).and_then(|at| arguments.get(at + 1));
    let Some(root) = arguments.get(1) else { return ExitCode::FAILURE };
    let folder = after("--cache").map(PathBuf::from);
    let cache = folder.as_ref().map(|folder| CacheOptions::new(folder));
    let threads = after("--threads").and_then(|text| text.parse().ok()).unwrap_or_default();
    let by_paths = arguments.iter().any(|found| found == "--by-paths");
    let options = Options { cache, threads, by_paths, ..Options::default() };
    let scan = if arguments.iter().any(|found| found == "--tree") { scan_tree } else { scan_code };
    #[allow(clippy::print_stdout, clippy::print_stderr)]
    match scan(&OsFs, Path::new(root), &options) {
        Ok(scan) => {
            println!("{} {} {:?}", scan.manifest.digest(), scan.manifest.len(), scan.cost);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
