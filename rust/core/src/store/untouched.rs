//! Whether anybody touched a stored tree, told without reading its files.

use std::collections::BTreeMap;
use std::io;

use crate::digest::Digest;
use crate::fs::FileKind;
use crate::manifest::{Kind, Manifest};
use crate::store::check::folders_above;
use crate::store::copy::{Folders, c_name, split};
use crate::store::rows::Rows;
use crate::store::{CONTENT, Store};

impl Store {
    /// Whether each thing that a tree's manifest lists is there as it was stored, and nothing else is.
    pub(super) fn is_untouched(&self, digest: Digest, rows: &Rows) -> bool {
        self.listed(digest).is_ok_and(|manifest| self.looks_as(&manifest, rows).unwrap_or(false))
    }

    fn looks_as(&self, manifest: &Manifest, rows: &Rows) -> io::Result<bool> {
        let fs = self.fs.as_ref();
        let content = self.tree(manifest.digest()).join(CONTENT);
        if manifest.len() == 1 && manifest.entry(0).path.is_empty() {
            let stat = fs.stat(&content)?;
            let is_executable = manifest.entry(0).kind == Kind::Executable;
            return Ok(stat.kind == FileKind::File && stat.is_executable() == is_executable && rows.holds(0, &stat));
        }
        let mut folders = Folders::new(fs, &content).map_err(io::Error::other)?;
        for (at, entry) in manifest.entries().enumerate() {
            let (above, name) = split(entry.path);
            let (folder, name) = (folders.enter(fs, above, false)?, c_name(name));
            let stat = fs.stat_at(folder, &name)?;
            let is_same = match entry.kind {
                Kind::Directory => stat.kind == FileKind::Directory,
                Kind::Link => {
                    use std::os::unix::ffi::OsStrExt;
                    stat.kind == FileKind::Link
                        && fs.read_link_at(folder, &name)?.as_os_str().as_bytes() == entry.target
                }
                Kind::File | Kind::Executable => {
                    let is_executable = entry.kind == Kind::Executable;
                    stat.kind == FileKind::File && stat.is_executable() == is_executable && rows.holds(at, &stat)
                }
            };
            if !is_same {
                return Ok(false);
            }
        }
        // All that is listed is there: so many names and no more.
        let mut buffer = Vec::new();
        for (place, listed) in names(manifest) {
            let mut count = 0;
            fs.list_open(folders.enter(fs, place, false)?, &mut buffer, &mut |_, _| count += 1)?;
            if count != listed {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// How many names each folder of a tree holds.
fn names(manifest: &Manifest) -> BTreeMap<&[u8], usize> {
    let mut names: BTreeMap<&[u8], usize> = BTreeMap::from([(&b""[..], 0)]);
    let folders = manifest.entries().filter(|entry| entry.kind == Kind::Directory).map(|entry| entry.path);
    let files = manifest.entries().filter(|entry| entry.kind != Kind::Directory).map(|entry| entry.path);
    let mut all = folders_above(manifest);
    all.extend(folders);
    for path in &all {
        names.entry(path).or_insert(0);
    }
    for path in all.iter().copied().chain(files) {
        *names.entry(split(path).0).or_insert(0) += 1;
    }
    names
}
