//! The listeners of the pages. Over TLS everything is served; in clear text everything to this PC
//! itself, and to other computers only the page that hands out the box's certificate. Nobody can
//! keep a door shut for others: handshakes, headers and writing have a deadline, connections have a
//! number, in all and for each address, and the one that is open longest makes room. This PC has
//! places of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use broker::{StrangerPlace, Strangers};
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

use crate::http::asked::WayIn;
use crate::http::timed::TimedWrite;
use crate::routes::Served;

/// Connections of pages and scripts from other computers at once.
const CONNECTIONS_MAX: usize = 1_024;
/// Of these, from one.
const CONNECTIONS_OF_ONE_MAX: usize = 64;
/// Connections from this PC.
const OWN_CONNECTIONS_MAX: usize = 256;
/// Handshakes under way at once, and those of one computer: they take time of the processor.
const HANDSHAKES_MAX: usize = 128;
const HANDSHAKES_OF_ONE_MAX: usize = 16;
/// A TLS handshake takes at most this long.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// The headers of a request are complete after this time.
const HEADERS_MAX: Duration = Duration::from_secs(15);
/// Whoever takes nothing of an answer for this long does not get the rest.
const WRITE_MAX: Duration = Duration::from_secs(20);
/// A request is answered after this time, however slowly its body comes.
const REQUEST_MAX: Duration = Duration::from_secs(120);

/// TLS settings as they are now.
pub type Tls = watch::Receiver<Arc<ServerConfig>>;

/// Serves the site on a listener until `closing` turns true; over TLS if there are settings.
pub async fn run(
    listener: TcpListener,
    served: Served,
    tls: Option<Tls>,
    mut closing: watch::Receiver<bool>,
) {
    let Served(router) = served;
    let (guests, own) = (Strangers::default(), Strangers::default());
    let handshakes = Arc::new(Strangers::default());
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
        let address = peer.ip().to_canonical();
        let seat = if is_local {
            own.enter(address, OWN_CONNECTIONS_MAX, OWN_CONNECTIONS_MAX)
        } else {
            guests.enter(address, CONNECTIONS_OF_ONE_MAX, CONNECTIONS_MAX)
        };
        let (router, mut ending) = (router.clone(), closing.clone());
        let acceptor = tls.as_ref().map(|tls| Handshake {
            acceptor: TlsAcceptor::from(Arc::clone(&tls.borrow())),
            place: handshakes.enter(address, HANDSHAKES_OF_ONE_MAX, HANDSHAKES_MAX),
        });
        tokio::spawn(async move {
            tokio::select! {
                () = serve_one(stream, peer, is_local, acceptor, router) => {}
                () = seat.lost() => {}
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

/// A TLS handshake that has its place.
struct Handshake {
    acceptor: TlsAcceptor,
    place: StrangerPlace,
}

async fn serve_one(
    stream: TcpStream,
    peer: SocketAddr,
    is_local: bool,
    handshake: Option<Handshake>,
    router: Router,
) {
    stream.set_nodelay(true).ok();
    let is_encrypted = handshake.is_some();
    let way = WayIn {
        is_encrypted,
        is_local,
    };
    let Some(Handshake { acceptor, place }) = handshake else {
        return speak(stream, peer, way, router).await;
    };
    let shaken = tokio::select! {
        shaken = timeout(HANDSHAKE_MAX, acceptor.accept(stream)) => shaken,
        () = place.lost() => return,
    };
    drop(place);
    if let Ok(Ok(stream)) = shaken {
        speak(stream, peer, way, router).await;
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
        .serve_connection(TokioIo::new(TimedWrite::new(io, WRITE_MAX)), service);
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
