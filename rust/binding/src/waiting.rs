//! Long work runs without the interpreter's lock, on a thread of its own, while this one listens for Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use pyo3::prelude::*;
use scriptstep_core::Result;

use crate::errors::to_python;

const LISTEN: Duration = Duration::from_millis(50);

/// Does work; where a signal's handler raises, the work is told to end and the exception goes on.
pub fn wait_for<T: Send>(py: Python<'_>, work: impl FnOnce(&AtomicBool) -> Result<T> + Send) -> PyResult<T> {
    let cancelled = AtomicBool::new(false);
    let mut raised = None;
    let done = py.detach(|| {
        std::thread::scope(|scope| {
            let (tell, told) = channel();
            let cancelled = &cancelled;
            scope.spawn(move || {
                // The receiver outlives the scope's threads.
                let _ = tell.send(work(cancelled));
            });
            loop {
                match told.recv_timeout(LISTEN) {
                    Ok(done) => return Some(done),
                    Err(RecvTimeoutError::Disconnected) => return None,
                    Err(RecvTimeoutError::Timeout) if raised.is_none() => {
                        #[allow(clippy::redundant_closure_for_method_calls)] // It is not general enough.
                        if let Err(signal) = Python::attach(|py| py.check_signals()) {
                            raised = Some(signal);
                            cancelled.store(true, Ordering::Relaxed);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
        })
    });
    match (raised, done) {
        (Some(signal), _) => Err(signal),
        (None, Some(done)) => done.map_err(|error| to_python(&error)),
        // The scope hands a panic of its thread on before this is reached.
        (None, None) => unreachable!("the work ended without a result"),
    }
}
