//! Sends JSON to another program, signed so that it can tell who sent it: `X-Mimamori-Signature` is
//! HMAC-SHA256 (RFC 2104) over the time in `X-Mimamori-Time`, a point, and the body, with the
//! secret that both know. Every try of one message has the same `X-Mimamori-Delivery`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use model::Time;
use sha2::Sha256;
use ureq::tls::{RootCerts, TlsConfig};

use crate::failure::SendFailure;

/// Longest time for one delivery.
const WEBHOOK_TIME_MAX: Duration = Duration::from_secs(10);

/// A message to another program.
#[derive(Clone)]
pub struct Webhook {
    /// Where it goes.
    pub url: String,
    /// What it is signed with.
    pub secret: String,
    /// What names it, the same for every try.
    pub id: String,
    /// When it is sent.
    pub at: Time,
    /// The JSON.
    pub body: String,
}

/// Without the secret.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("url", &self.url)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The signature as hexadecimal digits.
fn signature(secret: &str, at: Time, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        // A key of any length is one.
        return String::new();
    };
    mac.update(format!("{}.", at.ms()).as_bytes());
    mac.update(body.as_bytes());
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

/// Sends it; says why that failed. Anything but 2xx is a failure, and nobody is followed elsewhere.
pub async fn send_webhook(webhook: Webhook) -> Result<(), SendFailure> {
    let sent = tokio::task::spawn_blocking(move || send(&webhook)).await;
    sent.unwrap_or_else(|error| Err(SendFailure::new("network", &error.to_string())))
}

fn send(webhook: &Webhook) -> Result<(), SendFailure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(WEBHOOK_TIME_MAX))
        .max_redirects(0)
        .proxy(None)
        .http_status_as_error(false)
        .tls_config(tls)
        .build();
    let signed = signature(&webhook.secret, webhook.at, &webhook.body);
    let answer = ureq::Agent::new_with_config(config)
        .post(&webhook.url)
        .header("Content-Type", "application/json")
        .header("User-Agent", "mimamori")
        .header("X-Mimamori-Delivery", &webhook.id)
        .header("X-Mimamori-Time", webhook.at.ms().to_string())
        .header("X-Mimamori-Signature", format!("sha256={signed}"))
        .send(&webhook.body);
    match answer.map(|answer| answer.status()) {
        Ok(status) if status.is_success() => Ok(()),
        Ok(status) => {
            let code = format!("http-{}", status.as_u16());
            Err(SendFailure::new(code, &format!("answered {status}")))
        }
        Err(error) => {
            let code = match &error {
                ureq::Error::Timeout(_) => "timeout",
                ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "tls",
                _ => "network",
            };
            Err(SendFailure::new(code, &error.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_of_time_and_body() {
        // By `printf '1700000000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef`.
        let made = signature(
            "0123456789abcdef",
            Time::from_ms(1_700_000_000_000),
            "{\"a\":1}",
        );
        assert_eq!(
            made,
            "de32ced690ba7742b66a8b93053efa2a98f3a8fc16b2907325d41944cf17d735"
        );
    }
}
