//! Long work runs without the interpreter's lock, and Ctrl-C ends it.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use scriptstep_core::Result;
use scriptstep_core::scan::{OnCheck, Progress};

use crate::errors::to_python;

const LISTEN: Duration = Duration::from_millis(50);

thread_local! {
    /// When this thread listened last, where it is the one that called.
    static LISTENED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// What listens for signals and tells how far the work has come; the first thing that raises ends the work.
struct Listener<'a> {
    on_progress: Option<&'a Py<PyAny>>,
    cancelled: AtomicBool,
    progress: Progress,
    raised: Mutex<Option<PyErr>>,
}

impl<'a> Listener<'a> {
    fn new(on_progress: Option<&'a Py<PyAny>>) -> Self {
        let (cancelled, progress) = (AtomicBool::new(false), Progress::default());
        Self { on_progress, cancelled, progress, raised: Mutex::new(None) }
    }

    fn tell(&self, py: Python<'_>) -> PyResult<()> {
        let Some(call) = self.on_progress else { return Ok(()) };
        let come = (self.progress.files.load(Ordering::Relaxed), self.progress.bytes.load(Ordering::Relaxed));
        call.call1(py, come).map(drop)
    }

    fn listen(&self) {
        if self.cancelled.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = Python::attach(|py| py.check_signals().and_then(|()| self.tell(py))) {
            *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            self.cancelled.store(true, Ordering::Relaxed);
        }
    }

    fn finish<T>(&self, py: Python<'_>, done: Result<T>) -> PyResult<T> {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (raised, done) {
            (Some(error), _) => Err(error),
            (None, Ok(done)) => self.tell(py).map(|()| done),
            (None, Err(error)) => Err(to_python(&error)),
        }
    }
}

/// Does work on this thread, which calls what it is given again and again and so listens meanwhile; where a signal's
/// handler raises, the work is told to end and the exception goes on.
///
/// `on_progress(files, bytes)` is called while it goes on; what it raises ends the work too.
pub fn listen_while<T: Send>(
    py: Python<'_>,
    on_progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&AtomicBool, &Progress, &OnCheck) -> Result<T> + Send,
) -> PyResult<T> {
    let listener = Listener::new(on_progress);
    let done = py.detach(|| {
        // Only the thread that called can handle signals. What it calls may come here again.
        let before = LISTENED.replace(Some(Instant::now()));
        let check = || {
            if LISTENED.get().is_some_and(|last| last.elapsed() >= LISTEN) {
                listener.listen();
                LISTENED.set(Some(Instant::now()));
            }
        };
        let done = work(&listener.cancelled, &listener.progress, &check);
        LISTENED.set(before);
        done
    });
    listener.finish(py, done)
}

/// Whether signals are handled on this thread: Python does so on its main thread alone.
fn hears_signals(py: Python<'_>) -> PyResult<bool> {
    // Where nobody has loaded it there is no other thread.
    let Ok(threading) = py.import("sys")?.getattr("modules")?.get_item("threading") else { return Ok(true) };
    threading.call_method0("current_thread")?.eq(threading.call_method0("main_thread")?)
}

/// Does work on a thread of its own, which may be busy with one thing for long, while this one listens: where there is
/// something to listen to.
///
/// All else is as in [`listen_while`].
pub fn wait_for<T: Send>(
    py: Python<'_>,
    on_progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&AtomicBool, &Progress) -> Result<T> + Send,
) -> PyResult<T> {
    let listener = Listener::new(on_progress);
    if on_progress.is_none() && !hears_signals(py)? {
        let done = py.detach(|| work(&listener.cancelled, &listener.progress));
        return listener.finish(py, done);
    }
    let work = Mutex::new(Some(work));
    let act = || {
        let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
        work.map(|work| work(&listener.cancelled, &listener.progress))
    };
    let done = py.detach(|| {
        std::thread::scope(|scope| {
            let (sender, told) = channel();
            let act = &act;
            let started = Builder::new().spawn_scoped(scope, move || {
                if let Some(done) = act() {
                    // The receiver outlives the scope's threads.
                    let _ = sender.send(done);
                }
            });
            if started.is_err() {
                // The system gives no thread: it is done here, and nobody listens.
                return act();
            }
            loop {
                match told.recv_timeout(LISTEN) {
                    Ok(done) => return Some(done),
                    Err(RecvTimeoutError::Disconnected) => return None,
                    Err(RecvTimeoutError::Timeout) => listener.listen(),
                }
            }
        })
    });
    // The scope hands a panic of its thread on before this is reached.
    let Some(done) = done else { unreachable!("the work ended without a result") };
    listener.finish(py, done)
}
