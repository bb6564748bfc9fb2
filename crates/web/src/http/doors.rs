//! The listeners of the pages. Over TLS everything is served; in clear text everything to this PC
//! itself, and to other computers only the page that hands out the box's certificate. Nobody can
//! keep a door shut for others: handshakes and headers have a deadline, and connections have a
//! number, in all and for each address.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::Site;
use crate::http::asked::WayIn;
use crate::routes::router;

/// Connections of pages and scripts at once.
const CONNECTIONS_MAX: usize = 1_024;
/// Of these, from one other computer.
const CONNECTIONS_OF_ONE_MAX: usize = 64;
/// A TLS handshake takes at most this long.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// The headers of a request are complete after this time.
const HEADERS_MAX: Duration = Duration::from_secs(15);
/// A request is answered after this time, however slowly its body comes.
const REQUEST_MAX: Duration = Duration::from_secs(120);

/// TLS settings as they are now.
pub type Tls = watch::Receiver<Arc<ServerConfig>>;

/// How many connections there are from where.
#[derive(Debug, Default)]
struct Guests {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A counted connection; it is counted off when this is dropped.
struct DoorSeat {
    guests: Arc<Mutex<Guests>>,
    address: IpAddr,
}

impl DoorSeat {
    fn take(guests: &Arc<Mutex<Guests>>, address: IpAddr, is_local: bool) -> Option<Self> {
        let mut known = guests.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = known.by_address.get(&address).copied().unwrap_or(0);
        let is_full = known.all >= CONNECTIONS_MAX;
        if is_full || (!is_local && of_one >= CONNECTIONS_OF_ONE_MAX) {
            return None;
        }
        known.all += 1;
        known.by_address.insert(address, of_one + 1);
        drop(known);
        Some(Self {
            guests: Arc::clone(guests),
            address,
        })
    }
}

impl Drop for DoorSeat {
    fn drop(&mut self) {
        let mut known = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        known.all -= 1;
        let left = known.by_address.get(&self.address).copied().unwrap_or(1) - 1;
        if left == 0 {
            known.by_address.remove(&self.address);
        } else {
            known.by_address.insert(self.address, left);
        }
    }
}

/// Serves the site on a listener until `closing` turns true; over TLS if there are settings.
pub async fn run(
    listener: TcpListener,
    site: Site,
    tls: Option<Tls>,
    mut closing: watch::Receiver<bool>,
) {
    let router = router(site);
    let guests = Arc::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.wait_for(|closed| *closed) => return,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, or gone before it was taken: go on.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let is_local = is_local(&stream, peer);
        let Some(seat) = DoorSeat::take(&guests, peer.ip().to_canonical(), is_local) else {
            continue;
        };
        let (router, mut ending) = (router.clone(), closing.clone());
        let acceptor = tls
            .as_ref()
            .map(|tls| TlsAcceptor::from(Arc::clone(&tls.borrow())));
        tokio::spawn(async move {
            let _seat = seat;
            tokio::select! {
                () = serve_one(stream, peer, is_local, acceptor, router) => {}
                _ = ending.wait_for(|closed| *closed) => {}
            }
        });
    }
}

/// Whether both ends of a connection are on this computer.
fn is_local(stream: &TcpStream, peer: SocketAddr) -> bool {
    let peer = peer.ip().to_canonical();
    let own = stream.local_addr().map(|own| own.ip().to_canonical());
    peer.is_loopback() || own.is_ok_and(|own| own == peer)
}

async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    is_local: bool,
    acceptor: Option<TlsAcceptor>,
    router: Router,
) {
    stream.set_nodelay(true).ok();
    let is_encrypted = acceptor.is_some();
    let way = WayIn {
        is_encrypted,
        is_local,
    };
    match acceptor {
        None => speak(stream, peer, way, router).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
                speak(stream, peer, way, router).await;
            }
        }
    }
}

async fn speak<IO>(io: IO, peer: SocketAddr, way: WayIn, router: Router)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(way);
        request.extensions_mut().insert(ConnectInfo(peer));
        TowerToHyperService::new(router.clone()).call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_MAX)
        .serve_connection(TokioIo::new(io), service);
    // How a connection ended concerns nobody here.
    served.await.ok();
}

/// Ends a request that takes too long; the live view lasts as long as somebody looks.
pub(crate) async fn patience(request: Request, next: Next) -> Response {
    if request.uri().path() == "/live" {
        return next.run(request).await;
    }
    let answer = timeout(REQUEST_MAX, next.run(request)).await;
    answer.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
}
