//! The same work on several threads at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Does the same work on so many threads, of which this one is one.
///
/// `stop` is called where one of them fails, so that the others end sooner.
///
/// # Errors
/// The first that any of them had.
pub(crate) fn on_threads<E: Send>(
    threads: usize,
    work: impl Fn() -> Result<(), E> + Sync,
    stop: impl Fn() + Sync,
) -> Result<(), E> {
    let failure = Mutex::new(None);
    let one = || {
        if let Err(error) = work() {
            stop();
            lock(&failure).get_or_insert(error);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(one);
        }
        one();
    });
    lock(&failure).take().map_or(Ok(()), Err)
}

/// Locks; what another thread left when it panicked is as good as it was, for it panics here too in the end.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
