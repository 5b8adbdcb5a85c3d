//! What a directory holds, exactly: git's ignore rules, BLAKE3 manifests and a store of whole trees.
//!
//! [`scan::scan_code`] and [`scan::scan_tree`] read a directory into a [`manifest::Manifest`]; a [`store::Store`] keeps
//! whole trees under their manifests' digests. Every system call goes through [`fs::Fs`].
#![forbid(unsafe_code)]

pub mod digest;
pub mod error;
pub mod fs;
pub mod links;
pub mod manifest;
pub mod rules;
pub mod scan;
pub mod spelling;
pub mod stat_cache;
pub mod store;
mod threads;

pub use error::{Error, Result};
