//! Connections that are open and say nothing: what each costs the program in memory.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::line;
use crate::target::Target;

/// A CONNECT of MQTT 3.1.1 with a name, a token and twenty minutes of silence allowed.
fn connect(client: &str, user: &str, token: &str) -> Vec<u8> {
    let mut body = b"\x00\x04MQTT\x04\xc2\x04\xb0".to_vec();
    for text in [client, user, token] {
        body.extend((text.len() as u16).to_be_bytes());
        body.extend(text.as_bytes());
    }
    let mut packet = vec![0x10];
    let mut length = body.len();
    while length >= 0x80 {
        packet.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    packet.push(length as u8);
    packet.extend(body);
    packet
}

/// Says hello and waits to be let in.
fn come_in(
    io: &mut (impl Read + Write),
    number: usize,
    token: &(String, String),
) -> anyhow::Result<()> {
    io.write_all(&connect(&format!("c{number}"), &token.0, &token.1))?;
    let mut answer = [0; 4];
    io.read_exact(&mut answer)?;
    anyhow::ensure!(answer == [0x20, 2, 0, 0], "{answer:?}");
    Ok(())
}

/// Opens connections and prints what each costs.
pub(crate) fn measure(program: &Path, connections: usize) -> anyhow::Result<()> {
    let target = Target::start_ours(program)?;
    let token = target.tokens.first().context("no device")?;
    let before = target.rss_mb();
    let mut plain = Vec::new();
    for number in 0..connections {
        let mut stream = TcpStream::connect(target.mqtt)?;
        come_in(&mut stream, number, token)?;
        plain.push(stream);
    }
    tell("plain", connections, before, target.rss_mb());
    drop(plain);
    drop(target);

    let target = Target::start_ours(program)?;
    let token = target.tokens.first().context("no device")?;
    let (address, authority) = target.secure()?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    // What is there once, whoever comes: the first handshake pays for it.
    let mut held = vec![over_tls(address, &config, 0, token)?];
    let before = target.rss_mb();
    for number in 1..=connections {
        held.push(over_tls(address, &config, number, token)?);
    }
    tell("TLS", connections, before, target.rss_mb());
    Ok(())
}

fn over_tls(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    number: usize,
    token: &(String, String),
) -> anyhow::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from("localhost")?;
    let session = ClientConnection::new(Arc::clone(config), name)?;
    let mut stream = StreamOwned::new(session, TcpStream::connect(address)?);
    come_in(&mut stream, number, token)?;
    Ok(stream)
}

fn tell(kind: &str, connections: usize, before_mb: f64, after_mb: f64) {
    let each_kb = (after_mb - before_mb) * 1_024.0 / connections as f64;
    line(&format!(
        "{kind:<6} {connections} idle connections: {before_mb:.1} MB before, {after_mb:.1} MB with them, {each_kb:.1} kB each"
    ));
}
