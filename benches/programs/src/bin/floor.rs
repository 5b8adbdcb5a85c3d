//! What the work costs at the very least, whoever does it: nothing but the system's own calls, on two threads.
//!
//! ```text
//! floor read DIRECTORY            list, open, fstat, read, fstat, close
//! floor hash DIRECTORY            BLAKE3 of each file, from memory
//! floor stat DIRECTORY            stat of every file and folder, names known beforehand
//! floor list DIRECTORY            the same, with listing
//! floor create DIRECTORY TARGET   create and write each file, from memory
//! floor link DIRECTORY TARGET     make each folder, link each file
//! ```

#![allow(clippy::print_stdout, clippy::disallowed_methods)]

use std::ffi::{CString, OsStr};
use std::hint::black_box;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};

const THREADS: usize = 2;
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// A folder with the names of its files, and its place below the root.
struct Folder {
    place: PathBuf,
    files: Vec<CString>,
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    match run(&arguments) {
        Ok(seconds) => {
            println!("{{\"seconds\": {seconds}}}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[PathBuf]) -> Outcome<f64> {
    let missing = || "an argument is missing".to_owned();
    let root = arguments.get(1).ok_or_else(missing)?;
    let target = arguments.get(2).ok_or_else(missing);
    match arguments.first().and_then(|name| name.to_str()) {
        Some("read") => walk(root, true, true).map(|(seconds, _)| seconds),
        Some("list") => walk(root, false, true).map(|(seconds, _)| seconds),
        Some("stat") => stat_known(root, &walk(root, false, false)?.1),
        Some("hash") => hash(root, &walk(root, false, false)?.1),
        Some("create") => create(root, &walk(root, false, false)?.1, target?),
        Some("link") => link(root, &walk(root, false, false)?.1, target?),
        _ => Err("no such floor".into()),
    }
}

fn on_threads(work: impl Fn() -> Outcome<()> + Sync) -> Outcome<f64> {
    let began = Instant::now();
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                if let Err(error) = work()
                    && let Ok(mut slot) = failed.lock()
                {
                    *slot = Some(error.to_string());
                }
            });
        }
    });
    match failed.into_inner()? {
        Some(error) => Err(error.into()),
        None => Ok(began.elapsed().as_secs_f64()),
    }
}

fn open(root: &OwnedFd, place: &Path) -> Outcome<OwnedFd> {
    let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
    Ok(rustix::fs::openat(root, place, FOLDER, Mode::empty())?)
}

/// Walks a directory; gives what it took, and the folders.
fn walk(root: &Path, reads: bool, stats: bool) -> Outcome<(f64, Vec<Folder>)> {
    let root = rustix::fs::open(root, FOLDER, Mode::empty())?;
    let waiting = Mutex::new((vec![PathBuf::new()], 0));
    let folders = Mutex::new(Vec::new());
    let seconds = on_threads(|| {
        let mut buffer = vec![0; 1 << 20];
        let mut listing: Vec<u8> = Vec::with_capacity(32 << 10);
        loop {
            let mut queue = waiting.lock().map_err(|_| "a thread failed")?;
            let Some(place) = queue.0.pop() else {
                if queue.1 == 0 {
                    return Ok(());
                }
                drop(queue);
                std::hint::spin_loop();
                continue;
            };
            queue.1 += 1;
            drop(queue);
            let folder = open(&root, &place)?;
            let (mut files, mut below) = (Vec::new(), Vec::new());
            let mut entries = RawDir::new(&folder, listing.spare_capacity_mut());
            while let Some(entry) = entries.next() {
                let entry = entry?;
                let name = entry.file_name();
                match entry.file_type() {
                    FileType::Directory if !matches!(name.to_bytes(), b"." | b"..") => {
                        below.push(place.join(OsStr::from_bytes(name.to_bytes())));
                    }
                    FileType::RegularFile => files.push(name.to_owned()),
                    _ => {}
                }
            }
            for name in &files {
                if reads {
                    let file = rustix::fs::openat(&folder, name, OFlags::CLOEXEC, Mode::empty())?;
                    let size = usize::try_from(rustix::fs::fstat(&file)?.st_size)?;
                    let mut left = size;
                    while left > 0 {
                        left -= rustix::io::read(&file, &mut buffer)?.max(1).min(left);
                    }
                    rustix::fs::fstat(&file)?;
                } else if stats {
                    rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                }
            }
            if stats {
                rustix::fs::fstat(&folder)?;
            }
            let mut queue = waiting.lock().map_err(|_| "a thread failed")?;
            queue.0.extend(below);
            queue.1 -= 1;
            drop(queue);
            folders.lock().map_err(|_| "a thread failed")?.push(Folder { place, files });
        }
    })?;
    Ok((seconds, folders.into_inner()?))
}

/// Calls with each folder, in turn on two threads.
fn each_folder(folders: &[Folder], act: impl Fn(&Folder) -> Outcome<()> + Sync) -> Outcome<f64> {
    let next = AtomicUsize::new(0);
    on_threads(|| {
        while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
            act(folder)?;
        }
        Ok(())
    })
}

fn stat_known(root: &Path, folders: &[Folder]) -> Outcome<f64> {
    let root = rustix::fs::open(root, FOLDER, Mode::empty())?;
    each_folder(folders, |folder| {
        let open = open(&root, &folder.place)?;
        rustix::fs::fstat(&open)?;
        for name in &folder.files {
            black_box(rustix::fs::statat(&open, name, AtFlags::SYMLINK_NOFOLLOW)?);
        }
        Ok(())
    })
}

fn contents(root: &Path, folder: &Folder) -> Outcome<Vec<Vec<u8>>> {
    let path = |name: &CString| root.join(&folder.place).join(OsStr::from_bytes(name.to_bytes()));
    Ok(folder.files.iter().map(|name| std::fs::read(path(name))).collect::<Result<_, _>>()?)
}

fn hash(root: &Path, folders: &[Folder]) -> Outcome<f64> {
    let all: Vec<Vec<Vec<u8>>> = folders.iter().map(|folder| contents(root, folder)).collect::<Outcome<_>>()?;
    let next = AtomicUsize::new(0);
    on_threads(|| {
        while let Some(files) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            for bytes in files {
                black_box(blake3::hash(bytes));
            }
        }
        Ok(())
    })
}

fn create(root: &Path, folders: &[Folder], target: &Path) -> Outcome<f64> {
    let all: Vec<Vec<Vec<u8>>> = folders.iter().map(|folder| contents(root, folder)).collect::<Outcome<_>>()?;
    for folder in folders {
        std::fs::create_dir_all(target.join(&folder.place))?;
    }
    let root = rustix::fs::open(target, FOLDER, Mode::empty())?;
    let next = AtomicUsize::new(0);
    on_threads(|| {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let (Some(folder), Some(files)) = (folders.get(at), all.get(at)) else { return Ok(()) };
            let open = open(&root, &folder.place)?;
            for (name, bytes) in folder.files.iter().zip(files) {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                let file = rustix::fs::openat(&open, name, flags, Mode::from_raw_mode(0o644))?;
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    rest = &rest[rustix::io::write(&file, rest)?..];
                }
            }
        }
    })
}

fn link(root: &Path, folders: &[Folder], target: &Path) -> Outcome<f64> {
    let (from, began) = (rustix::fs::open(root, FOLDER, Mode::empty())?, Instant::now());
    for folder in folders {
        std::fs::create_dir_all(target.join(&folder.place))?;
    }
    let made = began.elapsed().as_secs_f64();
    let to = rustix::fs::open(target, FOLDER, Mode::empty())?;
    let linked = each_folder(folders, |folder| {
        let (source, copy) = (open(&from, &folder.place)?, open(&to, &folder.place)?);
        for name in &folder.files {
            rustix::fs::linkat(&source, name, &copy, name, AtFlags::empty())?;
        }
        Ok(())
    })?;
    Ok(made + linked)
}
