//! Reading directories.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use scriptstep_core::fs::OsFs;
use scriptstep_core::scan as core;
use scriptstep_core::scan::{Explanation, Options, Reason, Rules, Survey};
use scriptstep_core::stat_cache::CacheOptions;

use crate::errors::to_python;
use crate::manifest::Manifest;
use crate::waiting::listen_while;

type ExplanationTuple<'py> = (bool, Bound<'py, PyBytes>, &'static str, Option<RuleTuple<'py>>);
type RuleTuple<'py> = (Bound<'py, PyBytes>, usize, Bound<'py, PyBytes>);

/// What a scan found, with where it found it.
#[pyclass(frozen, module = "scriptstep._core")]
pub struct Scan(pub core::Scan);

#[pymethods]
impl Scan {
    #[getter]
    fn manifest(&self) -> Manifest {
        Manifest(self.0.manifest.clone())
    }

    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.0.warnings.clone()
    }

    #[getter]
    fn left_out<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        self.0.left_out.iter().map(|path| PyBytes::new(py, path)).collect()
    }

    /// Files that were read, their bytes, and files that need not be read.
    #[getter]
    fn cost(&self) -> (u64, u64, u64) {
        (self.0.cost.files_read, self.0.cost.bytes_read, self.0.cost.files_known)
    }
}

fn rules_named(name: &str) -> PyResult<Rules> {
    match name {
        "git" => Ok(Rules::Git),
        "azureml" => Ok(Rules::AzureMl),
        "none" => Ok(Rules::None),
        other => Err(PyValueError::new_err(format!("no such rules: {other}"))),
    }
}

/// How to read a directory, as Python says it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct How {
    rules: String,
    threads: usize,
    cache: Option<PathBuf>,
    cache_anywhere: bool,
    survey_from: (u64, u64),
    names_left_out: bool,
}

/// `on_survey(files, bytes, [(name, bytes)])` is called between listing and reading; what it raises ends the scan.
#[pyfunction]
#[pyo3(signature = (root, how, on_survey, progress))]
pub fn scan(
    py: Python<'_>,
    root: PathBuf,
    how: How,
    on_survey: Option<Py<PyAny>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Scan> {
    let rules = rules_named(&how.rules)?;
    let raised = std::sync::Mutex::new(None);
    let found = listen_while(py, progress.as_ref(), |cancelled, progress, on_check| {
        let tell = |found: &Survey| {
            if let Some(call) = &on_survey
                && let Err(error) = Python::attach(|py| tell_survey(py, call, found))
                && let Ok(mut slot) = raised.lock()
            {
                *slot = Some(error);
                cancelled.store(true, Ordering::Relaxed);
            }
        };
        let (files, bytes) = how.survey_from;
        let cache = how.cache.as_ref().map(|folder| {
            let mut cache = CacheOptions::new(folder);
            cache.on_any_file_system = how.cache_anywhere;
            cache
        });
        let options = Options {
            rules,
            threads: how.threads,
            cancelled: Some(cancelled),
            on_check: Some(on_check),
            on_survey: on_survey.is_some().then_some((files, bytes, &tell)),
            progress: Some(progress),
            cache,
            names_left_out: how.names_left_out,
            ..Options::default()
        };
        core::scan(&OsFs, &root, &options)
    });
    match raised.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => found.map(Scan),
    }
}

fn tell_survey(py: Python<'_>, call: &Py<PyAny>, found: &Survey) -> PyResult<()> {
    let largest: Vec<(Bound<'_, PyBytes>, u64)> =
        found.largest.iter().map(|(name, size)| (PyBytes::new(py, name), *size)).collect();
    call.call1(py, (found.files, found.size, largest)).map(drop)
}

/// Whether a path is kept, the path that decided, what kind of thing did, and the rule: its file, line and text.
#[pyfunction]
pub fn explain<'py>(py: Python<'py>, root: PathBuf, path: &[u8]) -> PyResult<ExplanationTuple<'py>> {
    let told = core::explain(&OsFs, &root, path).map_err(|error| to_python(&error))?;
    let Explanation { is_kept, decided, reason } = told;
    let (kind, rule) = match reason {
        Reason::NoRule => ("none", None),
        Reason::Rule { file, line, rule } => ("rule", Some((PyBytes::new(py, &file), line, PyBytes::new(py, &rule)))),
        Reason::Never => ("never", None),
        Reason::Environment => ("environment", None),
    };
    Ok((is_kept, PyBytes::new(py, &decided), kind, rule))
}
