//! Many links at once.

use std::path::PathBuf;

use pyo3::prelude::*;
use scriptstep_core::fs::OsFs;
use scriptstep_core::links;

use crate::waiting::wait_for;

#[pyfunction]
pub fn make_links(
    py: Python<'_>,
    folders: Vec<PathBuf>,
    links: Vec<(PathBuf, PathBuf)>,
    progress: Option<Py<PyAny>>,
) -> PyResult<()> {
    wait_for(py, progress.as_ref(), |cancelled, progress| {
        links::make_links(&OsFs, &folders, &links, Some(cancelled), Some(progress))
    })
}
