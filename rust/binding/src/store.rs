//! The content store.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use pyo3::prelude::*;
use scriptstep_core::digest::Digest;
use scriptstep_core::scan::{Options, Progress};
use scriptstep_core::store;

use crate::errors::{TreeMissing, to_python};
use crate::manifest::Manifest;
use crate::scan::Scan;
use crate::waiting::wait_for;

fn options<'a>(cancelled: &'a AtomicBool, progress: &'a Progress) -> Options<'a> {
    Options { cancelled: Some(cancelled), progress: Some(progress), ..Options::default() }
}

#[pyclass(frozen, module = "scriptstep._core")]
pub struct Guard(store::Guard);

#[pyclass(frozen, module = "scriptstep._core")]
pub struct Store(store::Store);

fn parse(digest: &str) -> PyResult<Digest> {
    Digest::from_hex(digest).ok_or_else(|| TreeMissing::new_err(format!("not a digest: {digest}")))
}

#[pymethods]
impl Store {
    #[new]
    fn new(root: PathBuf) -> Self {
        Self(store::Store::new(&root))
    }

    #[pyo3(signature = (scan, base, progress))]
    fn save(&self, py: Python<'_>, scan: &Scan, base: Option<&str>, progress: Option<Py<PyAny>>) -> PyResult<()> {
        let base = base.map(parse).transpose()?;
        wait_for(py, progress.as_ref(), |cancelled, progress| self.0.save(&scan.0, base, &options(cancelled, progress)))
    }

    fn save_part(&self, py: Python<'_>, whole: &str, part: &Manifest) -> PyResult<()> {
        let whole = parse(whole)?;
        wait_for(py, None, |cancelled, progress| self.0.save_part(whole, &part.0, &options(cancelled, progress)))
    }

    #[pyo3(signature = (path, progress))]
    fn add(&self, py: Python<'_>, path: PathBuf, progress: Option<Py<PyAny>>) -> PyResult<Manifest> {
        wait_for(py, progress.as_ref(), |cancelled, progress| self.0.add(&path, &options(cancelled, progress)))
            .map(Manifest)
    }

    #[pyo3(signature = (path, progress))]
    fn adopt(&self, py: Python<'_>, path: PathBuf, progress: Option<Py<PyAny>>) -> PyResult<Manifest> {
        wait_for(py, progress.as_ref(), |cancelled, progress| self.0.adopt(&path, &options(cancelled, progress)))
            .map(Manifest)
    }

    #[pyo3(signature = (digest, dest, progress))]
    fn restore(&self, py: Python<'_>, digest: &str, dest: PathBuf, progress: Option<Py<PyAny>>) -> PyResult<()> {
        let digest = parse(digest)?;
        wait_for(py, progress.as_ref(), |cancelled, progress| {
            self.0.restore(digest, &dest, &options(cancelled, progress))
        })
    }

    fn ensure(&self, py: Python<'_>, digest: &str) -> PyResult<bool> {
        let digest = parse(digest)?;
        wait_for(py, None, |cancelled, progress| self.0.ensure(digest, &options(cancelled, progress)))
    }

    fn content_path(&self, digest: &str) -> PyResult<PathBuf> {
        self.0.content_path(parse(digest)?).map_err(|error| to_python(&error))
    }

    fn manifest(&self, digest: &str) -> PyResult<Manifest> {
        self.0.manifest(parse(digest)?).map(Manifest).map_err(|error| to_python(&error))
    }

    fn verify(&self, py: Python<'_>, digest: &str) -> PyResult<Vec<String>> {
        let digest = parse(digest)?;
        wait_for(py, None, |cancelled, progress| self.0.verify(digest, &options(cancelled, progress)))
    }

    fn guard(&self, py: Python<'_>, digest: &str) -> PyResult<Guard> {
        let digest = parse(digest)?;
        wait_for(py, None, |_, _| self.0.guard(digest)).map(Guard)
    }

    fn written_since(&self, py: Python<'_>, digest: &str, guard: &Guard) -> PyResult<Vec<String>> {
        let digest = parse(digest)?;
        wait_for(py, None, |cancelled, progress| self.0.written_since(digest, &guard.0, &options(cancelled, progress)))
    }

    fn set_aside(&self, digest: &str) -> PyResult<PathBuf> {
        self.0.set_aside(parse(digest)?).map_err(|error| to_python(&error))
    }

    fn sync(&self, py: Python<'_>, digests: Vec<String>) -> PyResult<()> {
        let digests = digests.iter().map(|digest| parse(digest)).collect::<PyResult<Vec<_>>>()?;
        wait_for(py, None, |_, _| self.0.sync(&digests))
    }
}
