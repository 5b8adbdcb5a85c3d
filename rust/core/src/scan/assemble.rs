//! The manifest of what was found, written by all threads, each into its own part of it.

use std::convert::Infallible;
use std::sync::Mutex;

use crate::manifest::{Draft, Entry, Extent, Manifest, Writer};
use crate::scan::folder::{Folder, FolderId};
use crate::scan::row::Row;
use crate::scan::tree::{Tree, View};
use crate::threads::{lock, on_threads};

/// So few bytes are written sooner than a thread starts.
const SMALL: usize = 256 << 10;
/// A part holds at most this share of what a thread has to write, so that all end at about the same time.
const PARTS: usize = 8;

/// What lies in a folder, to be written.
struct Part<'a> {
    id: FolderId,
    /// The folder's place, with a `/` behind it.
    place: Vec<u8>,
    writer: Writer<'a>,
    /// Rows of its entries, where those are asked for.
    rows: &'a mut [Option<Row>],
}

/// The manifest, and what each of its entries was that is a file, where that is asked for.
pub(super) fn manifest_of(tree: &Tree, with_rows: bool, threads: usize) -> (Manifest, Vec<Option<Row>>) {
    let totals = totals(tree);
    let all = totals.first().copied().unwrap_or_default();
    let mut draft = Draft::new(all);
    let mut rows = vec![None; if with_rows { all.entries } else { 0 }];
    let whole = Part { id: 0, place: Vec::new(), writer: draft.writer(), rows: &mut rows };
    if threads < 2 || all.bytes < SMALL {
        whole.write(tree, |_| None);
    } else {
        let most = all.bytes / (threads * PARTS);
        let parts = whole.write(tree, |id| totals.get(id as usize).copied().filter(|total| total.bytes <= most));
        let count = parts.len();
        let waiting = Mutex::new(parts.into_iter());
        let next = || lock(&waiting).next();
        let work = || {
            while let Some(part) = next() {
                part.write(tree, |_| None);
            }
            Ok(())
        };
        on_threads(threads.min(count), work, || ()).unwrap_or_else(|never: Infallible| match never {});
    }
    (draft.finish(threads), rows)
}

/// What each folder takes in a manifest, with all that lies below it.
fn totals(tree: &Tree) -> Vec<Extent> {
    let own = |folder: &Option<_>| folder.as_ref().map_or(Extent::default(), |folder: &Folder| folder.extent);
    let mut totals: Vec<Extent> = tree.folders.iter().map(own).collect();
    // A folder's number is lower than those of the folders in it.
    for id in (1..totals.len()).rev() {
        if let Some(folder) = &tree.folders[id] {
            let total = totals[id];
            totals[folder.above as usize] += total;
        }
    }
    totals
}

impl<'a> Part<'a> {
    /// Writes what lies in the folder; a folder for which `is_part` has an extent becomes a part of its own instead.
    fn write(mut self, tree: &Tree, is_part: impl Fn(FolderId) -> Option<Extent>) -> Vec<Self> {
        let mut parts = Vec::new();
        let place = std::mem::take(&mut self.place);
        tree.visit(self.id, &place, |path, view| {
            match view {
                View::File { row, digest, .. } => {
                    self.push(Entry::file(path, row.is_executable(), row.size, digest), Some(row));
                }
                View::Link(text) => self.push(Entry::link(path, text), None),
                View::Itself => self.push(Entry::directory(path), None),
                View::Special => {}
                View::Folder { id, .. } => {
                    let Some(extent) = is_part(id) else { return true };
                    parts.push(self.split_off(id, path, extent));
                    return false;
                }
            }
            true
        });
        self.writer.end();
        parts
    }

    fn push(&mut self, entry: Entry, row: Option<Row>) {
        self.writer.push(entry);
        if let Some(first) = self.take_rows(1).first_mut() {
            *first = row;
        }
    }

    fn split_off(&mut self, id: FolderId, path: &[u8], extent: Extent) -> Self {
        let writer = self.writer.split_off(extent);
        Part { id, place: path.to_vec(), writer, rows: self.take_rows(extent.entries) }
    }

    /// The rows of the next entries; none where none are asked for.
    fn take_rows(&mut self, count: usize) -> &'a mut [Option<Row>] {
        let rows = std::mem::take(&mut self.rows);
        let count = count.min(rows.len());
        let (taken, rest) = rows.split_at_mut(count);
        self.rows = rest;
        taken
    }
}
