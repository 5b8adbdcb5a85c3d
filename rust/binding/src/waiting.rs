//! Long work runs without the interpreter's lock, on a thread of its own, while this one listens for Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use pyo3::prelude::*;
use scriptstep_core::Result;
use scriptstep_core::scan::Progress;

use crate::errors::to_python;

const LISTEN: Duration = Duration::from_millis(50);

/// Does work; where a signal's handler raises, the work is told to end and the exception goes on.
///
/// `on_progress(files, bytes)` is called while it goes on; what it raises ends the work too.
pub fn wait_for<T: Send>(
    py: Python<'_>,
    on_progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&AtomicBool, &Progress) -> Result<T> + Send,
) -> PyResult<T> {
    let (cancelled, progress) = (AtomicBool::new(false), Progress::default());
    let tell = |py: Python<'_>| {
        let Some(call) = on_progress else { return Ok(()) };
        let come = (progress.files.load(Ordering::Relaxed), progress.bytes.load(Ordering::Relaxed));
        call.call1(py, come).map(drop)
    };
    let mut raised: Option<PyErr> = None;
    let done = py.detach(|| {
        std::thread::scope(|scope| {
            let (sender, told) = channel();
            let (cancelled, progress) = (&cancelled, &progress);
            scope.spawn(move || {
                // The receiver outlives the scope's threads.
                let _ = sender.send(work(cancelled, progress));
            });
            loop {
                match told.recv_timeout(LISTEN) {
                    Ok(done) => return Some(done),
                    Err(RecvTimeoutError::Disconnected) => return None,
                    Err(RecvTimeoutError::Timeout) if raised.is_none() => {
                        if let Err(error) = Python::attach(|py| py.check_signals().and_then(|()| tell(py))) {
                            raised = Some(error);
                            cancelled.store(true, Ordering::Relaxed);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
        })
    });
    match (raised, done) {
        (Some(error), _) => Err(error),
        (None, Some(Ok(done))) => tell(py).map(|()| done),
        (None, Some(Err(error))) => Err(to_python(&error)),
        // The scope hands a panic of its thread on before this is reached.
        (None, None) => unreachable!("the work ended without a result"),
    }
}
