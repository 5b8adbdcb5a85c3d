//! How one manifest differs from another.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::digest::Digest;
use crate::manifest::{Entry, Kind, Manifest};

/// How one manifest differs from another at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Only the later one has it.
    Added(Vec<u8>),
    /// Only the earlier one has it.
    Removed(Vec<u8>),
    /// Its bytes, its link's text, or what it is.
    Changed(Vec<u8>),
    /// The same bytes under another path: from, to.
    Renamed(Vec<u8>, Vec<u8>),
    /// Its executable bit alone.
    Mode(Vec<u8>),
}

impl Change {
    /// The path that it is about: where it is now, or was.
    pub fn path(&self) -> &[u8] {
        match self {
            Self::Added(path)
            | Self::Removed(path)
            | Self::Changed(path)
            | Self::Renamed(_, path)
            | Self::Mode(path) => path,
        }
    }
}

impl Manifest {
    /// What changed from this manifest to a later one, sorted by path; in time linear in both, and in what changed
    /// times its logarithm.
    pub fn diff(&self, later: &Self) -> Vec<Change> {
        let (mut old, mut new) = (self.entries().peekable(), later.entries().peekable());
        let (mut changes, mut removed, mut added) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.path.cmp(b.path),
            };
            match order {
                Ordering::Less => removed.extend(old.next()),
                Ordering::Greater => added.extend(new.next()),
                Ordering::Equal => {
                    if let (Some(a), Some(b)) = (old.next(), new.next()) {
                        if a.kind.is_file() && b.kind.is_file() && a.digest == b.digest && a.kind != b.kind {
                            changes.push(Change::Mode(b.path.to_vec()));
                        } else if a != b {
                            changes.push(Change::Changed(b.path.to_vec()));
                        }
                    }
                }
            }
        }
        pair_renames(&removed, &added, &mut changes);
        changes.sort_by(|a, b| a.path().cmp(b.path()));
        changes
    }
}

/// Pairs what is gone with what is new of the same bytes, in the order of paths; the rest is removed and added.
fn pair_renames(removed: &[Entry], added: &[Entry], changes: &mut Vec<Change>) {
    let mut gone: HashMap<(Kind, Digest), Vec<Entry>> = HashMap::new();
    for entry in removed.iter().rev() {
        if entry.kind.is_file() && entry.size > 0 {
            gone.entry((entry.kind, entry.digest)).or_default().push(*entry);
        } else {
            changes.push(Change::Removed(entry.path.to_vec()));
        }
    }
    for entry in added {
        let from = gone.get_mut(&(entry.kind, entry.digest)).and_then(Vec::pop);
        changes.push(match from {
            Some(from) => Change::Renamed(from.path.to_vec(), entry.path.to_vec()),
            None => Change::Added(entry.path.to_vec()),
        });
    }
    changes.extend(gone.into_values().flatten().map(|entry| Change::Removed(entry.path.to_vec())));
}
