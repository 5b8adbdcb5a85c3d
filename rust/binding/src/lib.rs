//! `scriptstep._core`: translates between Python and scriptstep-core, and decides nothing.

#![allow(clippy::needless_pass_by_value)] // PyO3 hands over what it made.

mod errors;
mod waiting;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use scriptstep_core::digest::Digest;
use scriptstep_core::fs::OsFs;
use scriptstep_core::manifest::{Change, Entry, Kind};
use scriptstep_core::scan::{Options, Scan, Survey};
use scriptstep_core::{manifest, scan, store};

use crate::errors::{TreeMissing, to_python};
use crate::waiting::wait_for;

type EntryTuple<'py> = (Bound<'py, PyBytes>, &'static str, u64, String, Bound<'py, PyBytes>);
type ChangeTuple<'py> = (&'static str, Bound<'py, PyBytes>, Option<Bound<'py, PyBytes>>);

#[pyclass(frozen, module = "scriptstep._core")]
struct Manifest(manifest::Manifest);

#[pymethods]
impl Manifest {
    #[staticmethod]
    fn from_bytes(data: &[u8]) -> PyResult<Self> {
        manifest::Manifest::decode(data).map(Self).map_err(|error| to_python(&error))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.encode())
    }

    #[getter]
    fn digest(&self) -> String {
        self.0.digest().to_hex()
    }

    #[getter]
    fn total_size(&self) -> u64 {
        self.0.total_size()
    }

    fn __len__(&self) -> usize {
        self.0.entries().len()
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.digest().hash(&mut hasher);
        hasher.finish()
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().0.digest() == self.0.digest())
    }

    fn entries<'py>(&self, py: Python<'py>) -> Vec<EntryTuple<'py>> {
        self.0.entries().iter().map(|entry| entry_tuple(py, entry)).collect()
    }

    fn get<'py>(&self, py: Python<'py>, path: &[u8]) -> Option<EntryTuple<'py>> {
        self.0.get(path).map(|entry| entry_tuple(py, entry))
    }

    fn subset(&self, paths: Vec<Vec<u8>>) -> Self {
        Self(self.0.subset(&paths))
    }

    fn diff<'py>(&self, py: Python<'py>, later: &Self) -> Vec<ChangeTuple<'py>> {
        self.0.diff(&later.0).iter().map(|change| change_tuple(py, change)).collect()
    }
}

fn entry_tuple<'py>(py: Python<'py>, entry: &Entry) -> EntryTuple<'py> {
    let kind = match entry.kind {
        Kind::File => "file",
        Kind::Executable => "executable",
        Kind::Link => "link",
        Kind::Directory => "directory",
    };
    (PyBytes::new(py, &entry.path), kind, entry.size, entry.digest.to_hex(), PyBytes::new(py, &entry.target))
}

fn change_tuple<'py>(py: Python<'py>, change: &Change) -> ChangeTuple<'py> {
    let (kind, old) = match change {
        Change::Added(_) => ("added", None),
        Change::Removed(_) => ("removed", None),
        Change::Changed(_) => ("changed", None),
        Change::Mode(_) => ("mode", None),
        Change::Renamed(from, _) => ("renamed", Some(PyBytes::new(py, from))),
    };
    (kind, PyBytes::new(py, change.path()), old)
}

/// `on_survey(files, bytes, [(name, bytes)])` is called between listing and reading; what it raises ends the scan.
#[pyfunction]
#[pyo3(signature = (root, on_survey, threads))]
fn scan_code(
    py: Python<'_>,
    root: PathBuf,
    on_survey: Option<Py<PyAny>>,
    threads: usize,
) -> PyResult<(Manifest, Vec<String>)> {
    let raised = std::sync::Mutex::new(None);
    let found = wait_for(py, |cancelled| {
        let tell = |found: &Survey| {
            if let Some(call) = &on_survey
                && let Err(error) = Python::attach(|py| tell_survey(py, call, found))
                && let Ok(mut slot) = raised.lock()
            {
                *slot = Some(error);
                cancelled.store(true, Ordering::Relaxed);
            }
        };
        let options = Options { threads, cancelled: Some(cancelled), on_survey: Some(&tell), ..Options::default() };
        scan::scan_code(&OsFs, &root, &options)
    });
    match raised.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => found.map(scanned),
    }
}

fn tell_survey(py: Python<'_>, call: &Py<PyAny>, found: &Survey) -> PyResult<()> {
    let largest: Vec<(Bound<'_, PyBytes>, u64)> =
        found.largest.iter().map(|(name, size)| (PyBytes::new(py, name), *size)).collect();
    call.call1(py, (found.files, found.size, largest)).map(drop)
}

#[pyfunction]
#[pyo3(signature = (root, threads))]
fn scan_tree(py: Python<'_>, root: PathBuf, threads: usize) -> PyResult<(Manifest, Vec<String>)> {
    wait_for(py, |cancelled| {
        let options = Options { threads, cancelled: Some(cancelled), ..Options::default() };
        scan::scan_tree(&OsFs, &root, &options)
    })
    .map(scanned)
}

fn scanned(found: Scan) -> (Manifest, Vec<String>) {
    (Manifest(found.manifest), found.warnings)
}

#[pyfunction]
fn digest_bytes(domain: &str, data: &[u8]) -> String {
    Digest::in_domain(domain, data).to_hex()
}

#[pyclass(frozen, module = "scriptstep._core")]
struct Guard(store::Guard);

#[pyclass(frozen, module = "scriptstep._core")]
struct Store(store::Store);

fn parse(digest: &str) -> PyResult<Digest> {
    Digest::from_hex(digest).ok_or_else(|| TreeMissing::new_err(format!("not a digest: {digest}")))
}

#[pymethods]
impl Store {
    #[new]
    fn new(root: PathBuf) -> Self {
        Self(store::Store::new(&root))
    }

    #[pyo3(signature = (source, manifest, base))]
    fn save(&self, py: Python<'_>, source: PathBuf, manifest: &Manifest, base: Option<&str>) -> PyResult<()> {
        let base = base.map(parse).transpose()?;
        let scan = Scan { manifest: manifest.0.clone(), warnings: Vec::new() };
        wait_for(py, |cancelled| {
            let options = Options { rules: true, cancelled: Some(cancelled), ..Options::default() };
            self.0.save(&source, &scan, base, &options)
        })
    }

    fn add(&self, py: Python<'_>, path: PathBuf) -> PyResult<Manifest> {
        wait_for(py, |cancelled| self.0.add(&path, &Options { cancelled: Some(cancelled), ..Options::default() }))
            .map(Manifest)
    }

    fn adopt(&self, py: Python<'_>, path: PathBuf) -> PyResult<Manifest> {
        wait_for(py, |cancelled| self.0.adopt(&path, &Options { cancelled: Some(cancelled), ..Options::default() }))
            .map(Manifest)
    }

    fn restore(&self, py: Python<'_>, digest: &str, dest: PathBuf) -> PyResult<()> {
        let digest = parse(digest)?;
        wait_for(py, |cancelled| {
            self.0.restore(digest, &dest, &Options { cancelled: Some(cancelled), ..Options::default() })
        })
    }

    fn ensure(&self, py: Python<'_>, digest: &str) -> PyResult<bool> {
        let digest = parse(digest)?;
        wait_for(py, |_| self.0.ensure(digest))
    }

    fn content_path(&self, digest: &str) -> PyResult<PathBuf> {
        self.0.content_path(parse(digest)?).map_err(|error| to_python(&error))
    }

    fn manifest(&self, digest: &str) -> PyResult<Manifest> {
        self.0.manifest(parse(digest)?).map(Manifest).map_err(|error| to_python(&error))
    }

    fn verify(&self, py: Python<'_>, digest: &str) -> PyResult<Vec<String>> {
        let digest = parse(digest)?;
        wait_for(py, |_| self.0.verify(digest))
    }

    fn guard(&self, py: Python<'_>, digest: &str) -> PyResult<Guard> {
        let digest = parse(digest)?;
        wait_for(py, |_| self.0.guard(digest)).map(Guard)
    }

    fn written_since(&self, py: Python<'_>, digest: &str, guard: &Guard) -> PyResult<Vec<String>> {
        let digest = parse(digest)?;
        wait_for(py, |_| self.0.written_since(digest, &guard.0))
    }

    fn set_aside(&self, digest: &str) -> PyResult<PathBuf> {
        self.0.set_aside(parse(digest)?).map_err(|error| to_python(&error))
    }

    fn sync(&self, py: Python<'_>, digests: Vec<String>) -> PyResult<()> {
        let digests = digests.iter().map(|digest| parse(digest)).collect::<PyResult<Vec<_>>>()?;
        wait_for(py, |_| self.0.sync(&digests))
    }
}

#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::{Guard, Manifest, Store, digest_bytes, scan_code, scan_tree};
}
