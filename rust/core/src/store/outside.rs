//! A copy outside of the store, which is there whole or not at all.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::fs::{FileKind, Fs};
use crate::store::temporary::{remove, sweep, unique};

/// What the name of an unfinished copy begins with.
const UNFINISHED: &str = ".scriptstep-";

/// Where a copy is made: beside its place, or in it where that is an empty folder. Removed when it is dropped.
pub(super) struct Outside<'a> {
    fs: &'a dyn Fs,
    to: &'a Path,
    /// None where the copy is made in its place.
    aside: Option<PathBuf>,
    kept: bool,
}

impl<'a> Outside<'a> {
    /// A copy that is to lie at `to`.
    ///
    /// # Errors
    /// Something lies there, other than an empty folder.
    pub(super) fn new(fs: &'a dyn Fs, to: &'a Path) -> Result<Self> {
        let in_the_way = |path: &Path| Error::io("make", path, ErrorKind::AlreadyExists.into());
        let aside = match fs.stat(to) {
            Ok(stat) if stat.kind == FileKind::Directory => {
                let names = fs.list(to).map_err(|error| Error::io("read", to, error))?;
                match names.first() {
                    Some(name) => return Err(in_the_way(&to.join(name))),
                    None => None,
                }
            }
            Ok(_) => return Err(in_the_way(to)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if let Some(folder) = to.parent() {
                    sweep(fs, folder, UNFINISHED);
                }
                Some(to.with_file_name(format!("{UNFINISHED}{}", unique())))
            }
            Err(error) => return Err(Error::io("make", to, error)),
        };
        Ok(Self { fs, to, aside, kept: false })
    }

    /// Where it is made.
    pub(super) fn path(&self) -> &Path {
        self.aside.as_deref().unwrap_or(self.to)
    }

    /// Lets it appear.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn finish(mut self) -> Result<()> {
        if let Some(aside) = &self.aside {
            self.fs.rename(aside, self.to).map_err(|error| Error::io("make", self.to, error))?;
        }
        self.kept = true;
        Ok(())
    }

    /// What went wrong with it, in the words of whoever asked for it: they know no other place.
    pub(super) fn told(&self, error: Error) -> Error {
        match (error, &self.aside) {
            (Error::Io { action, path, source }, Some(aside)) => match path.strip_prefix(aside) {
                Ok(below) if below.as_os_str().is_empty() => Error::io(action, self.to, source),
                Ok(below) => Error::io(action, &self.to.join(below), source),
                Err(_) => Error::Io { action, path, source },
            },
            (error, _) => error,
        }
    }
}

impl Drop for Outside<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        match &self.aside {
            Some(aside) => remove(self.fs, aside),
            None => {
                for name in self.fs.list(self.to).unwrap_or_default() {
                    remove(self.fs, &self.to.join(name));
                }
            }
        }
    }
}
