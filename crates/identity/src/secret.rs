//! Secrets: made at random, compared without telling, kept only as hashes.

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::Denied;

/// Letters of a claim code: none that look alike.
const CODE_LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a claim code: 60 bits.
const CODE_LENGTH: usize = 12;
/// Characters of a password at least, and bytes at most.
const PASSWORD_CHARS_MIN: usize = 10;
const PASSWORD_BYTES_MAX: usize = 200;

/// A secret of 32 random bytes, as hexadecimal digits.
pub fn fresh() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(HEXLOWER.encode(&bytes))
}

/// What is kept of a secret. It is as random as a key, so one plain hash is enough.
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// A new claim code in groups of four.
pub(crate) fn claim_code() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; CODE_LENGTH];
    getrandom::fill(&mut bytes)?;
    let letter = |byte: &u8| char::from(CODE_LETTERS[usize::from(byte & 31)]);
    let groups: Vec<String> = bytes
        .chunks(4)
        .map(|four| four.iter().map(letter).collect())
        .collect();
    Ok(groups.join("-"))
}

/// Whether a person typed the code, however it was grouped.
pub(crate) fn is_same_code(wanted: &str, given: &str) -> bool {
    let plain = |text: &str| -> Vec<u8> {
        let letters = text.bytes().filter(u8::is_ascii_alphanumeric);
        letters.map(|b| b.to_ascii_uppercase()).collect()
    };
    plain(wanted).ct_eq(&plain(given)).into()
}

/// Hashes a password that is long enough; off the async threads, because it takes a while on
/// purpose.
pub(crate) async fn hash_password(password: &str) -> Result<String, Denied> {
    let is_long = password.chars().count() >= PASSWORD_CHARS_MIN;
    if !is_long || password.len() > PASSWORD_BYTES_MAX {
        return Err(Denied::Password);
    }
    let password = password.to_owned();
    let hashed = tokio::task::spawn_blocking(move || {
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| hash.to_string())
    });
    hashed
        .await
        .ok()
        .and_then(Result::ok)
        .ok_or(Denied::NotDurable)
}

/// Whether a password fits a hash. Without a hash the same work is done for nothing.
pub(crate) async fn password_fits(password: &str, hash: Option<String>) -> bool {
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    let password = password.to_owned();
    let work = tokio::task::spawn_blocking(move || match hash {
        Some(hash) => Argon2::default()
            .verify_password(password.as_bytes(), hash.as_str())
            .is_ok(),
        None => {
            Argon2::default().hash_password(password.as_bytes()).ok();
            false
        }
    });
    work.await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_code_is_long_and_forgives_how_it_is_typed() {
        let code = claim_code().unwrap();
        assert_eq!(code.len(), 14, "{code}");
        assert!(is_same_code(&code, &code.to_lowercase().replace('-', " ")));
        assert!(!is_same_code(&code, &code[1..]));
        assert!(!is_same_code(&code, ""));
        assert_ne!(code, claim_code().unwrap());
    }

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id() {
        let hash = hash_password("a long password").await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(password_fits("a long password", Some(hash.clone())).await);
        assert!(!password_fits("a long passwore", Some(hash)).await);
        assert!(!password_fits("a long password", None).await);
        assert_eq!(hash_password("too short").await, Err(Denied::Password));
    }
}
