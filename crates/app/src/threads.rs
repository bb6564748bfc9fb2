//! Work that waits for a disk, away from the threads that serve sockets.

use std::sync::Arc;

use tokio::task::spawn_blocking;

/// Does something that waits for a disk on a thread made for that. A panic in it is the caller's.
pub async fn waiting<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}

/// Has `port` do something that waits for a disk on a thread made for that. A panic in it is the
/// caller's.
pub async fn off_thread<P, T>(port: &Arc<P>, work: impl FnOnce(&P) -> T + Send + 'static) -> T
where
    P: Send + Sync + ?Sized + 'static,
    T: Send + 'static,
{
    let port = Arc::clone(port);
    waiting(move || work(&port)).await
}
