//! Takes over what a script wrote: moved, not copied.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::fs::{FileKind, Fs};
use crate::manifest::{Kind, Manifest};
use crate::scan::{Options, scan_sources};
use crate::store::copy::{CopyJob, copy_tree};
use crate::store::temporary::Temporary;
use crate::store::{CONTENT, Store, below};

impl Store {
    /// Moves a directory or a file into the store; nobody writes to it any more.
    ///
    /// # Errors
    /// As [`crate::scan::scan_tree`], and what moving it can do wrong.
    pub fn adopt(&self, path: &Path, options: &Options) -> Result<Manifest> {
        let fs = self.fs.as_ref();
        let options = Options { rules: false, ..*options };
        let temporary = Temporary::new(fs, &self.root)?;
        let content = temporary.path().join(CONTENT);
        // A folder that its owner may not write to cannot be moved: its `..` would change.
        open_up(fs, path)?;
        match fs.rename(path, &content) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {
                let manifest = self.add(path, &options)?;
                let removed = match fs.stat(path).map(|stat| stat.kind) {
                    Ok(FileKind::Directory) => fs.remove_all(path),
                    _ => fs.remove_file(path),
                };
                removed.map_err(|e| Error::io("remove", path, e))?;
                return Ok(manifest);
            }
            Err(error) => return Err(Error::io("move", path, error)),
        }
        let manifest = self.make_whole(&content, &options).inspect_err(|_| {
            // What a script wrote is not lost to an error of ours.
            let _ = fs.rename(&content, path);
        })?;
        if self.content_path(manifest.digest()).is_err() {
            self.appear(temporary, &manifest)?;
        }
        Ok(manifest)
    }

    /// Makes a moved tree stand for itself: exactly what its manifest lists, and nobody else's bytes.
    fn make_whole(&self, content: &Path, options: &Options) -> Result<Manifest> {
        let fs = self.fs.as_ref();
        cut_hard_links(fs, content)?;
        let sources = scan_sources(fs, content, options)?;
        let manifest = sources.scan.manifest;
        for place in &sources.walked.special {
            let odd = below(content, place);
            fs.remove_file(&odd).map_err(|e| Error::io("remove", &odd, e))?;
        }
        self.replace_read_through(content, &manifest, &sources.walked)?;
        straighten_links(fs, content, &manifest)?;
        Ok(manifest)
    }

    /// Puts what links that lead out point at in their place, so that the tree stands for itself.
    fn replace_read_through(&self, content: &Path, manifest: &Manifest, walked: &crate::walk::Walked) -> Result<()> {
        let fs = self.fs.as_ref();
        for place in &walked.read_through {
            let link = below(content, place);
            if fs.stat(&link).is_ok_and(|stat| stat.kind == FileKind::Link) {
                fs.remove_file(&link).map_err(|e| Error::io("remove", &link, e))?;
            }
        }
        let through: Vec<_> = walked.found.iter().filter(|item| item.through_link).collect();
        if through.is_empty() {
            return Ok(());
        }
        let entries = through.iter().filter_map(|item| manifest.get(&item.path)).cloned().collect();
        let part = Manifest::new(entries)?;
        let sources = through.iter().map(|item| (item.path.as_slice(), item.source.as_path())).collect();
        copy_tree(fs, &CopyJob { manifest: &part, sources: &sources, links: None, cancelled: None }, content)
    }
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
