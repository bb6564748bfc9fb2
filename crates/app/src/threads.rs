//! Work that waits for a disk, away from the threads that serve sockets.

use std::sync::Arc;

use tokio::task::spawn_blocking;

/// Has `port` do something that waits for a disk on a thread made for that. A panic in it is the
/// caller's.
pub async fn off_thread<P, T>(port: &Arc<P>, work: impl FnOnce(&P) -> T + Send + 'static) -> T
where
    P: Send + Sync + ?Sized + 'static,
    T: Send + 'static,
{
    let port = Arc::clone(port);
    match spawn_blocking(move || work(&port)).await {
        Ok(done) => done,
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}
