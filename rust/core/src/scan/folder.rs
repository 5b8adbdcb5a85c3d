//! What was found in one folder: names in one buffer, items in the order in which a manifest has them.

use crate::digest::Digest;
use crate::manifest::Extent;
use crate::scan::row::Row;
use crate::stat_cache::Record;

/// Number of a folder in a scan; a folder's is lower than those of the folders in it.
pub(crate) type FolderId = u32;

/// A part of a folder's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text {
    start: u32,
    length: u32,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    File {
        row: Row,
        digest: Digest,
        /// Whether it lies where its folder does, not where a link led.
        own: bool,
    },
    Link(Text),
    /// All that lies in a folder of its own; its number.
    Folder {
        id: FolderId,
        /// Whether it lies where its folder does, not where a link led.
        own: bool,
    },
    /// The folder itself, where folders are listed.
    Itself,
    /// A socket, FIFO or device: left out, and said.
    Special,
}

/// One thing in a folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub name: Text,
    pub what: What,
}

/// The items of a folder, as they were found now.
#[derive(Debug, Default)]
pub(crate) struct Items {
    /// Names, and texts of links.
    buffer: Vec<u8>,
    pub list: Vec<Item>,
}

impl Items {
    pub fn text(&self, text: Text) -> &[u8] {
        &self.buffer[text.start as usize..(text.start + text.length) as usize]
    }

    pub fn keep(&mut self, text: &[u8]) -> Text {
        // A folder's names and links do not fill four gigabytes: the system's own lists are counted in fewer.
        let start = u32::try_from(self.buffer.len()).unwrap_or(u32::MAX);
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.buffer.extend_from_slice(text);
        Text { start, length }
    }

    pub fn push(&mut self, name: Text, what: What) {
        self.list.push(Item { name, what });
    }

    /// Gives back what room is left: there may be a million of them.
    pub fn shrink(&mut self) {
        self.buffer.shrink_to_fit();
        self.list.shrink_to_fit();
    }

    /// Brings the items into the order of the paths that they stand for: what lies in `a` begins with `a/`.
    pub fn sort(&mut self) {
        let (buffer, key) = (&self.buffer, |item: &Item| matches!(item.what, What::Folder { .. }));
        let text = |item: &Item| &buffer[item.name.start as usize..][..item.name.length as usize];
        self.list.sort_unstable_by(|a, b| {
            let (one, other) = (text(a), text(b));
            let shared = one.len().min(other.len());
            one[..shared].cmp(&other[..shared]).then_with(|| {
                let next = |text: &[u8], item: &Item| match text.get(shared) {
                    Some(byte) => Some(*byte),
                    None => key(item).then_some(b'/'),
                };
                next(one, a).cmp(&next(other, b))
            })
        });
    }
}

/// Where the items of a folder stand.
#[derive(Debug)]
pub(crate) enum Body {
    /// They were found now.
    Found(Items),
    /// They are those that the cache has, every one looked at; with the numbers of the folders among them.
    Known(Record, Vec<FolderId>),
}

/// One folder that was walked.
#[derive(Debug)]
pub(crate) struct Folder {
    pub body: Body,
    /// The folder that it is in; the root is in itself.
    pub above: FolderId,
    /// What its own items take in a manifest, without what lies in the folders among them.
    pub extent: Extent,
    /// What there is for the cache to keep; none where a folder must be looked at anew each time.
    pub kept: Option<Kept>,
}

/// What tells, later, that a folder's names and the rules' verdicts on them are the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// The folder itself.
    pub row: Row,
    /// The rules in force above it.
    pub rules: Digest,
    /// Its own rule file, with its digest.
    pub rule_file: Option<(Row, Digest)>,
    /// Whether that is in UTF-16, which is warned of each time.
    pub rule_file_is_utf16: bool,
    /// Whether it is a virtual environment, and so left out.
    pub is_environment: bool,
}
