//! Where log lines of devices are taken.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use anyhow::Context;
use app::clock;
use model::LogLine;
use sources::{LogSink, listen_tcp, listen_udp};
use tokio::sync::mpsc;
use tracing::info;

use crate::certificate::SharedCertificate;

/// Where devices send their logs.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogListeners {
    /// Where lines come in datagrams (RFC 5426); `None` if they do not.
    pub udp: Option<SocketAddr>,
    /// By TCP in clear text.
    pub tcp: Option<SocketAddr>,
    /// Over TLS.
    pub tls: Option<SocketAddr>,
}

impl LogListeners {
    /// Whether any lines are taken.
    pub fn is_on(&self) -> bool {
        self.udp.is_some() || self.tcp.is_some() || self.tls.is_some()
    }

    /// Listens for log lines of devices, where it is wanted.
    pub async fn open(
        self,
        lines: mpsc::Sender<LogLine>,
        certificate: Option<&SharedCertificate>,
    ) -> anyhow::Result<()> {
        let sink = Arc::new(LogSink::new(lines, clock::now));
        let failed = |address| format!("cannot listen for logs on {address}");
        if let Some(address) = self.udp {
            let taken = listen_udp(address, Arc::clone(&sink)).await;
            let taken = taken.with_context(|| failed(address))?;
            info!(%taken, "logs over UDP");
        }
        if let Some(address) = self.tcp {
            let taken = listen_tcp(address, Arc::clone(&sink), None).await;
            let taken = taken.with_context(|| failed(address))?;
            info!(%taken, "logs over TCP");
        }
        if let Some(address) = self.tls {
            let own = certificate.context("logs over TLS need --https or --mqtts")?;
            let tls = own
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .for_pages();
            let taken = listen_tcp(address, sink, Some(tls)).await;
            let taken = taken.with_context(|| failed(address))?;
            info!(%taken, "logs over TLS");
        }
        Ok(())
    }
}
