//! The content store.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use scriptstep_core::digest::Digest;
use scriptstep_core::error::{Error, Result};
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

/// What the store holds; a tree that is taken out of it is in the store still.
#[pyclass(frozen, module = "scriptstep._core")]
pub struct Census(Mutex<store::Census>);

#[pymethods]
impl Census {
    fn trees(&self) -> Vec<(String, u64)> {
        self.census().trees().map(|(digest, age)| (digest.to_hex(), age)).collect()
    }

    #[getter]
    fn total(&self) -> u64 {
        self.census().total()
    }

    fn take_out(&self, digest: &str) -> PyResult<u64> {
        Ok(self.census().take_out(parse(digest)?))
    }
}

impl Census {
    fn census(&self) -> MutexGuard<'_, store::Census> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to collect, until it is released.
#[pyclass(frozen, module = "scriptstep._core")]
pub struct Collecting(Mutex<Option<store::Collecting>>);

#[pymethods]
impl Collecting {
    fn release(&self) {
        self.right().take();
    }
}

impl Collecting {
    fn right(&self) -> MutexGuard<'_, Option<store::Collecting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, act: impl FnOnce(&store::Collecting) -> Result<T>) -> Result<T> {
        self.right().as_ref().map_or(Err(Error::Cancelled), act)
    }
}

/// What lies in the store and is no tree any more, or none yet.
#[pyclass(frozen, get_all, module = "scriptstep._core")]
pub struct Leftover {
    kind: &'static str,
    path: PathBuf,
    age: u64,
    bytes: u64,
}

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

    fn content_path(&self, py: Python<'_>, digest: &str) -> PyResult<PathBuf> {
        let digest = parse(digest)?;
        py.detach(|| self.0.content_path(digest)).map_err(|error| to_python(&error))
    }

    fn digests(&self) -> PyResult<Vec<String>> {
        let digests = self.0.digests().map_err(|error| to_python(&error))?;
        Ok(digests.into_iter().map(Digest::to_hex).collect())
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

    #[pyo3(signature = (progress))]
    fn verify_all(&self, py: Python<'_>, progress: Option<Py<PyAny>>) -> PyResult<Vec<(String, Vec<String>)>> {
        let found =
            wait_for(py, progress.as_ref(), |cancelled, progress| self.0.verify_all(&options(cancelled, progress)))?;
        Ok(found.into_iter().map(|(digest, told)| (digest.to_hex(), told)).collect())
    }

    fn census(&self, py: Python<'_>) -> PyResult<Census> {
        wait_for(py, None, |cancelled, progress| self.0.census(&options(cancelled, progress)))
            .map(|census| Census(Mutex::new(census)))
    }

    fn leased_now(&self, py: Python<'_>) -> PyResult<HashSet<String>> {
        let found = wait_for(py, None, |_, _| self.0.leased_now())?;
        Ok(found.into_iter().map(Digest::to_hex).collect())
    }

    fn leftovers(&self, py: Python<'_>) -> PyResult<Vec<Leftover>> {
        let found = wait_for(py, None, |_, _| self.0.leftovers())?;
        let told =
            |left: store::Leftover| Leftover { kind: left.kind, path: left.path, age: left.age, bytes: left.bytes };
        Ok(found.into_iter().map(told).collect())
    }

    fn begin_collecting(&self, py: Python<'_>) -> PyResult<Collecting> {
        wait_for(py, None, |_, _| self.0.begin_collecting()).map(|right| Collecting(Mutex::new(Some(right))))
    }

    #[pyo3(signature = (right, digests, progress))]
    fn collect(
        &self,
        py: Python<'_>,
        right: &Collecting,
        digests: Vec<String>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Vec<String>> {
        let digests = digests.iter().map(|digest| parse(digest)).collect::<PyResult<Vec<_>>>()?;
        let gone = wait_for(py, progress.as_ref(), |cancelled, progress| {
            right.with(|right| self.0.collect(right, &digests, &options(cancelled, progress)))
        })?;
        Ok(gone.into_iter().map(Digest::to_hex).collect())
    }

    fn remove_leftover(&self, py: Python<'_>, right: &Collecting, left: &Leftover) -> PyResult<()> {
        let (kind, path) = (left.kind, left.path.clone());
        let left = store::Leftover { kind, path, age: left.age, bytes: left.bytes };
        wait_for(py, None, |_, _| right.with(|right| self.0.remove_leftover(right, &left)))
    }
}
