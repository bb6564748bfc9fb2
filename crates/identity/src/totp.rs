//! The second factor: time-based one-time codes as every authenticator app makes them (RFC 6238:
//! HMAC-SHA-1, 30-second steps, six digits).

use data_encoding::BASE32_NOPAD;
use model::Time;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use totp_rs::Builder;

/// Bytes of a shared secret, as RFC 4226 recommends.
pub(crate) const SECRET_BYTES: usize = 20;
/// The step whose code this is, if it is near now and later than the last one used: a code that
/// somebody has read over a shoulder does not work again.
pub(crate) fn step_of(secret: &[u8], code: &str, now: Time, last_used: i64) -> Option<i64> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let codes = Builder::new().with_secret(secret).build().ok()?;
    let seconds = now.ms().div_euclid(1_000).try_into().ok()?;
    let step = codes.check(&digits, seconds)?.try_into().ok()?;
    (step > last_used).then_some(step)
}

/// What an authenticator app reads from a QR code.
pub fn address(name: &str, secret: &[u8]) -> String {
    format!(
        "otpauth://totp/Mimamori:{}?secret={}&issuer=Mimamori",
        utf8_percent_encode(name, NON_ALPHANUMERIC),
        BASE32_NOPAD.encode(secret)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_standard() {
        // RFC 6238 appendix B, the last six of its eight digits.
        let secret = b"12345678901234567890";
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            let at = Time::from_ms(seconds * 1_000);
            assert_eq!(step_of(secret, code, at, 0), Some(seconds / 30));
        }
    }

    #[test]
    fn a_code_works_near_its_time_and_once() {
        let secret = b"12345678901234567890";
        let at = |s: i64| Time::from_ms(s * 1000);
        let step = step_of(secret, "287 082", at(59 + 30), 0);
        assert_eq!(step, Some(1));
        assert_eq!(step_of(secret, "287082", at(59), 1), None, "used before");
        assert_eq!(step_of(secret, "287082", at(59 + 90), 0), None, "too late");
        assert_eq!(step_of(secret, "28708", at(59), 0), None);
        assert_eq!(step_of(secret, "28708x", at(59), 0), None);
    }
}
