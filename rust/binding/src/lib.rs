//! `scriptstep._core`: translates between Python and scriptstep-core, and decides nothing.

#![allow(clippy::needless_pass_by_value)] // PyO3 hands over what it made.

mod errors;
mod links;
mod manifest;
mod scan;
mod store;
mod waiting;

use pyo3::prelude::*;
use scriptstep_core::digest::Digest;

#[pyfunction]
fn digest_bytes(domain: &str, data: &[u8]) -> String {
    Digest::in_domain(domain, data).to_hex()
}

#[pyfunction]
fn digest_file(data: &[u8]) -> String {
    Digest::of(data).to_hex()
}

#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::{digest_bytes, digest_file};
    #[pymodule_export]
    use crate::links::make_links;
    #[pymodule_export]
    use crate::manifest::Manifest;
    #[pymodule_export]
    use crate::scan::{Scan, explain, scan};
    #[pymodule_export]
    use crate::store::{Census, Collecting, Guard, Leftover, Store};
}
