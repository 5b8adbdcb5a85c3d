//! What a directory would cost to read, and what of it is large.

use std::collections::HashMap;

const LARGEST: usize = 10;

/// What a directory would cost to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub size: u64,
    /// Its ten largest entries with their bytes, the largest first; folders end in `/`. Where one folder holds nearly
    /// all, it is opened.
    pub largest: Vec<(Vec<u8>, u64)>,
}

/// Sums up files, each with its place and its bytes.
pub(super) fn survey(files: &[(Vec<u8>, u64)]) -> Survey {
    let size = files.iter().map(|(_, size)| size).sum();
    let mut prefix: Vec<u8> = Vec::new();
    let largest = loop {
        let largest = largest_below(files, &prefix);
        match largest.first() {
            Some((name, bytes)) if name.ends_with(b"/") && bytes * 10 > size * 9 && size > 0 => prefix.clone_from(name),
            _ => break largest,
        }
    };
    Survey { files: files.len() as u64, size, largest }
}

fn largest_below(files: &[(Vec<u8>, u64)], prefix: &[u8]) -> Vec<(Vec<u8>, u64)> {
    let mut sizes: HashMap<Vec<u8>, u64> = HashMap::new();
    for (path, size) in files {
        let Some(rest) = path.strip_prefix(prefix) else { continue };
        let end = rest.iter().position(|&byte| byte == b'/').map_or(rest.len(), |at| at + 1);
        *sizes.entry([prefix, &rest[..end]].concat()).or_default() += size;
    }
    let mut largest: Vec<(Vec<u8>, u64)> = sizes.into_iter().collect();
    largest.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    largest.truncate(LARGEST);
    largest
}
