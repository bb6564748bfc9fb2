//! Sends JSON to another program, signed so that it can tell who sent it: `X-Mimamori-Signature` is
//! HMAC-SHA256 (RFC 2104) over the time in `X-Mimamori-Time`, a point, and the body, with the
//! secret that both know. Every try of one message has the same `X-Mimamori-Delivery`.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use model::Time;
use sha2::Sha256;

use crate::failure::SendFailure;
use crate::post::{Post, deliver};

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

/// Sends it; says why that failed.
pub async fn send_webhook(webhook: Webhook) -> Result<(), SendFailure> {
    let signed = signature(&webhook.secret, webhook.at, &webhook.body);
    let post = Post {
        url: webhook.url,
        headers: vec![
            ("X-Mimamori-Delivery", webhook.id),
            ("X-Mimamori-Time", webhook.at.ms().to_string()),
            ("X-Mimamori-Signature", format!("sha256={signed}")),
        ],
        body: webhook.body,
        taken_before: None,
    };
    deliver(post).await
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
