//! `scriptstep._core`: translates between Python and scriptstep-core, and decides nothing.

#![allow(clippy::needless_pass_by_value)] // PyO3 hands over what it made.

mod errors;
mod links;
mod manifest;
mod scan;
mod spelling;
mod store;
mod waiting;

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::SystemTime;

use pyo3::prelude::*;
use scriptstep_core::digest::Digest;
use scriptstep_core::fs::OsFs;
use scriptstep_core::stat_cache;

#[pyfunction]
fn digest_bytes(domain: &str, data: &[u8]) -> String {
    Digest::in_domain(domain, data).to_hex()
}

#[pyfunction]
fn digest_file(data: &[u8]) -> String {
    Digest::of(data).to_hex()
}

#[pyfunction]
fn stamps(py: Python<'_>, folder: PathBuf, names: Vec<PathBuf>) -> Vec<Option<Cow<'static, [u8]>>> {
    let found = py.detach(|| stat_cache::stamps(&OsFs, &folder, &names, SystemTime::now()));
    found.into_iter().map(|stamp| stamp.map(Cow::Owned)).collect()
}

#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::{digest_bytes, digest_file, stamps};
    #[pymodule_export]
    use crate::links::make_links;
    #[pymodule_export]
    use crate::manifest::Manifest;
    #[pymodule_export]
    use crate::scan::{Scan, explain, scan};
    #[pymodule_export]
    use crate::spelling::spell;
    #[pymodule_export]
    use crate::store::{Census, Collecting, Guard, Leftover, Store};
}
