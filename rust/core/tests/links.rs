//! Links are made all or not at all.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // A test makes its own files.

mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use scriptstep_core::Error;
use scriptstep_core::fs::OsFs;
use scriptstep_core::links::make_links;
use scriptstep_core::scan::Progress;

use support::Folder;

fn planned(folder: &Folder) -> Vec<(PathBuf, PathBuf)> {
    (0..1500).map(|n| (folder.0.join(format!("d{}/l{n}", n / 500)), PathBuf::from(format!("../target/{n}")))).collect()
}

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    (0..3).for_each(|n| fs::create_dir_all(folder.0.join(format!("d{n}"))).unwrap());
    folder
}

fn names(folder: &Folder) -> Vec<PathBuf> {
    let in_one = |n| fs::read_dir(folder.0.join(format!("d{n}"))).unwrap().map(|entry| entry.unwrap().path());
    (0..3).flat_map(in_one).collect()
}

#[test]
fn each_link_says_what_it_was_to_say() {
    let folder = folder("links");
    let (links, progress) = (planned(&folder), Progress::default());
    make_links(&OsFs, &[], &links, None, Some(&progress)).unwrap();
    assert_eq!(names(&folder).len(), links.len());
    assert!(links.iter().all(|(path, text)| fs::read_link(path).unwrap() == *text));
    assert_eq!(progress.files.into_inner(), links.len() as u64);
}

#[test]
fn folders_are_made_where_they_are_not_there() {
    let folder = folder("links-folders");
    let folders: Vec<PathBuf> = (0..600).map(|n| folder.0.join(format!("d{}/e{}/f{n}", n % 3, n % 40))).collect();
    let links: Vec<(PathBuf, PathBuf)> = folders.iter().map(|f| (f.join("link"), PathBuf::from("x"))).collect();
    make_links(&OsFs, &folders, &links, None, None).unwrap();
    assert!(links.iter().all(|(path, text)| fs::read_link(path).unwrap() == *text));
    fs::write(folder.0.join("file"), "").unwrap();
    let error = make_links(&OsFs, &[folder.0.join("file/below")], &[], None, None).unwrap_err();
    assert!(error.to_string().contains("file/below"), "{error}");
}

#[test]
fn where_one_is_in_the_way_none_is_made_and_it_stays() {
    let folder = folder("links-in-the-way");
    let links = planned(&folder);
    // One that says the same is somebody else's all the same.
    let (path, text) = &links[1234];
    std::os::unix::fs::symlink(text, path).unwrap();
    let error = make_links(&OsFs, &[], &links, None, None).unwrap_err();
    assert!(matches!(&error, Error::InTheWay(at) if at == path), "{error}");
    assert_eq!(names(&folder), std::slice::from_ref(path));
}

#[test]
fn none_is_made_where_one_cannot_be_or_where_the_caller_wants_an_end() {
    let folder = folder("links-not");
    let mut links = planned(&folder);
    let cancelled = AtomicBool::new(true);
    assert!(matches!(make_links(&OsFs, &[], &links, Some(&cancelled), None), Err(Error::Cancelled)));
    links.push((folder.0.join("missing/link"), PathBuf::from("x")));
    let error = make_links(&OsFs, &[], &links, None, None).unwrap_err();
    assert!(error.to_string().contains("missing/link"), "{error}");
    assert!(names(&folder).is_empty());
}
