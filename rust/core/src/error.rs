//! What can go wrong, each with the path that it happened at.

use std::io;
use std::path::{Path, PathBuf};

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was to be done, as in "cannot read".
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Files or folders that cannot be read.
    #[error("cannot read {} in {}:{}", count(found.len()), root.display(), listed(found))]
    Unreadable {
        /// The directory that was read.
        root: PathBuf,
        /// Each of them, and why.
        found: Vec<(PathBuf, String)>,
    },
    /// A file or folder went on changing while it was read.
    #[error("{} kept changing while it was read", .0.display())]
    Changed(PathBuf),
    /// A rule file that cannot be used.
    #[error("ignore file {} {reason}", path.display())]
    RuleFile {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// A manifest that does not describe a tree.
    #[error("not a manifest: {0}")]
    Manifest(String),
    /// A stored tree that is not what its manifest lists.
    #[error("stored tree {digest} is damaged: {problem}")]
    Damaged {
        /// Its digest.
        digest: String,
        /// What is wrong, naming the file.
        problem: String,
    },
    /// No such tree.
    #[error("no tree {0} in the store")]
    Missing(String),
    /// What was to be made is there already.
    #[error("{} is there already", .0.display())]
    InTheWay(PathBuf),
    /// Somebody else does what one at a time can do.
    #[error("somebody else is collecting in {}", .0.display())]
    Busy(PathBuf),
    /// The caller asked for an end.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// A failed system call.
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source }
    }

    /// Whether something that was there is gone: another look may tell more.
    pub(crate) fn is_vanished(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

fn count(files: usize) -> String {
    if files == 1 { "1 entry".to_owned() } else { format!("{files} entries") }
}

fn listed(found: &[(PathBuf, String)]) -> String {
    let lines: Vec<String> = found.iter().map(|(path, why)| format!("\n  {}: {why}", path.display())).collect();
    lines.concat()
}
