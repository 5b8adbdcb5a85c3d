//! Manifests: the golden vectors, what is refused, and what differences say.

#![allow(clippy::disallowed_methods)] // A test reads its own data.

use proptest::prelude::*;
use scriptstep_core::Error;
use scriptstep_core::digest::Digest;
use scriptstep_core::manifest::{Change, Entry, Kind, Manifest};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    name: String,
    entries: Vec<Listed>,
    encoded: String,
    digest: String,
}

#[derive(Deserialize)]
struct Listed {
    path: String,
    kind: String,
    size: u64,
    digest: String,
    target: String,
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

impl Listed {
    /// The entry, of a path and a link's text that are kept elsewhere.
    fn entry<'a>(&self, path: &'a [u8], target: &'a [u8]) -> Entry<'a> {
        match self.kind.as_str() {
            "link" => Entry::link(path, target),
            "directory" => Entry::directory(path),
            kind => {
                let digest = Digest::from_hex(&self.digest).expect("a digest");
                Entry::file(path, kind == "executable", self.size, digest)
            }
        }
    }
}

#[test]
fn the_golden_vectors_hold() {
    let text =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/manifest_vectors.json")).expect("them");
    let vectors: Vec<Vector> = serde_json::from_slice(&text).expect("their format");
    assert!(vectors.len() >= 14);
    for vector in &vectors {
        let encoded = unhex(&vector.encoded);
        for turned in [false, true] {
            let texts: Vec<_> = vector.entries.iter().map(|one| (unhex(&one.path), unhex(&one.target))).collect();
            let listed = vector.entries.iter().zip(&texts);
            let mut entries: Vec<Entry> = listed.map(|(one, (path, target))| one.entry(path, target)).collect();
            if turned {
                entries.reverse();
            }
            let made = Manifest::new(entries).expect(&vector.name);
            assert_eq!(made.digest().to_hex(), vector.digest, "{}", vector.name);
            assert_eq!(made.as_bytes(), encoded, "{}", vector.name);
        }
        let read = Manifest::decode(encoded).expect(&vector.name);
        assert_eq!(read.digest().to_hex(), vector.digest, "{}", vector.name);
    }
}

fn file<'a>(path: &'a [u8], bytes: &[u8]) -> Entry<'a> {
    Entry::file(path, false, bytes.len() as u64, Digest::of(bytes))
}

/// Canonical bytes of entries that need be no tree.
fn written(entries: &[(u8, &[u8])], count: u64) -> Vec<u8> {
    let mut bytes = count.to_le_bytes().to_vec();
    for (kind, path) in entries {
        bytes.push(*kind);
        bytes.extend_from_slice(&(path.len() as u64).to_le_bytes());
        bytes.extend_from_slice(path);
        match kind {
            1 | 2 => bytes.extend_from_slice(&[0; 40]),
            3 => bytes.extend_from_slice(b"\x01\0\0\0\0\0\0\0x"),
            _ => {}
        }
    }
    bytes
}

fn is_refused(bytes: &[u8]) -> bool {
    matches!(Manifest::decode(bytes.to_vec()), Err(Error::Manifest(_)))
}

#[test]
fn what_is_sound_is_read() {
    assert!(Manifest::decode(written(&[], 0)).is_ok());
    assert!(Manifest::decode(written(&[(1, b"")], 1)).is_ok());
    assert!(Manifest::decode(written(&[(4, b"a"), (1, b"a-b"), (1, b"a/b"), (3, b"a/c")], 4)).is_ok());
}

#[test]
fn a_file_is_held_against_what_lies_below_it_alone() {
    assert!(Manifest::decode(written(&[(1, b"ab"), (1, b"abc"), (1, b"cd/x"), (1, b"cd0")], 4)).is_ok());
}

#[test]
fn a_path_that_leads_out_is_refused() {
    for path in [&b".."[..], b"a/..", b"../a", b"a/../b", b"/", b"/a", b"a/", b"a//b", b".", b"a/./b", b"a\0", b"\0"] {
        for kind in 1..=4 {
            assert!(is_refused(&written(&[(kind, path)], 1)), "{kind} {path:?}");
        }
    }
}

#[test]
fn what_cannot_lie_in_one_folder_is_refused() {
    assert!(is_refused(&written(&[(1, b"a"), (1, b"a")], 2)));
    assert!(is_refused(&written(&[(1, b"a"), (4, b"a")], 2)));
    assert!(is_refused(&written(&[(1, b"b"), (1, b"a")], 2)));
    for kind in 1..=3 {
        assert!(is_refused(&written(&[(kind, b"a"), (1, b"a/b")], 2)), "{kind}");
        assert!(is_refused(&written(&[(kind, b"a"), (1, b"a!"), (1, b"a-b"), (1, b"a/b/c")], 4)), "{kind}");
        assert!(is_refused(&written(&[(4, b"a"), (kind, b"a/b"), (1, b"a/b/c")], 3)), "{kind}");
    }
    assert!(is_refused(&written(&[(1, b""), (1, b"a")], 2)));
    assert!(is_refused(&written(&[(3, b"")], 1)));
    assert!(is_refused(&written(&[(4, b"")], 1)));
}

#[test]
fn counts_and_lengths_that_lie_are_refused_and_ask_for_no_memory() {
    let entries: &[(u8, &[u8])] = &[(1, b"a"), (4, b"b")];
    for count in [0, 1, 3, 1 << 20, u64::MAX / 9, u64::MAX] {
        assert!(is_refused(&written(entries, count)), "{count}");
    }
    let whole = written(entries, 2);
    for end in 0..whole.len() {
        assert!(is_refused(&whole[..end]), "cut at {end}");
    }
    for length in [2, 1 << 40, u64::MAX] {
        let mut bent = written(&[(4, b"a")], 1);
        bent[9..17].copy_from_slice(&u64::to_le_bytes(length));
        assert!(is_refused(&bent), "{length}");
    }
    assert!(is_refused(&[&whole[..], b"\0"].concat()));
}

#[test]
fn a_hundred_thousand_files_of_nested_names_are_checked_in_time() {
    // Each name begins like the one before it: no name may be held against all of them.
    let name = vec![b'a'; 3_000];
    let entries: Vec<Entry> = (0..3_000).map(|length| file(&name[..=length], b"")).collect();
    let start = std::time::Instant::now();
    Manifest::new(entries).expect("a tree");
    assert!(start.elapsed() < std::time::Duration::from_secs(2), "{:?}", start.elapsed());
}

fn trees() -> impl Strategy<Value = Manifest> {
    let names = prop::sample::select(vec!["a", "b", "c/d", "c/e", "c-d", "f/g/h"]);
    let files = prop::collection::btree_map(names, ("[xy]{0,2}", any::<bool>()), 0..6);
    files.prop_map(|files| {
        let entries = files.iter().map(|(path, (text, executable))| {
            let kind = if *executable { Kind::Executable } else { Kind::File };
            Entry { kind, ..file(path.as_bytes(), text.as_bytes()) }
        });
        Manifest::new(entries.collect()).expect("a tree")
    })
}

/// A change seen from the other side.
fn turned(change: &Change) -> Change {
    match change.clone() {
        Change::Added(path) => Change::Removed(path),
        Change::Removed(path) => Change::Added(path),
        Change::Renamed(from, to) => Change::Renamed(to, from),
        same => same,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_differs_where_the_digests_are_equal(one in trees(), other in trees()) {
        prop_assert!(one.diff(&one).is_empty());
        prop_assert_eq!(one.diff(&other).is_empty(), one.digest() == other.digest());
    }

    #[test]
    fn a_diff_read_backwards_is_the_diff_back(one in trees(), other in trees()) {
        let mut back: Vec<Change> = one.diff(&other).iter().map(turned).collect();
        back.sort_by(|a, b| a.path().cmp(b.path()));
        prop_assert_eq!(back, other.diff(&one));
    }

    #[test]
    fn every_path_that_differs_is_named_once(one in trees(), other in trees()) {
        let mut named: Vec<Vec<u8>> = Vec::new();
        for change in one.diff(&other) {
            if let Change::Renamed(from, _) = &change {
                named.push(from.clone());
            }
            named.push(change.path().to_vec());
        }
        named.sort();
        let paths: std::collections::BTreeSet<&[u8]> =
            one.entries().chain(other.entries()).map(|entry| entry.path).collect();
        let differing: Vec<Vec<u8>> =
            paths.into_iter().filter(|path| one.get(path) != other.get(path)).map(<[u8]>::to_vec).collect();
        prop_assert_eq!(named, differing);
    }

    #[test]
    fn a_mode_is_all_that_differs_where_the_mode_is_named(one in trees(), other in trees()) {
        for change in one.diff(&other) {
            let both = one.get(change.path()).zip(other.get(change.path()));
            let same_bytes = both.is_some_and(|(before, after)| before.digest == after.digest);
            prop_assert_eq!(matches!(change, Change::Mode(_)), same_bytes);
        }
    }

    #[test]
    fn encoding_and_decoding_give_back_what_was(one in trees()) {
        let read = Manifest::decode(one.as_bytes().to_vec()).expect("its own bytes");
        prop_assert!(read.entries().eq(one.entries()));
        prop_assert_eq!(read.digest(), one.digest());
    }

    #[test]
    fn a_subset_of_all_paths_is_all(one in trees()) {
        let paths: Vec<Vec<u8>> = one.entries().map(|entry| entry.path.to_vec()).collect();
        prop_assert_eq!(one.subset(&paths).digest(), one.digest());
        prop_assert!(one.subset(&[b"none".to_vec()]).is_empty());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        if let Ok(read) = Manifest::decode(bytes.clone()) {
            prop_assert_eq!(read.as_bytes(), bytes);
        }
    }
}
