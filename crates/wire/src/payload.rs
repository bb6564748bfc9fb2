//! The product's own MQTT convention: `mimamori/<device>/<point>` carries a plain number,
//! `mimamori/<device>` one flat JSON object. Numbers are measurements, booleans are states, `t` is
//! the device's time in milliseconds since 1970, and `product` may be a name.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// First level of every topic of the convention.
pub const TOPIC_ROOT: &str = "mimamori";

/// Largest payload read as a reading, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// Most members an object may have.
pub const MEMBERS_MAX: usize = 128;

/// What a topic of the convention addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address<'a> {
    /// `mimamori/<device>`: an object with several points.
    Device(&'a str),
    /// `mimamori/<device>/<point>`: one point.
    Point(&'a str, &'a str),
    /// `mimamori/<device>/online`: the device's last will.
    Online(&'a str),
    /// `mimamori/<device>/cmd/…` or `/ack/…`: orders and their answers, not readings.
    Control(&'a str),
}

impl<'a> Address<'a> {
    /// Reads a topic; `None` if it is not of the convention.
    pub fn parse(topic: &'a str) -> Option<Self> {
        let rest = topic.strip_prefix(TOPIC_ROOT)?.strip_prefix('/')?;
        let mut levels = rest.split('/');
        let device = levels.next().filter(|d| !d.is_empty())?;
        match (levels.next(), levels.next(), levels.next()) {
            (None, ..) => Some(Self::Device(device)),
            (Some("online"), None, _) => Some(Self::Online(device)),
            (Some(point), None, _) if !point.is_empty() => Some(Self::Point(device, point)),
            (Some("cmd" | "ack"), Some(name), None) if !name.is_empty() => {
                Some(Self::Control(device))
            }
            _ => None,
        }
    }

    /// The device addressed.
    pub fn device(self) -> &'a str {
        match self {
            Self::Device(d) | Self::Point(d, _) | Self::Online(d) | Self::Control(d) => d,
        }
    }
}

/// One value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// A measurement, finite.
    Number(f64),
    /// A state.
    Bool(bool),
    /// A name; only `product` may be one.
    Text(Cow<'a, str>),
}

impl Scalar<'_> {
    /// As a number, 0 and 1 for a state; a name is none.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Bool(is_so) => Some(f64::from(u8::from(*is_so))),
            Self::Text(_) => None,
        }
    }
}

/// Why a payload is not a set of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadError {
    /// More bytes than [`PAYLOAD_BYTES_MAX`] or more members than [`MEMBERS_MAX`].
    TooLarge,
    /// Neither a number nor a JSON object.
    NotJson,
    /// A member that is null, a list or an object.
    WrongType,
    /// NaN or infinity.
    NotFinite,
}

/// A decoded payload: the device's time, if it sent one, and the members in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Payload<'a> {
    /// Device time in milliseconds since 1970.
    pub t_ms: Option<i64>,
    /// Member names and values.
    pub members: Vec<(Cow<'a, str>, Scalar<'a>)>,
}

/// Reads the payload of a single point: a number, `true` or `false`, or an object
/// `{"t":…,"value":…}`.
pub fn decode_point(bytes: &[u8]) -> Result<(Option<i64>, Scalar<'_>), PayloadError> {
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(PayloadError::TooLarge);
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| PayloadError::NotJson)?
        .trim();
    if text.starts_with('{') {
        let payload = decode_object(bytes)?;
        let value = payload
            .members
            .into_iter()
            .find(|(name, _)| name == "value");
        return value
            .map(|(_, v)| (payload.t_ms, v))
            .ok_or(PayloadError::WrongType);
    }
    match text {
        "true" | "ON" | "on" => return Ok((None, Scalar::Bool(true))),
        "false" | "OFF" | "off" => return Ok((None, Scalar::Bool(false))),
        _ => {}
    }
    let number: f64 = text.parse().map_err(|_| PayloadError::NotJson)?;
    if number.is_finite() {
        Ok((None, Scalar::Number(number)))
    } else {
        Err(PayloadError::NotFinite)
    }
}

/// Reads the payload of a device: one flat JSON object.
pub fn decode_object(bytes: &[u8]) -> Result<Payload<'_>, PayloadError> {
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(PayloadError::TooLarge);
    }
    let read: Members<'_> =
        serde_json::from_slice(bytes).map_err(|error| name_error(&error, bytes))?;
    if read.nested {
        return Err(PayloadError::WrongType);
    }
    if read.too_many {
        return Err(PayloadError::TooLarge);
    }
    if !read.finite {
        return Err(PayloadError::NotFinite);
    }
    Ok(read.payload)
}

/// JSON has no NaN, but common libraries write one; tell that apart from plain garbage.
fn name_error(error: &serde_json::Error, bytes: &[u8]) -> PayloadError {
    let has = |word: &[u8]| {
        bytes
            .windows(word.len())
            .any(|w| w.eq_ignore_ascii_case(word))
    };
    let out_of_range = error.to_string().starts_with("number out of range");
    let looks_json = bytes.trim_ascii().first() == Some(&b'{');
    if out_of_range || looks_json && (has(b":nan") || has(b": nan") || has(b"infinity")) {
        PayloadError::NotFinite
    } else if error.is_data() {
        PayloadError::WrongType
    } else {
        PayloadError::NotJson
    }
}

/// What the visitor gathers; problems are noted so that one pass reads the whole object.
#[derive(Default)]
struct Members<'a> {
    payload: Payload<'a>,
    nested: bool,
    too_many: bool,
    finite: bool,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object of numbers and booleans")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut read = Members {
            finite: true,
            ..Members::default()
        };
        while let Some(PayloadKey(name)) = map.next_key()? {
            match map.next_value()? {
                PayloadValue::Nested => read.nested = true,
                PayloadValue::Scalar(Scalar::Number(n)) if !n.is_finite() => read.finite = false,
                PayloadValue::Scalar(Scalar::Number(n)) if name == "t" => {
                    read.payload.t_ms = Some(n as i64);
                }
                PayloadValue::Scalar(value) if read.payload.members.len() < MEMBERS_MAX => {
                    read.payload.members.push((name, value));
                }
                PayloadValue::Scalar(_) => read.too_many = true,
            }
        }
        Ok(read)
    }
}

struct PayloadKey<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for PayloadKey<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match PayloadValue::deserialize(deserializer)? {
            PayloadValue::Scalar(Scalar::Text(text)) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("a member name is a text")),
        }
    }
}

enum PayloadValue<'a> {
    Scalar(Scalar<'a>),
    Nested,
}

impl<'de> Deserialize<'de> for PayloadValue<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = PayloadValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, v: bool) -> Result<PayloadValue<'de>, E> {
        Ok(PayloadValue::Scalar(Scalar::Bool(v)))
    }
    fn visit_i64<E>(self, v: i64) -> Result<PayloadValue<'de>, E> {
        Ok(PayloadValue::Scalar(Scalar::Number(v as f64)))
    }
    fn visit_u64<E>(self, v: u64) -> Result<PayloadValue<'de>, E> {
        Ok(PayloadValue::Scalar(Scalar::Number(v as f64)))
    }
    fn visit_f64<E>(self, v: f64) -> Result<PayloadValue<'de>, E> {
        Ok(PayloadValue::Scalar(Scalar::Number(v)))
    }
    fn visit_borrowed_str<E>(self, v: &'de str) -> Result<PayloadValue<'de>, E> {
        Ok(PayloadValue::Scalar(Scalar::Text(Cow::Borrowed(v))))
    }
    fn visit_str<E>(self, v: &str) -> Result<PayloadValue<'de>, E> {
        Ok(PayloadValue::Scalar(Scalar::Text(Cow::Owned(v.to_owned()))))
    }
    fn visit_unit<E>(self) -> Result<PayloadValue<'de>, E> {
        Ok(PayloadValue::Nested)
    }
    fn visit_seq<A: serde::de::SeqAccess<'de>>(
        self,
        mut seq: A,
    ) -> Result<PayloadValue<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(PayloadValue::Nested)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PayloadValue<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(PayloadValue::Nested)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn topics_of_the_convention_are_told_apart() {
        assert_eq!(
            Address::parse("mimamori/press-1"),
            Some(Address::Device("press-1"))
        );
        assert_eq!(
            Address::parse("mimamori/p/power_w"),
            Some(Address::Point("p", "power_w"))
        );
        assert_eq!(
            Address::parse("mimamori/p/online"),
            Some(Address::Online("p"))
        );
        assert_eq!(
            Address::parse("mimamori/p/cmd/stop"),
            Some(Address::Control("p"))
        );
        for foreign in [
            "mimamori",
            "mimamori/",
            "mimamori//x",
            "tele/x/SENSOR",
            "mimamori/p/a/b",
        ] {
            assert_eq!(Address::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn an_object_gives_time_and_members() {
        let read = decode_object(br#"{"t":1732200000000,"power_w":812.5,"cycle":17,"red":false}"#);
        let payload = read.unwrap();
        assert_eq!(payload.t_ms, Some(1_732_200_000_000));
        assert_eq!(payload.members.len(), 3);
        assert_eq!(payload.members[2], ("red".into(), Scalar::Bool(false)));
    }

    #[test]
    fn bad_payloads_have_named_reasons() {
        let object = |text: &str| decode_object(text.as_bytes()).unwrap_err();
        assert_eq!(object("power=3"), PayloadError::NotJson);
        assert_eq!(object("[1,2]"), PayloadError::WrongType);
        assert_eq!(object(r#"{"power_w":[1]}"#), PayloadError::WrongType);
        assert_eq!(object(r#"{"power_w":null}"#), PayloadError::WrongType);
        assert_eq!(object(r#"{"power_w":NaN}"#), PayloadError::NotFinite);
        assert_eq!(object(r#"{"power_w":1e999}"#), PayloadError::NotFinite);
        assert_eq!(decode_point(b"inf"), Err(PayloadError::NotFinite));
        assert_eq!(decode_point(b"warm"), Err(PayloadError::NotJson));
        assert_eq!(decode_point(&[0xff, 0xfe]), Err(PayloadError::NotJson));
        assert_eq!(
            decode_point(&vec![b'1'; PAYLOAD_BYTES_MAX + 1]),
            Err(PayloadError::TooLarge)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(payload) = decode_object(&bytes) {
                prop_assert!(payload.members.len() <= MEMBERS_MAX);
            }
            if let Ok((_, Scalar::Number(n))) = decode_point(&bytes) {
                prop_assert!(n.is_finite());
            }
        }
    }
}
