//! What people compare of a certificate.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// SHA-256 of a certificate, as hexadecimal digits.
pub fn fingerprint_of(certificate: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(certificate))
}
