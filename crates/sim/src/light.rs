//! A stack light as PATLITE's LA6 speaks: it takes `S` (write), answers `G` (status), and notes
//! when its colours change. Bytes from the vendor's documents, written anew here.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::record::SimRecord;

/// Largest data part a light accepts.
const DATA_BYTES_MAX: usize = 64;

/// Takes the light's port.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves the light until told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    record: Arc<SimRecord>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                tokio::spawn(talk(stream, Arc::clone(&record)));
            },
            _ = stopped.changed() => return,
        }
    }
}

async fn talk(mut stream: TcpStream, record: Arc<SimRecord>) -> Option<()> {
    loop {
        let mut head = [0; 6];
        stream.read_exact(&mut head).await.ok()?;
        let [a, b, command, _, high, low] = head;
        let size = usize::from(u16::from_be_bytes([high, low]));
        if [a, b] != *b"AB" || size > DATA_BYTES_MAX {
            stream.write_all(&[0x15]).await.ok()?;
            return None;
        }
        let mut data = vec![0; size];
        stream.read_exact(&mut data).await.ok()?;
        match (command, data.as_slice()) {
            (b'S', [red, amber, green, _, _, _]) => {
                record.light([*red, *amber, *green]);
                stream.write_all(&[0x06]).await.ok()?;
            }
            (b'G', []) => {
                let [red, amber, green] = record.light_now();
                let answer = [0, 0, 0, 0, 0, 0, 0, 0, 0, red, amber, green, 0, 0, 0];
                stream.write_all(&answer).await.ok()?;
            }
            _ => stream.write_all(&[0x15]).await.ok()?,
        }
    }
}
