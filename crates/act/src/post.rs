//! Hands a message to another program over HTTP.

use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig};

use crate::failure::SendFailure;

/// Longest time for one delivery.
const POST_TIME_MAX: Duration = Duration::from_secs(10);

/// What is handed over.
pub(crate) struct Post {
    pub(crate) url: String,
    /// Beside what it is and who sends it.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The JSON.
    pub(crate) body: String,
    /// An answer beside 2xx that says that it was taken before.
    pub(crate) taken_before: Option<u16>,
}

/// Sends it; says why that failed. Anything but 2xx is a failure, and nobody is followed elsewhere.
pub(crate) async fn deliver(post: Post) -> Result<(), SendFailure> {
    let sent = tokio::task::spawn_blocking(move || send(&post)).await;
    sent.unwrap_or_else(|error| Err(SendFailure::new("network", &error.to_string())))
}

fn send(post: &Post) -> Result<(), SendFailure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(POST_TIME_MAX))
        .max_redirects(0)
        .proxy(None)
        .http_status_as_error(false)
        .tls_config(tls)
        .build();
    let mut request = ureq::Agent::new_with_config(config)
        .post(&post.url)
        .header("Content-Type", "application/json")
        .header("User-Agent", "mimamori");
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    match request.send(&post.body).map(|answer| answer.status()) {
        Ok(status) if status.is_success() => Ok(()),
        Ok(status) if post.taken_before == Some(status.as_u16()) => Ok(()),
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
