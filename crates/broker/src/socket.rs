//! Bytes from a client's socket.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;

use tokio::io::{AsyncRead, ReadBuf};

/// Bytes read at once; a busy connection reads many packets with one call.
pub(crate) const READ_BYTES: usize = 16 * 1024;

/// There will be no more bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closed;

thread_local! {
    /// Where bytes land on their way in: shared by all connections of a thread, so that one that
    /// says nothing needs no room for what it might say.
    static LANDING: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// Waits for bytes and puts them behind what `into` holds; an error if there will be none.
pub(crate) async fn read_some(
    io: &mut (impl AsyncRead + Unpin),
    into: &mut Vec<u8>,
) -> Result<(), Closed> {
    poll_fn(|cx| {
        LANDING.with_borrow_mut(|landing| {
            let mut landed = ReadBuf::new(landing);
            let read = Pin::new(&mut *io).poll_read(cx, &mut landed);
            read.map(|done| match done {
                Ok(()) if !landed.filled().is_empty() => {
                    into.extend_from_slice(landed.filled());
                    Ok(())
                }
                _ => Err(Closed),
            })
        })
    })
    .await
}
