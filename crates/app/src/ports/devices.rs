//! The register of devices, as whoever registers, limits or ends one sees it.

use serde::Deserialize;

/// Why a device was not registered or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceError {
    /// The name cannot be used.
    Name,
    /// There is one of this name.
    Exists,
    /// There is none of this name.
    NotFound,
    /// The file of devices cannot be used.
    File,
    /// Wrong name or token.
    BadToken,
    /// What was sent is no certificate request signed with its own key.
    Request,
}

/// What a device gets that asked for a certificate of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The certificate, as PEM.
    pub certificate_pem: String,
    /// SHA-256 of it.
    pub fingerprint: String,
    /// The authority behind the box's own certificate, as PEM.
    pub authority_pem: String,
}

/// What a device may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// Sends its own readings.
    Sender,
    /// Reads everything.
    Reader,
    /// Sends the readings of others.
    Gateway,
}

/// Registers devices and ends them.
pub trait Devices: Send + Sync + 'static {
    /// Registers a device for a machine (of its own name if none is given); gives its token, which
    /// is shown once.
    fn add(
        &self,
        name: &str,
        machine: Option<&str>,
        kind: DeviceKind,
    ) -> Result<String, DeviceError>;

    /// Limits a device to sending few readings, or lets it do everything again.
    fn limit(&self, name: &str, limited: bool) -> Result<(), DeviceError>;

    /// Signs the certificate request of a device that shows its token; the token is used up.
    fn enroll(&self, name: &str, token: &str, request: &str) -> Result<Enrolled, DeviceError>;

    /// A device may no longer speak; its connections end at once.
    fn end(&self, name: &str) -> Result<(), DeviceError>;
}
