//! Why something about certificates could not be done.

use std::path::PathBuf;

/// Why something about certificates could not be done.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate or key could not be made or understood.
    #[error("a certificate could not be made or read")]
    Certificate(#[from] rcgen::Error),
    /// A file holds no certificate or key.
    #[error("{0} is not a certificate or key")]
    Content(PathBuf),
    /// The request of a device is none, or not signed with its own key.
    #[error("this is not a certificate request signed with its own key")]
    Request,
    /// Certificate and key cannot be used together.
    #[error("certificate and key do not fit together")]
    Tls(#[from] rustls::Error),
}
