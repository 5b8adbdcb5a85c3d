//! From the core's errors to the exceptions that `scriptstep.errors` defines.

use pyo3::PyErr;
use pyo3::exceptions::{PyFileExistsError, PyKeyboardInterrupt};
use pyo3::import_exception;
use scriptstep_core::Error;

import_exception!(scriptstep.errors, ContentError);
import_exception!(scriptstep.errors, RuleFileError);
import_exception!(scriptstep.errors, SourceChanged);
import_exception!(scriptstep.errors, TreeDamaged);
import_exception!(scriptstep.errors, TreeMissing);
import_exception!(scriptstep.errors, UnreadableContent);

/// The exception of an error.
pub fn to_python(error: &Error) -> PyErr {
    let message = error.to_string();
    match error {
        Error::Unreadable { .. } => UnreadableContent::new_err(message),
        Error::Changed(_) => SourceChanged::new_err(message),
        Error::RuleFile { .. } => RuleFileError::new_err(message),
        Error::Manifest(_) | Error::Damaged { .. } => TreeDamaged::new_err(message),
        Error::Missing(_) => TreeMissing::new_err(message),
        Error::InTheWay(_) => PyFileExistsError::new_err(message),
        Error::Cancelled => PyKeyboardInterrupt::new_err(()),
        _ => ContentError::new_err(message),
    }
}
