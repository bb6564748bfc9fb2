//! The public key of a passkey: read from what a device hands over (COSE, RFC 9052 and 9053), and
//! asked whether it signed something. What devices have: P-256 (phones, security keys), RSA
//! (Windows Hello), Ed25519 (some security keys).

use coset::cbor::value::Value;
use coset::iana::{
    Algorithm, Ec2KeyParameter, EllipticCurve, EnumI64, KeyType, OkpKeyParameter, RsaKeyParameter,
};
use coset::{AsCborValue, CoseKey, Label, RegisteredLabel, RegisteredLabelWithPrivate};
use data_encoding::BASE64URL_NOPAD;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use store::PasskeyKey;

/// Length of a coordinate of P-256, and of a key of Ed25519.
const COORDINATE: usize = 32;
/// An uncompressed point begins with this (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 0x04;
/// Bits of a modulus of RSA, at least and at most.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;
/// Bits of an exponent, at most.
const EXPONENT_BITS_MAX: usize = 64;

/// Reads the key at the beginning of `cose`; `None` unless it is of a kind that can be asked.
pub(super) fn read(cose: &[u8]) -> Option<PasskeyKey> {
    let mut rest = cose;
    let value: Value = coset::cbor::de::from_reader(&mut rest).ok()?;
    let key = CoseKey::from_cbor_value(value).ok()?;
    let (RegisteredLabel::Assigned(kind), Some(RegisteredLabelWithPrivate::Assigned(algorithm))) =
        (&key.kty, &key.alg)
    else {
        return None;
    };
    let part = |name: i64| {
        let mut parts = key.params.iter();
        Some(&parts.find(|(label, _)| *label == Label::Int(name))?.1)
    };
    let bytes = |name: i64| part(name)?.as_bytes().map(Vec::as_slice);
    let is_on = |name: i64, curve: EllipticCurve| {
        part(name).and_then(Value::as_integer) == Some(curve.to_i64().into())
    };
    let coordinate = |name: i64| bytes(name).filter(|bytes| bytes.len() == COORDINATE);
    let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    match (kind, algorithm) {
        (KeyType::EC2, Algorithm::ES256)
            if is_on(Ec2KeyParameter::Crv.to_i64(), EllipticCurve::P_256) =>
        {
            let x = coordinate(Ec2KeyParameter::X.to_i64())?;
            let y = coordinate(Ec2KeyParameter::Y.to_i64())?;
            let point = text(&[&[UNCOMPRESSED], x, y].concat());
            Some(PasskeyKey::Es256 { point })
        }
        (KeyType::OKP, Algorithm::EdDSA)
            if is_on(OkpKeyParameter::Crv.to_i64(), EllipticCurve::Ed25519) =>
        {
            let ed25519 = text(coordinate(OkpKeyParameter::X.to_i64())?);
            Some(PasskeyKey::Ed25519 { ed25519 })
        }
        (KeyType::RSA, Algorithm::RS256) => {
            let modulus = bytes(RsaKeyParameter::N.to_i64())?;
            let exponent = bytes(RsaKeyParameter::E.to_i64())?;
            let is_odd = exponent.last().is_some_and(|last| last % 2 == 1);
            let is_usual = MODULUS_BITS.contains(&bits(modulus)?)
                && bits(exponent)? <= EXPONENT_BITS_MAX
                && is_odd;
            is_usual.then(|| PasskeyKey::Rs256 {
                modulus: text(modulus),
                exponent: text(exponent),
            })
        }
        _ => None,
    }
}

/// How long a number is, most significant byte first; none if it is written with leading zeros.
fn bits(number: &[u8]) -> Option<usize> {
    let first = number.first().filter(|first| **first != 0)?;
    Some(number.len() * 8 - first.leading_zeros() as usize)
}

/// Whether this key signed it.
pub(super) fn has_signed(key: &PasskeyKey, signed: &[u8], signature: &[u8]) -> bool {
    let bytes = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap_or_default();
    let verified = match key {
        PasskeyKey::Es256 { point } => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, bytes(point)).verify(signed, signature)
        }
        PasskeyKey::Ed25519 { ed25519 } => {
            UnparsedPublicKey::new(&ED25519, bytes(ed25519)).verify(signed, signature)
        }
        PasskeyKey::Rs256 { modulus, exponent } => {
            let (n, e) = (bytes(modulus), bytes(exponent));
            let key = RsaPublicKeyComponents { n, e };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
        }
    };
    verified.is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

    use std::process::Command;

    use coset::{CborSerializable as _, CoseKeyBuilder};
    use ring::rand::SystemRandom;
    use ring::rsa::PublicKeyComponents;
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RsaKeyPair,
    };

    use super::*;

    const SIGNED: &[u8] = b"authenticator data and the hash of the client's";

    /// A key as a device writes it, and what it signed.
    fn of_p256() -> (CoseKey, Vec<u8>) {
        let (kind, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let made = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(COORDINATE);
        let key = CoseKeyBuilder::new_ec2_pub_key(EllipticCurve::P_256, x.into(), y.into());
        let key = key.algorithm(Algorithm::ES256).build();
        (key, pair.sign(&random, SIGNED).unwrap().as_ref().to_vec())
    }

    fn of_ed25519() -> (CoseKey, Vec<u8>) {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap();
        let curve = Value::from(EllipticCurve::Ed25519.to_i64());
        let x = Value::Bytes(pair.public_key().as_ref().to_vec());
        let key = CoseKey {
            kty: RegisteredLabel::Assigned(KeyType::OKP),
            alg: Some(RegisteredLabelWithPrivate::Assigned(Algorithm::EdDSA)),
            params: vec![(Label::Int(-1), curve), (Label::Int(-2), x)],
            ..CoseKey::default()
        };
        (key, pair.sign(SIGNED).as_ref().to_vec())
    }

    /// As Windows Hello has it; the key is made by another program.
    fn of_rsa() -> (CoseKey, Vec<u8>) {
        let made = "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER \
             | openssl pkcs8 -inform DER -topk8 -nocrypt -outform DER";
        let made = Command::new("sh").args(["-c", made]).output().unwrap();
        let pair = RsaKeyPair::from_pkcs8(&made.stdout).unwrap();
        let mut signature = vec![0; pair.public().modulus_len()];
        let random = SystemRandom::new();
        pair.sign(&RSA_PKCS1_SHA256, &random, SIGNED, &mut signature)
            .unwrap();
        let parts: PublicKeyComponents<Vec<u8>> = pair.public().into();
        let key = CoseKey {
            kty: RegisteredLabel::Assigned(KeyType::RSA),
            alg: Some(RegisteredLabelWithPrivate::Assigned(Algorithm::RS256)),
            params: vec![
                (Label::Int(-1), Value::Bytes(parts.n)),
                (Label::Int(-2), Value::Bytes(parts.e)),
            ],
            ..CoseKey::default()
        };
        (key, signature)
    }

    #[test]
    fn every_kind_of_key_is_read_kept_and_asked() {
        for (cose, signature) in [of_p256(), of_ed25519(), of_rsa()] {
            let mut bytes = cose.to_vec().unwrap();
            // Extensions of the authenticator may follow.
            bytes.push(0xa0);
            let key = read(&bytes).unwrap();
            let kept = serde_json::to_string(&key).unwrap();
            let key: PasskeyKey = serde_json::from_str(&kept).unwrap();
            assert!(has_signed(&key, SIGNED, &signature), "{kept}");
            assert!(!has_signed(&key, b"something else", &signature), "{kept}");
            let mut altered = signature.clone();
            altered[0] ^= 1;
            assert!(!has_signed(&key, SIGNED, &altered), "{kept}");
        }
    }

    #[test]
    fn a_key_of_before_is_known_by_its_point() {
        let kept = r#"{"point":"BAQE"}"#;
        let key: PasskeyKey = serde_json::from_str(kept).unwrap();
        let point = "BAQE".to_owned();
        assert_eq!(key, PasskeyKey::Es256 { point });
    }

    #[test]
    fn what_is_no_such_key_is_none() {
        let (whole, _) = of_p256();
        let bytes = whole.clone().to_vec().unwrap();
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), None, "{cut}");
        }
        let mut short = whole.clone();
        short.params[1].1 = Value::Bytes(vec![1; COORDINATE - 1]);
        assert_eq!(read(&short.to_vec().unwrap()), None, "a short coordinate");
        let mut other = whole.clone();
        other.params[0].1 = Value::from(EllipticCurve::P_384.to_i64());
        assert_eq!(read(&other.to_vec().unwrap()), None, "another curve");
        let mut unsaid = whole;
        unsaid.alg = None;
        assert_eq!(read(&unsaid.to_vec().unwrap()), None, "no algorithm");
        let (rsa, _) = of_rsa();
        let with = |part: usize, bytes: Vec<u8>| {
            let mut other = rsa.clone();
            other.params[part].1 = Value::Bytes(bytes);
            read(&other.to_vec().unwrap())
        };
        assert!(with(1, vec![1, 0, 1]).is_some());
        assert_eq!(with(0, vec![0xff; 128]), None, "1024 bits");
        assert_eq!(with(0, vec![0x7f; 256]), None, "2047 bits");
        assert_eq!(with(0, vec![0; 257]), None, "leading zeros");
        for exponent in [vec![], vec![2], vec![0, 3], vec![0xff; 9]] {
            assert_eq!(with(1, exponent.clone()), None, "{exponent:?}");
        }
    }
}
