//! A connection that ends if the other end takes nothing of what is written for too long.

use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// The connection.
pub(crate) struct TimedWrite<IO> {
    io: IO,
    patience: Duration,
    /// Runs while something waits to be written.
    waits: Option<Pin<Box<Sleep>>>,
}

impl<IO> TimedWrite<IO> {
    /// Writing has to go on within so long.
    pub(crate) fn new(io: IO, patience: Duration) -> Self {
        Self {
            io,
            patience,
            waits: None,
        }
    }

    /// What became of a try to write: one that waits too long has failed.
    fn within<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<std::io::Result<T>>,
    ) -> Poll<std::io::Result<T>> {
        if written.is_ready() {
            self.waits = None;
            return written;
        }
        let patience = self.patience;
        let waits = self.waits.get_or_insert_with(|| Box::pin(sleep(patience)));
        if waits.as_mut().poll(context).is_ready() {
            waits.as_mut().reset(Instant::now() + patience);
            return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
        }
        Poll::Pending
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for TimedWrite<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, into)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for TimedWrite<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.within(context, written)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.within(context, flushed)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let ended = Pin::new(&mut self.io).poll_shutdown(context);
        self.within(context, ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_is_not_waited_for() {
        let (here, mut there) = duplex(64);
        let mut timed = TimedWrite::new(here, Duration::from_secs(20));
        timed.write_all(&[1; 64]).await.unwrap();
        let began = Instant::now();
        let stuck = timed.write_all(&[2; 64]).await.unwrap_err();
        assert_eq!(
            (stuck.kind(), began.elapsed().as_secs()),
            (ErrorKind::TimedOut, 20)
        );
        // Who takes a little now and then goes on.
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            let mut some = [0; 16];
            while let Ok(n @ 1..) = there.read(&mut some).await {
                all.extend_from_slice(&some[..n]);
                tokio::time::sleep(Duration::from_secs(15)).await;
            }
            all.len()
        });
        timed.write_all(&[3; 200]).await.unwrap();
        drop(timed);
        assert!(reading.await.unwrap() >= 264);
    }
}
