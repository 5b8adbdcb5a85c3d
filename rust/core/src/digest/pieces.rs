//! One digest, worked at by all threads: BLAKE3 is a tree, and pieces of a power of two of chunks have values of their
//! own, which are joined at the end.

use std::sync::Mutex;

use blake3::Hasher;
use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, hash_derive_key_context, merge_subtrees_non_root, merge_subtrees_root,
};

use crate::digest::Digest;
use crate::threads::{lock, on_threads};

/// Bytes of a piece of what lies in memory: a power of two of chunks, and still in a core's cache when it is hashed.
const PIECE: usize = 256 << 10;

/// Joins the values of pieces, all but the last of one power of two of chunks; none where there are not two of them.
pub(crate) fn joined(mut values: Vec<ChainingValue>, mode: Mode) -> Option<Digest> {
    // Left to right, in pairs, one level after the other: a piece without a partner moves up as it is.
    while values.len() > 2 {
        let pairs = values.chunks(2).map(|pair| match pair {
            [left, right] => merge_subtrees_non_root(left, right, mode),
            other => other[0],
        });
        values = pairs.collect();
    }
    match values.as_slice() {
        [left, right] => Some(Digest(*merge_subtrees_root(left, right, mode).as_bytes())),
        _ => None,
    }
}

impl Digest {
    /// The digest of bytes under a domain, found on several threads.
    ///
    /// `fill` is called first with each part of the bytes, and with where it begins: it may put them there.
    ///
    /// # Errors
    /// Those of `fill`.
    pub(crate) fn in_domain_on<E: Send>(
        threads: usize,
        domain: &str,
        bytes: &mut [u8],
        fill: impl Fn(usize, &mut [u8]) -> Result<(), E> + Sync,
    ) -> Result<Self, E> {
        let count = bytes.len().div_ceil(PIECE);
        if threads.min(count) < 2 {
            fill(0, bytes)?;
            return Ok(Self::in_domain(domain, bytes));
        }
        let key = hash_derive_key_context(domain);
        let waiting = Mutex::new(bytes.chunks_mut(PIECE).enumerate());
        let values = Mutex::new(vec![[0; 32]; count]);
        let next = || lock(&waiting).next();
        let work = || {
            while let Some((at, piece)) = next() {
                fill(at * PIECE, piece)?;
                let mut hasher = Hasher::new_from_context_key(&key);
                let value = hasher.set_input_offset((at * PIECE) as u64).update(piece).finalize_non_root();
                lock(&values)[at] = value;
            }
            Ok(())
        };
        on_threads(threads.min(count), work, || while next().is_some() {})?;
        let values = std::mem::take(&mut *lock(&values));
        // There are two pieces at the least, and each has its value.
        Ok(joined(values, Mode::DeriveKeyMaterial(&key)).unwrap_or_else(|| Self::in_domain(domain, bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(size: usize) -> Vec<u8> {
        (0..251).cycle().take(size).collect()
    }

    #[test]
    fn pieces_make_the_digest_of_the_whole() {
        for size in [PIECE + 1, 2 * PIECE, 2 * PIECE + 1, 3 * PIECE, 5 * PIECE + 12_345, 7 * PIECE, 8 * PIECE - 1] {
            let values = bytes(size)
                .chunks(PIECE)
                .enumerate()
                .map(|(at, piece)| {
                    Hasher::new().set_input_offset((at * PIECE) as u64).update(piece).finalize_non_root()
                })
                .collect();
            assert_eq!(joined(values, Mode::Hash), Some(Digest::of(&bytes(size))), "{size}");
        }
    }

    #[test]
    fn threads_find_the_same_digest() {
        for size in [0, 1, PIECE, PIECE + 1, 3 * PIECE, 9 * PIECE + 77] {
            let whole = Digest::in_domain("a domain", &bytes(size));
            for threads in [1, 2, 5] {
                let mut put = vec![0; size];
                let filled = Digest::in_domain_on(threads, "a domain", &mut put, |start, part| {
                    part.copy_from_slice(&bytes(size)[start..start + part.len()]);
                    Ok::<(), ()>(())
                });
                assert_eq!(filled, Ok(whole), "{size} bytes on {threads} threads");
            }
        }
    }

    #[test]
    fn what_cannot_be_filled_has_no_digest() {
        let filled = Digest::in_domain_on(2, "a domain", &mut vec![0; 4 * PIECE], |start, _| match start {
            0 => Ok(()),
            other => Err(other),
        });
        assert!(filled.is_err());
    }
}
