//! Where log lines of devices are taken: a service for each way that is open. An address that
//! cannot be had now, because another program listens there, keeps nobody else from working and is
//! tried again.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use app::clock;
use app::upkeep::LogListeners;
use broker::rustls::ServerConfig;
use model::LogLine;
use sources::{LogSink, take_tcp, take_udp};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, watch};
use tracing::{error, info};

use crate::certificate::SharedCertificate;
use crate::supervisor::Supervisor;

/// Takes log lines of devices by every way that is wanted.
pub fn keep(
    listeners: LogListeners,
    lines: mpsc::Sender<LogLine>,
    certificate: Option<&SharedCertificate>,
    supervisor: &Arc<Supervisor>,
) {
    let sink = Arc::new(LogSink::new(lines, clock::now));
    if let Some(address) = listeners.udp {
        let sink = Arc::clone(&sink);
        supervisor.keep("logs-udp", move || udp(address, Arc::clone(&sink)));
    }
    if let Some(address) = listeners.tcp {
        let sink = Arc::clone(&sink);
        supervisor.keep("logs-tcp", move || tcp(address, Arc::clone(&sink), None));
    }
    if let Some(address) = listeners.tls {
        let tls = certificate.map(|own| {
            let own = own.lock().unwrap_or_else(PoisonError::into_inner);
            own.for_pages()
        });
        supervisor.keep("logs-tls", move || {
            over_tls(address, Arc::clone(&sink), tls.clone())
        });
    }
}

async fn udp(address: SocketAddr, sink: Arc<LogSink>) {
    match UdpSocket::bind(address).await {
        Ok(socket) => {
            info!(%address, "logs over UDP");
            take_udp(socket, sink).await;
        }
        Err(problem) => not_open(address, &problem),
    }
}

async fn tcp(
    address: SocketAddr,
    sink: Arc<LogSink>,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
) {
    match TcpListener::bind(address).await {
        Ok(listener) => {
            info!(%address, is_encrypted = tls.is_some(), "logs over TCP");
            take_tcp(listener, sink, tls).await;
        }
        Err(problem) => not_open(address, &problem),
    }
}

async fn over_tls(
    address: SocketAddr,
    sink: Arc<LogSink>,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
) {
    match tls {
        Some(tls) => tcp(address, sink, Some(tls)).await,
        None => error!(%address, "logs over TLS need --https or --mqtts"),
    }
}

fn not_open(address: SocketAddr, problem: &std::io::Error) {
    error!(%address, %problem, "cannot listen for logs of devices");
}
