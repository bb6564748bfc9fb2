//! What a refused sender is still sending. Closed upon, it would find a broken connection and never
//! read why it was refused.

use std::time::Duration;

use axum::body::Body;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;

/// So much is let pass, and for so long; nothing of it is kept.
const BYTES_MAX: usize = 4 * 1024 * 1024;
const TIME_MAX: Duration = Duration::from_secs(5);

/// Lets a body go by while the refusal is on its way.
pub(crate) fn let_pass(body: Body) {
    let passing = async move {
        let (mut pieces, mut passed) = (body.into_data_stream(), 0);
        while let Some(Ok(piece)) = pieces.next().await {
            passed += piece.len();
            if passed > BYTES_MAX {
                return;
            }
        }
    };
    tokio::spawn(async move { timeout(TIME_MAX, passing).await.ok() });
}
