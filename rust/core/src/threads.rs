//! The same work on several threads at once.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Builder;

/// Does the same work on so many threads, of which this one is one; on fewer where the system gives no more.
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
            // All of the work is done by whoever is there.
            let _ = Builder::new().spawn_scoped(scope, one);
        }
        one();
    });
    lock(&failure).take().map_or(Ok(()), Err)
}

/// How many threads this process may use at once; asked once, for on Linux that reads a dozen files.
pub(crate) fn available() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
}

/// Locks; what a thread left that panicked is whole, for nothing panics half way through a change of it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
