//! What a link is in a manifest: a link, where it stays inside or leads nowhere; else what it leads to.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::fs::{FileKind, Fs, Stat};

/// A folder that is walked: the root, or what a link that leads out points at.
#[derive(Debug)]
pub(crate) struct Realm {
    /// The folder, canonical.
    pub folder: PathBuf,
    /// Where it stands below the root; empty for the root.
    pub place: Vec<u8>,
    /// Canonical folders that this one is walked within, itself the last: a link back to one would never end.
    pub within: Vec<PathBuf>,
}

impl Realm {
    /// The realm of the root.
    pub fn new(folder: PathBuf) -> Self {
        Self { within: vec![folder.clone()], folder, place: Vec::new() }
    }

    /// The realm of what a link at a place leads to.
    pub fn through(&self, target: PathBuf, place: Vec<u8>) -> Self {
        let within = self.within.iter().cloned().chain([target.clone()]).collect();
        Self { folder: target, place, within }
    }

    /// Where something that stands at a place below the root really lies.
    pub fn source(&self, place: &[u8]) -> PathBuf {
        let below = place.strip_prefix(self.place.as_slice()).unwrap_or(place);
        let below = below.strip_prefix(b"/").unwrap_or(below);
        if below.is_empty() { self.folder.clone() } else { self.folder.join(OsStr::from_bytes(below)) }
    }
}

/// What becomes of a link.
pub(crate) enum Fate {
    /// It stays a link of this text; with a warning, where there is something to say.
    Link(Vec<u8>, Option<&'static str>),
    /// It is read as the file or folder that it leads to, which lies elsewhere.
    Through(PathBuf, Stat),
    /// It leads to a socket, FIFO or device.
    Special,
    /// What it leads to must not be looked at.
    Unreadable(std::io::Error),
}

/// Decides about a link that lies at `source`, in a realm.
pub(crate) fn fate(fs: &dyn Fs, realm: &Realm, source: &Path, text: PathBuf, as_it_is: bool) -> Result<Fate> {
    let kept = |text: PathBuf, warning| Ok(Fate::Link(text.into_os_string().into_encoded_bytes(), warning));
    if as_it_is {
        return kept(text, None);
    }
    let target = match fs.canonical(source) {
        Ok(target) => target,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(Fate::Unreadable(error)),
        // Deeper than paths can be: by its text alone it stays inside or not.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NAMETOOLONG.raw_os_error()) => {
            return if stays_inside(realm, source, &text) {
                kept(text, None)
            } else {
                Err(Error::io("follow the link", source, error))
            };
        }
        Err(error) if leads_nowhere(&error) => {
            return kept(text, Some("a link that leads nowhere, kept as a link"));
        }
        Err(error) => return Err(Error::io("follow the link", source, error)),
    };
    if realm.within.iter().any(|folder| folder.starts_with(&target)) {
        let text = if text.is_absolute() { relative_text(source, &target) } else { text };
        return kept(text, Some("a link to a folder that holds it, kept as a link"));
    }
    if target.starts_with(&realm.folder) {
        let text = if stays_inside(realm, source, &text) { text } else { relative_text(source, &target) };
        return kept(text, None);
    }
    match fs.stat(&target) {
        Ok(stat) if stat.kind == FileKind::Special => Ok(Fate::Special),
        Ok(stat) => Ok(Fate::Through(target, stat)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(Fate::Unreadable(error)),
        Err(error) => Err(Error::io("read", &target, error)),
    }
}

/// Whether a link cannot be followed because nothing is there, or it comes back to itself.
fn leads_nowhere(why: &std::io::Error) -> bool {
    matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        || why.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// Whether a link's own text never leaves the folder that is walked, so that it means the same anywhere.
fn stays_inside(realm: &Realm, source: &Path, text: &Path) -> bool {
    if text.is_absolute() {
        return false;
    }
    let above = source.parent().and_then(|p| p.strip_prefix(&realm.folder).ok());
    let mut depth = above.map_or(0, |p| p.components().count());
    for part in text.components() {
        match part {
            Component::ParentDir if depth == 0 => return false,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            _ => {}
        }
    }
    true
}

/// The text of a link at `source` that leads to `target`, relative.
fn relative_text(source: &Path, target: &Path) -> PathBuf {
    let from = source.parent().unwrap_or(source);
    let shared = from.components().zip(target.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| OsStr::new(".."));
    let text: PathBuf = up.chain(target.components().skip(shared).map(Component::as_os_str)).collect();
    if text.as_os_str().is_empty() { PathBuf::from(".") } else { text }
}
