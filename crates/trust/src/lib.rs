//! Who the box and its devices are towards each other: the box's own certificate authorities, the
//! certificate of its pages and its broker, certificates for devices, and the TLS settings made of
//! them. Keys stay in the data folder. No sockets.

mod authority;
mod error;
mod fingerprint;
mod names;
mod server;
mod stored;

pub use authority::{Authority, BoxCertificate, DeviceCertificate, Remade};
pub use error::TrustError;
pub use fingerprint::fingerprint_of;
pub use names::HostNames;
pub use server::server_config;
