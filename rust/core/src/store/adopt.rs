//! Takes over what a script wrote: moved, not copied.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::fs::{FileKind, Fs, Stat};
use crate::manifest::{Entry, Kind, Manifest};
use crate::scan::links::{Fate, Realm, fate};
use crate::scan::row::Row;
use crate::scan::{Options, Scan, scan_tree};
use crate::store::temporary::Temporary;
use crate::store::{CONTENT, Store, below};

impl Store {
    /// Moves a directory or a file into the store; nobody writes to it any more.
    ///
    /// # Errors
    /// As [`crate::scan::scan_tree`], and what moving it can do wrong; it is then still where it was.
    pub fn adopt(&self, path: &Path, options: &Options) -> Result<Manifest> {
        let fs = self.fs.as_ref();
        let stat = fs.stat(path).map_err(|e| Error::io("read", path, e))?;
        if stat.kind == FileKind::Link {
            return self.copy_and_remove(path, options);
        }
        // A folder that its owner may not write to cannot be moved: its `..` would change.
        open_up_one(fs, path, &stat)?;
        let mut temporary = Temporary::new(self)?;
        let content = temporary.path().join(CONTENT);
        match fs.rename(path, &content) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::CrossesDevices => return self.copy_and_remove(path, options),
            Err(error) => return Err(Error::io("move", path, error)),
        }
        let moved = self.keep(&mut temporary, path, options);
        if let Ok(Some(manifest)) = moved {
            return Ok(manifest);
        }
        // What a script wrote is not lost to an error of ours; what is wrong with it is told where it lies.
        if fs.stat(&content).is_ok() {
            fs.rename(&content, path).map_err(|e| Error::io("move", path, e))?;
        }
        match moved {
            Err(Error::Cancelled) => Err(Error::Cancelled),
            _ => self.adopt_in_place(path, options),
        }
    }

    /// Reads a tree at its own place, then moves it, and looks that nobody wrote to it in between.
    fn adopt_in_place(&self, path: &Path, options: &Options) -> Result<Manifest> {
        let fs = self.fs.as_ref();
        let mut scan = scan_opened(fs, path, options)?;
        if !scan.sources.read_through.is_empty() {
            return self.copy_and_remove(path, options);
        }
        tidy(fs, path, &scan)?;
        if cut_hard_links(fs, path, &scan)? || !scan.sources.closed.is_empty() {
            scan = scan_opened(fs, path, options)?;
        }
        straighten_links(fs, path, &scan.manifest)?;
        let mut temporary = Temporary::new(self)?;
        let content = temporary.path().join(CONTENT);
        fs.rename(path, &content).map_err(|e| Error::io("move", path, e))?;
        let kept = is_untouched(fs, &content, path, &scan)
            .and_then(|()| self.appear_once(&mut temporary, &scan.manifest, &scan.sources.rows));
        kept.inspect_err(|_| {
            let _ = fs.rename(&content, path);
        })?;
        Ok(scan.manifest)
    }

    /// Makes a tree of what was moved from `path`; none where a link in it is to be read through.
    fn keep(&self, temporary: &mut Temporary<'_>, path: &Path, options: &Options) -> Result<Option<Manifest>> {
        let fs = self.fs.as_ref();
        let content = temporary.path().join(CONTENT);
        let options = Options { links_as_they_are: true, ..*options };
        let mut scan = scan_opened(fs, &content, &options)?;
        if cut_hard_links(fs, &content, &scan)? {
            scan = scan_opened(fs, &content, &options)?;
        }
        tidy(fs, &content, &scan)?;
        let links: Vec<Entry> = scan.manifest.entries().filter(|entry| entry.kind == Kind::Link).collect();
        let manifest = if links.is_empty() {
            scan.manifest
        } else {
            // Where it is now they lead elsewhere: it goes back for as long as it takes to see where to.
            fs.rename(&content, path).map_err(|e| Error::io("move", path, e))?;
            let Some(texts) = texts_of(fs, path, &links)? else { return Ok(None) };
            let manifest = with_texts(&scan.manifest, &texts)?;
            straighten_links(fs, path, &manifest)?;
            fs.rename(path, &content).map_err(|e| Error::io("move", path, e))?;
            manifest
        };
        self.appear_once(temporary, &manifest, &scan.sources.rows)?;
        Ok(Some(manifest))
    }

    fn appear_once(&self, temporary: &mut Temporary<'_>, manifest: &Manifest, rows: &[Option<Row>]) -> Result<()> {
        if self.hold(manifest.digest())? { Ok(()) } else { self.appear(temporary, manifest, rows) }
    }

    /// For what cannot be moved: what links that lead out point at, and what lies on another device.
    fn copy_and_remove(&self, path: &Path, options: &Options) -> Result<Manifest> {
        let fs = self.fs.as_ref();
        let scan = scan_opened(fs, path, options)?;
        if !self.hold(scan.manifest.digest())? {
            self.copy_in(&scan, None, options)?;
        }
        let removed = match fs.stat(path).map(|stat| stat.kind) {
            Ok(FileKind::Directory) => fs.remove_all(path),
            _ => fs.remove_file(path),
        };
        removed.map_err(|e| Error::io("remove", path, e))?;
        Ok(scan.manifest)
    }
}

/// Scans a tree; what its owner may not read is opened up, and then it may.
fn scan_opened(fs: &dyn Fs, path: &Path, options: &Options) -> Result<Scan> {
    // What a cache knows is not read, and so not looked at as what is moved must be.
    let options = Options { cache: None, ..*options };
    match scan_tree(fs, path, &options) {
        Err(Error::Unreadable { .. }) => {
            open_up(fs, path)?;
            scan_tree(fs, path, &options)
        }
        other => other,
    }
}

/// The texts that links have in a manifest, by path; none where one of them is no link there.
fn texts_of(fs: &dyn Fs, root: &Path, links: &[Entry]) -> Result<Option<HashMap<Vec<u8>, Vec<u8>>>> {
    let realm = Realm::new(fs.canonical(root).map_err(|e| Error::io("read", root, e))?);
    let mut texts = HashMap::new();
    for link in links {
        let text = PathBuf::from(OsStr::from_bytes(link.target));
        match fate(fs, &realm, &realm.source(link.path), text, false)? {
            Fate::Link(text, _) => texts.insert(link.path.to_vec(), text),
            _ => return Ok(None),
        };
    }
    Ok(Some(texts))
}

/// A manifest whose links have other texts.
fn with_texts(manifest: &Manifest, texts: &HashMap<Vec<u8>, Vec<u8>>) -> Result<Manifest> {
    let entries = manifest.entries().map(|entry| match texts.get(entry.path) {
        Some(text) => Entry::link(entry.path, text),
        None => entry,
    });
    Manifest::new(entries.collect())
}

/// Removes what is no content, and lets what its owner may not read or remove be read and removed.
fn tidy(fs: &dyn Fs, root: &Path, scan: &Scan) -> Result<()> {
    for place in &scan.sources.closed {
        let path = below(root, place);
        let stat = fs.stat(&path).map_err(|e| Error::io("read", &path, e))?;
        open_up_one(fs, &path, &stat)?;
    }
    for place in &scan.sources.special {
        let odd = below(root, place);
        fs.remove_file(&odd).map_err(|e| Error::io("remove", &odd, e))?;
    }
    Ok(())
}

/// Whether the files that were moved are those that were read.
fn is_untouched(fs: &dyn Fs, content: &Path, path: &Path, scan: &Scan) -> Result<()> {
    for (entry, read) in scan.manifest.entries().zip(&scan.sources.rows) {
        let Some(read) = read else { continue };
        let is_same = fs.stat(&below(content, entry.path)).is_ok_and(|stat| {
            let row = Row::from(&stat);
            // Being moved itself, not with its folder, is a change of it.
            let ctime = if entry.path.is_empty() { read.ctime } else { row.ctime };
            Row { ctime, ..row } == *read
        });
        if !is_same {
            return Err(Error::Changed(below(path, entry.path)));
        }
    }
    Ok(())
}

fn open_up_one(fs: &dyn Fs, path: &Path, stat: &Stat) -> Result<()> {
    let needed = match stat.kind {
        FileKind::Directory => 0o700,
        FileKind::File => 0o400,
        _ => return Ok(()),
    };
    if stat.mode & needed == needed {
        return Ok(());
    }
    fs.set_mode(path, stat.mode | needed).map_err(|e| Error::io("open up", path, e))
}

/// Every folder below, and itself, may be listed and written to by its owner, and every file read.
fn open_up(fs: &dyn Fs, root: &Path) -> Result<()> {
    let mut waiting = vec![root.to_path_buf()];
    while let Some(path) = waiting.pop() {
        let stat = fs.stat(&path).map_err(|e| Error::io("read", &path, e))?;
        open_up_one(fs, &path, &stat)?;
        if stat.kind == FileKind::Directory {
            let names = fs.list(&path).map_err(|e| Error::io("read", &path, e))?;
            waiting.extend(names.into_iter().map(|name| path.join(name)));
        }
    }
    Ok(())
}

/// Gives each file with several names bytes of its own: another name could write through it. Whether there was one.
fn cut_hard_links(fs: &dyn Fs, root: &Path, scan: &Scan) -> Result<bool> {
    for place in &scan.sources.linked {
        let path = below(root, place);
        let stat = fs.stat(&path).map_err(|e| Error::io("read", &path, e))?;
        let mut name = path.file_name().unwrap_or(OsStr::new("")).as_bytes().to_vec();
        name.truncate(200);
        name.extend_from_slice(b".scriptstep-copy");
        let aside = path.with_file_name(OsStr::from_bytes(&name));
        let mut source = fs.open(&path, false).map_err(|e| Error::io("read", &path, e))?;
        let mut target = fs.create(&aside, stat.mode).map_err(|e| Error::io("write", &aside, e))?;
        std::io::copy(&mut source, &mut target).map_err(|e| Error::io("write", &aside, e))?;
        fs.rename(&aside, &path).map_err(|e| Error::io("write", &path, e))?;
    }
    Ok(!scan.sources.linked.is_empty())
}

/// Writes links with the text that the manifest gives them, relative where it was absolute.
fn straighten_links(fs: &dyn Fs, content: &Path, manifest: &Manifest) -> Result<()> {
    for entry in manifest.entries().filter(|entry| entry.kind == Kind::Link) {
        let path = below(content, entry.path);
        let wanted = PathBuf::from(OsStr::from_bytes(entry.target));
        if fs.read_link(&path).is_ok_and(|text| text == wanted) {
            continue;
        }
        fs.remove_file(&path).map_err(|e| Error::io("remove", &path, e))?;
        fs.make_link(&wanted, &path).map_err(|e| Error::io("make", &path, e))?;
    }
    Ok(())
}
