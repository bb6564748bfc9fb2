//! TLS settings of the box's listeners. Whoever comes may show a certificate of its own; that it
//! holds the key is checked here, whether it is known is the policy's decision, by its fingerprint.
//! Dates of a device's certificate are not looked at: an end that nobody noticed must not stop a
//! machine from being recorded.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

use crate::authority::BoxCertificate;
use crate::error::TrustError;

/// Settings of a listener: TLS 1.2 and 1.3 with the box's certificate. With `asks_devices`, a
/// client may show a certificate.
pub fn server_config(
    own: BoxCertificate,
    asks_devices: bool,
) -> Result<Arc<ServerConfig>, TrustError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions()?;
    let builder = if asks_devices {
        builder.with_client_cert_verifier(Arc::new(AnyWithItsKey(provider)))
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(own.chain, own.key)?;
    if !asks_devices {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
    }
    Ok(Arc::new(config))
}

/// Takes any certificate whose key the client proves to hold.
#[derive(Debug)]
struct AnyWithItsKey(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyWithItsKey {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
