//! Passkeys (Web Authentication Level 2): a person's phone or PC signs a question of the box's with
//! a key made for its host name, after it made sure who holds it. Only what is needed of it is
//! taken: no attestation, user verification always. Why by hand: decision 0030.

mod key;

use app::keeping::PeopleChange;
use data_encoding::BASE64URL_NOPAD;
use model::{EventKind, Time};
use ring::hmac;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use store::{Passkey, PasskeyKey};

use crate::{Denied, From, Gate, Who, entry_of};

/// A question can be answered this long.
const ASKED_MS: i64 = 3 * 60_000;
/// Passkeys of one person.
const PASSKEYS_MAX: usize = 10;
/// Random bytes of a question.
const RANDOM_BYTES: usize = 16;
/// Letters of what a device calls a passkey, at most (the standard allows 1023 bytes).
const ID_CHARS_MAX: usize = 1_364;
/// Flags of the authenticator: somebody was there, was recognised, a new key follows.
const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const NEW_KEY: u8 = 0x40;

/// Questions need not be remembered: each carries its moment and a seal only this process can set.
#[derive(Debug)]
pub(crate) struct Questions(hmac::Key);

impl Questions {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// A new question: to a person who makes a passkey, or to whoever signs in.
    fn ask(&self, person: Option<i64>, now: Time) -> Result<String, Denied> {
        let mut bytes = now.ms().to_be_bytes().to_vec();
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random).map_err(|_| Denied::NotDurable)?;
        bytes.extend_from_slice(&random);
        let seal = hmac::sign(&self.0, &covered(&bytes, person));
        bytes.extend_from_slice(seal.as_ref());
        Ok(BASE64URL_NOPAD.encode(&bytes))
    }

    /// When this question was asked; `None` if it was not, or not of this person, or too long ago.
    fn asked_at(&self, given: &str, person: Option<i64>, now: Time) -> Option<Time> {
        let bytes = BASE64URL_NOPAD.decode(given.as_bytes()).ok()?;
        let (body, seal) = bytes.split_at_checked(8 + RANDOM_BYTES)?;
        hmac::verify(&self.0, &covered(body, person), seal).ok()?;
        let asked = Time::from_ms(i64::from_be_bytes(*body.first_chunk()?));
        (0..=ASKED_MS)
            .contains(&(now.ms() - asked.ms()))
            .then_some(asked)
    }
}

fn covered(body: &[u8], person: Option<i64>) -> Vec<u8> {
    [body, &person.unwrap_or(-1).to_be_bytes()].concat()
}

/// What a browser says a device did; all fields are base64url.
#[derive(Debug, Clone, Deserialize)]
pub struct Spoken {
    /// What the device calls the passkey.
    id: String,
    /// What the browser asked it, as JSON.
    client_data: String,
    /// What the device answered.
    authenticator: String,
}

/// A passkey's answer to a question.
#[derive(Debug, Clone, Deserialize)]
pub struct PasskeyAnswer {
    #[serde(flatten)]
    spoken: Spoken,
    signature: String,
}

#[derive(Debug, Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
}

/// What a device said, taken apart and found to be about this box.
#[derive(Debug)]
struct Heard {
    asked: Time,
    count: u32,
    flags: u8,
    /// What follows the fixed part.
    rest: Vec<u8>,
    /// Authenticator data and the hash of the client's, in this order (WebAuthn §6.3.3).
    signed: Vec<u8>,
}

/// The name in `https://name:port`, if it is one: passkeys are bound to names, not to addresses.
pub(crate) fn host_name(here: &str) -> Option<&str> {
    let host = here.split_once("://")?.1;
    let host = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    let is_name = !host.is_empty()
        && !host.starts_with('[')
        && host.parse::<std::net::Ipv4Addr>().is_err()
        && !host.contains(':');
    is_name.then_some(host)
}

impl Spoken {
    /// Takes it apart; `None` unless it is of this kind, answers a question of ours, and was asked
    /// on a page of this box by somebody the device recognised.
    fn hear(
        &self,
        kind: &str,
        here: &str,
        asked_at: impl Fn(&str) -> Option<Time>,
    ) -> Option<Heard> {
        let text = BASE64URL_NOPAD.decode(self.client_data.as_bytes()).ok()?;
        let client: ClientData = serde_json::from_slice(&text).ok()?;
        if client.kind != kind || client.origin != here || self.id.len() > ID_CHARS_MAX {
            return None;
        }
        let asked = asked_at(&client.challenge)?;
        let mut signed = BASE64URL_NOPAD.decode(self.authenticator.as_bytes()).ok()?;
        let (name_hash, after) = signed.split_first_chunk::<32>()?;
        let (flags, after) = after.split_first()?;
        let (count, rest) = after.split_first_chunk::<4>()?;
        let is_ours = name_hash[..] == Sha256::digest(host_name(here)?)[..];
        let is_recognised = flags & (PRESENT | VERIFIED) == PRESENT | VERIFIED;
        if !is_ours || !is_recognised {
            return None;
        }
        let (flags, count, rest) = (*flags, u32::from_be_bytes(*count), rest.to_vec());
        signed.extend_from_slice(&Sha256::digest(&text));
        Some(Heard {
            asked,
            count,
            flags,
            rest,
            signed,
        })
    }
}

/// The new key in what a device said, and what the device calls it.
fn new_key(heard: &Heard) -> Option<(&[u8], PasskeyKey)> {
    let after = heard
        .rest
        .get(16..)
        .filter(|_| heard.flags & NEW_KEY != 0)?;
    let (length, after) = after.split_first_chunk::<2>()?;
    let (id, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((id, key::read(after)?))
}

/// Whether a passkey gave this answer, to a question later than the last, and was not copied.
fn is_signed(passkey: &Passkey, heard: &Heard, signature: &str) -> bool {
    let counts = heard.count == 0 && passkey.count == 0 || heard.count > passkey.count;
    let Ok(signature) = BASE64URL_NOPAD.decode(signature.as_bytes()) else {
        return false;
    };
    let is_new = heard.asked > passkey.answered;
    counts && is_new && key::has_signed(&passkey.key, &heard.signed, &signature)
}

impl Gate {
    /// A question for whoever wants to sign in.
    pub fn ask_passkey(&self) -> Result<String, Denied> {
        self.questions.ask(None, (self.clock)())
    }

    /// A question for a person who wants to make a passkey; takes the password once more.
    pub async fn ask_new_passkey(
        &self,
        by: &Who,
        password: &str,
        from: &From,
    ) -> Result<String, Denied> {
        let _turn = self.changing.lock().await;
        let person = self.person(by)?;
        self.check_password(&person, password, from).await?;
        if person.passkeys.len() >= PASSKEYS_MAX {
            return Err(Denied::TooMany);
        }
        self.questions.ask(Some(person.id), (self.clock)())
    }

    /// Keeps a passkey that a person's device has made.
    pub async fn add_passkey(
        &self,
        by: &Who,
        spoken: &Spoken,
        here: &str,
        from: &From,
    ) -> Result<(), Denied> {
        let _turn = self.changing.lock().await;
        let mut person = self.person(by)?;
        let now = (self.clock)();
        let asked_at = |given: &str| self.questions.asked_at(given, Some(person.id), now);
        let heard = spoken.hear("webauthn.create", here, asked_at);
        let heard = heard.ok_or(Denied::Wrong)?;
        let (id, key) = new_key(&heard).ok_or(Denied::Wrong)?;
        let id = BASE64URL_NOPAD.encode(id);
        let is_known = self
            .people()
            .iter()
            .any(|person| person.passkeys.iter().any(|known| known.id == id));
        if id != spoken.id || is_known {
            return Err(Denied::Wrong);
        }
        if person.passkeys.len() >= PASSKEYS_MAX {
            return Err(Denied::TooMany);
        }
        person.passkeys.push(Passkey {
            id,
            host: host_name(here).unwrap_or_default().to_owned(),
            label: from.browser.clone(),
            key,
            created: now,
            count: heard.count,
            answered: heard.asked,
        });
        self.keep_passkeys(by, person, true).await
    }

    /// From now on this passkey of a person's own opens nothing.
    pub async fn drop_passkey(&self, by: &Who, id: &str) -> Result<(), Denied> {
        let _turn = self.changing.lock().await;
        let mut person = self.person(by)?;
        let before = person.passkeys.len();
        person.passkeys.retain(|passkey| passkey.id != id);
        if person.passkeys.len() == before {
            return Err(Denied::NotFound);
        }
        self.keep_passkeys(by, person, false).await
    }

    async fn keep_passkeys(
        &self,
        by: &Who,
        person: store::Person,
        is_on: bool,
    ) -> Result<(), Denied> {
        let about = json!({"passkey": is_on, "passkeys": person.passkeys.len()});
        let entry = entry_of(by, EventKind::PersonSecondFactor, (self.clock)(), about);
        self.keep(PeopleChange::noted(entry).person(person)).await
    }

    /// Somebody signs in with a passkey; gives the secret of the new session.
    pub async fn sign_in_with_passkey(
        &self,
        answer: &PasskeyAnswer,
        here: &str,
        from: &From,
    ) -> Result<String, Denied> {
        let _turn = self.changing.lock().await;
        self.not_too_soon(None, from)?;
        let now = (self.clock)();
        let asked_at = |given: &str| self.questions.asked_at(given, None, now);
        let heard = answer.spoken.hear("webauthn.get", here, asked_at);
        let owner = self.people().into_iter().find(|person| {
            let mut own = person.passkeys.iter();
            own.any(|passkey| passkey.id == answer.spoken.id)
        });
        let known = owner.as_ref().map(|person| person.id);
        let (Some(mut person), Some(heard)) = (owner, heard) else {
            return Err(self.refuse(None, known, from).await);
        };
        let own = person.passkeys.iter_mut();
        let passkey = own
            .filter(|passkey| Some(passkey.host.as_str()) == host_name(here))
            .find(|passkey| passkey.id == answer.spoken.id);
        let Some(passkey) = passkey.filter(|p| is_signed(p, &heard, &answer.signature)) else {
            return Err(self.refuse(None, known, from).await);
        };
        (passkey.count, passkey.answered) = (heard.count, heard.asked);
        let how = json!({"passkey": true, "second_factor": true});
        self.let_in(person, from, how).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

    use super::*;

    const HERE: &str = "https://mimamori.local:8443";

    fn now() -> Time {
        Time::from_ms(1_800_000_000_000)
    }

    /// A device with one key, as the standard describes it.
    struct Device(EcdsaKeyPair);

    impl Device {
        fn new() -> Self {
            let (kind, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
            let key = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
            Self(EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &random).unwrap())
        }

        fn passkey(&self, count: u32, answered: Time) -> Passkey {
            Passkey {
                id: "aWQ".to_owned(),
                host: "mimamori.local".to_owned(),
                label: String::new(),
                key: PasskeyKey::Es256 {
                    point: BASE64URL_NOPAD.encode(self.0.public_key().as_ref()),
                },
                created: now(),
                count,
                answered,
            }
        }

        fn answer(&self, (name, origin): (&str, &str), question: &str, flags: u8) -> PasskeyAnswer {
            let client = json!({"type": "webauthn.get", "challenge": question, "origin": origin})
                .to_string();
            let mut said = Sha256::digest(name).to_vec();
            said.push(flags);
            said.extend_from_slice(&7_u32.to_be_bytes());
            let signed = [&said[..], &Sha256::digest(&client)[..]].concat();
            let signature = self.0.sign(&SystemRandom::new(), &signed).unwrap();
            PasskeyAnswer {
                spoken: Spoken {
                    id: "aWQ".to_owned(),
                    client_data: BASE64URL_NOPAD.encode(client.as_bytes()),
                    authenticator: BASE64URL_NOPAD.encode(&said),
                },
                signature: BASE64URL_NOPAD.encode(signature.as_ref()),
            }
        }
    }

    fn heard(questions: &Questions, answer: &PasskeyAnswer, at: Time) -> Option<Heard> {
        let asked_at = |given: &str| questions.asked_at(given, None, at);
        answer.spoken.hear("webauthn.get", HERE, asked_at)
    }

    #[test]
    fn an_answer_counts_once_and_only_from_its_own_device() {
        let (questions, device) = (Questions::new().unwrap(), Device::new());
        let question = questions.ask(None, now()).unwrap();
        let answer = device.answer(("mimamori.local", HERE), &question, PRESENT | VERIFIED);
        let heard = heard(&questions, &answer, now() + 1_000).unwrap();
        let before = now() + -1;
        assert!(is_signed(
            &device.passkey(6, before),
            &heard,
            &answer.signature
        ));
        let again = device.passkey(6, now());
        assert!(
            !is_signed(&again, &heard, &answer.signature),
            "answered already"
        );
        let copied = device.passkey(7, before);
        assert!(
            !is_signed(&copied, &heard, &answer.signature),
            "a copy signed in between"
        );
        let other = Device::new().passkey(6, before);
        assert!(!is_signed(&other, &heard, &answer.signature), "another key");
    }

    #[test]
    fn what_was_said_elsewhere_or_to_nobody_is_not_heard() {
        let (questions, device) = (Questions::new().unwrap(), Device::new());
        let question = questions.ask(None, now()).unwrap();
        let (name, sure) = ("mimamori.local", PRESENT | VERIFIED);
        let hears = |about, question: &str, flags, later| {
            heard(
                &questions,
                &device.answer(about, question, flags),
                now() + later,
            )
            .is_some()
        };
        assert!(hears((name, HERE), &question, sure, 0));
        assert!(!hears((name, "https://evil.example"), &question, sure, 0));
        assert!(!hears(("evil.example", HERE), &question, sure, 0));
        assert!(
            !hears((name, HERE), &question, PRESENT, 0),
            "nobody was recognised"
        );
        assert!(
            !hears((name, HERE), &question, sure, ASKED_MS + 1),
            "too late"
        );
        assert!(
            !hears((name, HERE), &question, sure, -1),
            "before it was asked"
        );
        let to_person = questions.ask(Some(1), now()).unwrap();
        assert!(!hears((name, HERE), &to_person, sure, 0), "another purpose");
        let foreign = Questions::new().unwrap().ask(None, now()).unwrap();
        assert!(!hears((name, HERE), &foreign, sure, 0), "not our question");
        for bad in ["", "AAAA", "?"] {
            assert!(!hears((name, HERE), bad, sure, 0), "{bad:?}");
        }
    }

    #[test]
    fn passkeys_are_bound_to_names() {
        assert_eq!(host_name(HERE), Some("mimamori.local"));
        assert_eq!(host_name("http://localhost"), Some("localhost"));
        for none in [
            "https://192.168.1.5:8443",
            "https://[fd00::1]:8443",
            "https://",
            "x",
        ] {
            assert_eq!(host_name(none), None, "{none}");
        }
    }
}
