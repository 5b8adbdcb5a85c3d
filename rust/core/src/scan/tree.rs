//! The folders of a scan as one tree, gone through in the order of a manifest.

use crate::digest::Digest;
use crate::manifest::{Extent, Kind};
use crate::scan::folder::{Body, Folder, FolderId, Item, Items, What};
use crate::scan::row::Row;
use crate::stat_cache::{Cache, Known, KnownItems};

/// Something that was found, as a manifest or a cache needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'a> {
    File {
        row: Row,
        digest: Digest,
        /// Whether it lies where its folder does, on the root's device.
        own: bool,
    },
    Link(&'a [u8]),
    Folder {
        id: FolderId,
        own: bool,
    },
    Itself,
    Special,
}

/// All folders of a scan, by number; the root is 0.
pub(crate) struct Tree<'a> {
    pub folders: Vec<Option<Folder>>,
    pub cache: Option<&'a Cache>,
}

impl<'a> Tree<'a> {
    pub fn new(found: Vec<(FolderId, Folder)>, cache: Option<&'a Cache>) -> Self {
        let mut folders: Vec<Option<Folder>> = Vec::new();
        folders.resize_with(found.len(), || None);
        for (id, folder) in found {
            let at = id as usize;
            if at >= folders.len() {
                folders.resize_with(at + 1, || None);
            }
            folders[at] = Some(folder);
        }
        Self { folders, cache }
    }

    /// The items of a folder, in order.
    pub fn items(&self, id: FolderId) -> Views<'_> {
        match self.folders.get(id as usize) {
            Some(Some(folder)) => Views::of(&folder.body, self.cache),
            _ => Views::None,
        }
    }

    /// Calls with the place of everything, in the order of a manifest.
    pub fn for_each(&self, mut visit: impl FnMut(&[u8], View)) {
        self.visit(0, b"", |place, view| {
            visit(place, view);
            true
        });
    }

    /// Calls with everything below a folder, whose place ends in `/`, in the order of a manifest. Of a folder, which
    /// comes with a `/` at its end, the answer says whether to enter it.
    pub fn visit(&self, id: FolderId, place: &[u8], mut enters: impl FnMut(&[u8], View) -> bool) {
        let mut place = place.to_vec();
        let mut above = vec![(self.items(id), place.len())];
        while let Some((items, start)) = above.last_mut() {
            let start = *start;
            let Some((name, view)) = items.next() else {
                above.pop();
                continue;
            };
            place.truncate(start);
            place.extend_from_slice(name);
            if let View::Folder { id, .. } = view {
                place.push(b'/');
                if enters(&place, view) {
                    above.push((self.items(id), place.len()));
                }
            } else {
                enters(&place, view);
            }
        }
    }
}

/// The items of a folder, wherever they stand.
pub(crate) enum Views<'a> {
    Found(&'a Items, std::slice::Iter<'a, Item>),
    Known(KnownItems<'a>, std::slice::Iter<'a, FolderId>),
    None,
}

impl<'a> Views<'a> {
    pub fn of(body: &'a Body, cache: Option<&'a Cache>) -> Self {
        match (body, cache) {
            (Body::Found(items), _) => Self::Found(items, items.list.iter()),
            (Body::Known(record, ids), Some(cache)) => Self::Known(cache.items(*record), ids.iter()),
            (Body::Known(..), None) => Self::None,
        }
    }

    /// What the items take in a manifest; `place` is the length of their folder's place.
    pub fn extent(self, place: usize) -> Extent {
        let above = if place == 0 { 0 } else { place + 1 };
        let mut extent = Extent::default();
        for (name, view) in self {
            let (kind, target) = match view {
                View::File { .. } => (Kind::File, 0),
                View::Link(text) => (Kind::Link, text.len()),
                View::Itself => (Kind::Directory, 0),
                View::Folder { .. } | View::Special => continue,
            };
            extent += Extent::of(kind, above + name.len(), target);
        }
        extent
    }
}

impl<'a> Iterator for Views<'a> {
    type Item = (&'a [u8], View<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Views::Found(items, list) => list.next().map(|item| {
                let view = match item.what {
                    What::File { row, digest, own } => View::File { row, digest, own },
                    What::Link(text) => View::Link(items.text(text)),
                    What::Folder { id, own } => View::Folder { id, own },
                    What::Itself => View::Itself,
                    What::Special => View::Special,
                };
                (items.text(item.name), view)
            }),
            Views::Known(items, ids) => items.next().map(|item| {
                let view = match item.what {
                    Known::File { row, digest, .. } => View::File { row, digest, own: true },
                    Known::Link(text) => View::Link(text),
                    Known::Folder(_) => View::Folder { id: ids.next().copied().unwrap_or_default(), own: true },
                    Known::Itself => View::Itself,
                    // A record with one is never a body: the file was read.
                    Known::Untrusted | Known::Special => View::Special,
                };
                (item.name(), view)
            }),
            Views::None => None,
        }
    }
}
