//! What a refused sender is still sending. Closed upon, it would find a broken connection and never
//! read why it was refused, whoever refuses it: the guard, a handler, a limit.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;

/// So much is let pass, and for so long; nothing of it is kept.
const BYTES_MAX: usize = 4 * 1024 * 1024;
const TIME_MAX: Duration = Duration::from_secs(5);

/// Lets go by what nobody reads of a request, while its answer is on the way.
pub(crate) async fn let_pass(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    next.run(request.map(|body| Body::new(Passing(body)))).await
}

/// A body that goes by if it is dropped before its end.
struct Passing(Body);

impl HttpBody for Passing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // Where nothing runs any more nobody waits for an answer.
        if !self.0.is_end_stream()
            && let Ok(runtime) = Handle::try_current()
        {
            let rest = std::mem::take(&mut self.0);
            runtime.spawn(timeout(TIME_MAX, go_by(rest)));
        }
    }
}

async fn go_by(rest: Body) {
    let (mut pieces, mut passed) = (rest.into_data_stream(), 0);
    while let Some(Ok(piece)) = pieces.next().await {
        passed += piece.len();
        if passed > BYTES_MAX {
            return;
        }
    }
}
