//! Manifests, and what differs between them.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use scriptstep_core::manifest;
use scriptstep_core::manifest::{Change, Entry, Kind};

use crate::errors::to_python;

type EntryTuple<'py> = (Bound<'py, PyBytes>, &'static str, u64, String, Bound<'py, PyBytes>);
type ChangeTuple<'py> = (&'static str, Bound<'py, PyBytes>, Option<Bound<'py, PyBytes>>);

#[pyclass(frozen, module = "scriptstep._core")]
pub struct Manifest(pub manifest::Manifest);

#[pymethods]
impl Manifest {
    #[staticmethod]
    fn from_bytes(data: Vec<u8>) -> PyResult<Self> {
        manifest::Manifest::decode(data).map(Self).map_err(|error| to_python(&error))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.as_bytes())
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
        self.0.len()
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.digest().hash(&mut hasher);
        hasher.finish()
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().0.digest() == self.0.digest())
    }

    fn get<'py>(&self, py: Python<'py>, path: &[u8]) -> Option<EntryTuple<'py>> {
        self.0.get(path).map(|entry| entry_tuple(py, entry))
    }

    /// The entries from a place on, a limited number of them, so that a large manifest is never all in memory twice.
    fn entries_from<'py>(&self, py: Python<'py>, start: usize, count: usize) -> Vec<EntryTuple<'py>> {
        let end = self.0.len().min(start.saturating_add(count));
        (start..end).map(|at| entry_tuple(py, self.0.entry(at))).collect()
    }

    fn paths<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        self.0.entries().map(|entry| PyBytes::new(py, entry.path)).collect()
    }

    fn subset(&self, paths: Vec<Vec<u8>>) -> Self {
        Self(self.0.subset(&paths))
    }

    fn diff<'py>(&self, py: Python<'py>, later: &Self) -> Vec<ChangeTuple<'py>> {
        self.0.diff(&later.0).iter().map(|change| change_tuple(py, change)).collect()
    }
}

fn entry_tuple<'py>(py: Python<'py>, entry: Entry) -> EntryTuple<'py> {
    let kind = match entry.kind {
        Kind::File => "file",
        Kind::Executable => "executable",
        Kind::Link => "link",
        Kind::Directory => "directory",
    };
    (PyBytes::new(py, entry.path), kind, entry.size, entry.digest.to_hex(), PyBytes::new(py, entry.target))
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
