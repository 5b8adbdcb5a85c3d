//! Takes over what a script wrote: moved, not copied.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::fs::{FileKind, Fs};
use crate::manifest::{Kind, Manifest};
use crate::scan::{Options, Scan, Sources, scan_sources};
use crate::store::temporary::Temporary;
use crate::store::{CONTENT, Store, below};
use crate::walk::{Walked, What};

impl Store {
    /// Moves a directory or a file into the store; nobody writes to it any more.
    ///
    /// # Errors
    /// As [`crate::scan::scan_tree`], and what moving it can do wrong; it is then still where it was.
    pub fn adopt(&self, path: &Path, options: &Options) -> Result<Manifest> {
        let fs = self.fs.as_ref();
        let options = Options { rules: false, ..*options };
        // A folder that its owner may not write to cannot be moved: its `..` would change.
        open_up(fs, path)?;
        cut_hard_links(fs, path)?;
        // Read where the script wrote it: from elsewhere its links may lead elsewhere.
        let Sources { scan: Scan { manifest, .. }, walked } = scan_sources(fs, path, &options)?;
        let is_link = fs.stat(path).is_ok_and(|stat| stat.kind == FileKind::Link);
        if is_link || !walked.read_through.is_empty() {
            return self.copy_and_remove(path, manifest, &walked, &options);
        }
        for place in &walked.special {
            let odd = below(path, place);
            fs.remove_file(&odd).map_err(|e| Error::io("remove", &odd, e))?;
        }
        straighten_links(fs, path, &manifest)?;
        let mut temporary = Temporary::new(self)?;
        let content = temporary.path().join(CONTENT);
        match fs.rename(path, &content) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                return self.copy_and_remove(path, manifest, &walked, &options);
            }
            Err(error) => return Err(Error::io("move", path, error)),
        }
        let moved = if self.content_path(manifest.digest()).is_ok() {
            Ok(())
        } else {
            is_untouched(fs, &content, path, &walked).and_then(|()| self.appear(&mut temporary, &manifest))
        };
        moved.inspect_err(|_| {
            // What a script wrote is not lost to an error of ours.
            let _ = fs.rename(&content, path);
        })?;
        Ok(manifest)
    }

    /// For what cannot be moved: what links that lead out point at, and what lies on another device.
    fn copy_and_remove(&self, path: &Path, manifest: Manifest, walked: &Walked, options: &Options) -> Result<Manifest> {
        let fs = self.fs.as_ref();
        if self.content_path(manifest.digest()).is_err() {
            self.copy_in(&manifest, &walked.found, None, options)?;
        }
        let removed = match fs.stat(path).map(|stat| stat.kind) {
            Ok(FileKind::Directory) => fs.remove_all(path),
            _ => fs.remove_file(path),
        };
        removed.map_err(|e| Error::io("remove", path, e))?;
        Ok(manifest)
    }
}

/// Whether the files that were moved are those that were read.
fn is_untouched(fs: &dyn Fs, content: &Path, path: &Path, walked: &Walked) -> Result<()> {
    for item in &walked.found {
        let What::File(read) = item.what else { continue };
        let is_same = fs.stat(&below(content, &item.path)).is_ok_and(|mut stat| {
            if item.path.is_empty() {
                // Being moved itself, not with its folder, is a change of it.
                stat.ctime = read.ctime;
            }
            stat.is_same(&read)
        });
        if !is_same {
            return Err(Error::Changed(below(path, &item.path)));
        }
    }
    Ok(())
}

/// Every folder below, and itself, may be listed and written to by its owner.
fn open_up(fs: &dyn Fs, root: &Path) -> Result<()> {
    for_each(fs, root, &mut |path, stat| {
        let needed = match stat.kind {
            FileKind::Directory => 0o700,
            FileKind::File => 0o400,
            _ => return Ok(()),
        };
        if stat.mode & needed != needed {
            fs.set_mode(path, stat.mode | needed).map_err(|e| Error::io("open up", path, e))?;
        }
        Ok(())
    })
}

/// Gives each file with several names bytes of its own: another name could write through it.
fn cut_hard_links(fs: &dyn Fs, root: &Path) -> Result<()> {
    for_each(fs, root, &mut |path, stat| {
        if stat.kind != FileKind::File || stat.links < 2 {
            return Ok(());
        }
        let mut name = path.file_name().unwrap_or(OsStr::new("")).as_bytes().to_vec();
        name.truncate(200);
        name.extend_from_slice(b".scriptstep-copy");
        let aside = path.with_file_name(OsStr::from_bytes(&name));
        let mut source = fs.open(path, false).map_err(|e| Error::io("read", path, e))?;
        let mut target = fs.create(&aside, stat.mode).map_err(|e| Error::io("write", &aside, e))?;
        std::io::copy(&mut source, &mut target).map_err(|e| Error::io("write", &aside, e))?;
        fs.rename(&aside, path).map_err(|e| Error::io("write", path, e))
    })
}

/// Writes links with the text that the manifest gives them, relative where it was absolute.
fn straighten_links(fs: &dyn Fs, content: &Path, manifest: &Manifest) -> Result<()> {
    for entry in manifest.entries().iter().filter(|entry| entry.kind == Kind::Link) {
        let path = below(content, &entry.path);
        let wanted = PathBuf::from(OsStr::from_bytes(&entry.target));
        if fs.read_link(&path).is_ok_and(|text| text == wanted) {
            continue;
        }
        fs.remove_file(&path).map_err(|e| Error::io("remove", &path, e))?;
        fs.make_link(&wanted, &path).map_err(|e| Error::io("make", &path, e))?;
    }
    Ok(())
}

/// Visits a path and everything below it, folders before what they hold, without following links.
fn for_each(fs: &dyn Fs, root: &Path, visit: &mut dyn FnMut(&Path, &crate::fs::Stat) -> Result<()>) -> Result<()> {
    let mut waiting = vec![root.to_path_buf()];
    while let Some(path) = waiting.pop() {
        let stat = fs.stat(&path).map_err(|e| Error::io("read", &path, e))?;
        visit(&path, &stat)?;
        if stat.kind == FileKind::Directory {
            let names = fs.list(&path).map_err(|e| Error::io("read", &path, e))?;
            waiting.extend(names.into_iter().map(|name| path.join(name)));
        }
    }
    Ok(())
}
