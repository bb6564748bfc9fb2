//! What tells one file from another.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// SHA-256 as 64 hexadecimal digits, as the evidence writes it.
pub fn fingerprint(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}
