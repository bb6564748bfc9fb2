//! The second factor: time-based one-time codes as every authenticator app makes them (RFC 6238:
//! HMAC-SHA-1, 30-second steps, six digits).

use data_encoding::BASE32_NOPAD;
use model::Time;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;

/// Bytes of a shared secret, as RFC 4226 recommends.
pub(crate) const SECRET_BYTES: usize = 20;
/// Length of a step.
const STEP_MS: i64 = 30_000;
/// Steps before and after now that are accepted: clocks of phones and boxes differ.
const STEPS_AROUND: i64 = 1;

/// The code of a step.
fn code_at(secret: &[u8], step: i64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes.last().copied().unwrap_or(0) & 0x0f);
    let number = bytes
        .get(offset..offset + 4)
        .and_then(|four| four.try_into().ok())
        .map_or(0, u32::from_be_bytes);
    (number & 0x7fff_ffff) % 1_000_000
}

/// The step whose code this is, if it is near now and later than the last one used: a code that
/// somebody has read over a shoulder does not work again.
pub(crate) fn step_of(secret: &[u8], code: &str, now: Time, last_used: i64) -> Option<i64> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if digits.len() != 6 {
        return None;
    }
    let given: u32 = digits.parse().ok()?;
    let step = now.ms().div_euclid(STEP_MS);
    (step - STEPS_AROUND..=step + STEPS_AROUND)
        .filter(|step| *step > last_used)
        .find(|step| code_at(secret, *step) == given)
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
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_234_567_890, 5_924),
            (20_000_000_000, 353_130),
        ] {
            assert_eq!(code_at(secret, seconds / 30), code);
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
