//! Plain Python data to the bytes that stand for it.

use std::borrow::Cow;

use pyo3::exceptions::{PyRecursionError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString, PyTuple};
use scriptstep_core::spelling::Spelling;

const DEEPEST: usize = 500;

#[pyfunction]
pub fn spell<'py>(py: Python<'py>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let mut made = Spelling::default();
    put(&mut made, value, 0)?;
    Ok(PyBytes::new(py, &made.into_bytes()))
}

fn put(made: &mut Spelling, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
    if depth > DEEPEST {
        return Err(PyRecursionError::new_err("plain data that is nested too deep has no canonical form"));
    }
    if let Ok(text) = value.cast::<PyString>() {
        made.text(&bytes_of(text)?);
    } else if let Ok(mapping) = value.cast::<PyDict>() {
        put_rows(made, mapping.iter().map(Ok), depth)?;
    } else if let Ok(list) = value.cast::<PyList>() {
        put_items(made, list.len(), list.iter().map(Ok), depth)?;
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        put_items(made, tuple.len(), tuple.iter().map(Ok), depth)?;
    } else if value.is_none() {
        made.none();
    } else if let Ok(truth) = value.cast::<PyBool>() {
        made.truth(truth.is_true());
    } else if value.is_instance_of::<PyInt>() {
        put_integer(made, value)?;
    } else if value.is_instance_of::<PyFloat>() {
        let plain = value.py().get_type::<PyFloat>().call1((value,))?;
        made.float(plain.call_method0("hex")?.cast::<PyString>()?.to_str()?.as_bytes());
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        made.bytes(bytes.as_bytes());
    } else if let Ok(mapping) = value.cast::<PyMapping>() {
        let rows = mapping.items()?;
        put_rows(made, rows.iter().map(|row| row.extract()), depth)?;
    } else if let Ok(items) = value.cast::<PySequence>() {
        put_items(made, items.len()?, items.try_iter()?, depth)?;
    } else {
        return Err(PyTypeError::new_err(format!("no canonical form for {}", value.get_type().name()?)));
    }
    Ok(())
}

fn put_items<'py>(
    made: &mut Spelling,
    count: usize,
    items: impl Iterator<Item = PyResult<Bound<'py, PyAny>>>,
    depth: usize,
) -> PyResult<()> {
    made.list(count);
    for item in items {
        put(made, &item?, depth + 1)?;
    }
    Ok(())
}

type Pair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

fn put_rows<'py>(made: &mut Spelling, pairs: impl Iterator<Item = PyResult<Pair<'py>>>, depth: usize) -> PyResult<()> {
    let mut rows = pairs
        .map(|pair| {
            let (key, value) = pair?;
            Ok((bytes_of(&key.str()?)?.into_owned(), value))
        })
        .collect::<PyResult<Vec<_>>>()?;
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    made.mapping(rows.len());
    for (key, value) in &rows {
        made.text(key);
        put(made, value, depth + 1)?;
    }
    Ok(())
}

fn put_integer(made: &mut Spelling, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Ok(small) = value.extract::<i64>() {
        made.integer(small.to_string().as_bytes());
        return Ok(());
    }
    let plain = value.py().get_type::<PyInt>().call1((value,))?;
    made.integer(plain.str()?.to_str()?.as_bytes());
    Ok(())
}

/// Text as UTF-8; an argument may hold bytes that are none, which Python keeps as surrogates.
fn bytes_of<'a>(text: &'a Bound<'_, PyString>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(utf8) = text.to_str() {
        return Ok(Cow::Borrowed(utf8.as_bytes()));
    }
    let bytes = text.call_method1("encode", ("utf-8", "surrogateescape"))?;
    Ok(Cow::Owned(bytes.cast::<PyBytes>()?.as_bytes().to_vec()))
}
