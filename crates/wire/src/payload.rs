//! The product's own MQTT convention: `mimamori/<device>/<point>` carries a plain number,
//! `mimamori/<device>` one flat JSON object. Numbers are measurements, booleans are states, `t` is
//! the device's time, and `product` may be a name. What other programs send is understood as they
//! mean it: the time may be called `ts`, `timestamp` or `time`, in seconds or finer, or as a text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::sheet::{CellTime, moment};

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

/// What the time of a payload is called, the usual name first: if several are there, the first of
/// these is the time and the others are values.
const TIME_NAMES: [&str; 4] = ["t", "ts", "timestamp", "time"];

/// Why a payload is not a set of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadError {
    /// More bytes than [`PAYLOAD_BYTES_MAX`] or more members than [`MEMBERS_MAX`].
    TooLarge,
    /// Neither a number nor a JSON object.
    NotJson,
    /// No object, or one without the value that was asked for.
    WrongType,
    /// NaN or infinity.
    NotFinite,
    /// A time that cannot be read: kept as of now, the values would be told wrong.
    NoTime,
}

/// A decoded payload: the device's time, if it sent one, and the members in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Payload<'a> {
    /// Device time in milliseconds since 1970.
    pub t_ms: Option<i64>,
    /// Member names and values.
    pub members: Vec<(Cow<'a, str>, Scalar<'a>)>,
    /// Names of members that hold no value: null, a list or an object.
    pub unfit: Vec<Cow<'a, str>>,
}

/// What the payload of a single point says.
#[derive(Debug, Clone, PartialEq)]
pub struct PointSaid<'a> {
    /// Device time in milliseconds since 1970.
    pub t_ms: Option<i64>,
    /// What it measured, as it was written.
    pub value: Scalar<'a>,
    /// The unit that stands beside it.
    pub unit: Option<Cow<'a, str>>,
}

impl<'a> PointSaid<'a> {
    fn plain(value: Scalar<'a>) -> Self {
        Self {
            t_ms: None,
            value,
            unit: None,
        }
    }
}

/// Reads the payload of a single point: a number, `true` or `false`, or an object
/// `{"t":…,"value":…,"unit":…}`.
pub fn decode_point(bytes: &[u8]) -> Result<PointSaid<'_>, PayloadError> {
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(PayloadError::TooLarge);
    }
    let bytes = without_mark(bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|_| PayloadError::NotJson)?
        .trim();
    if text.starts_with('{') {
        let mut payload = decode_object(bytes)?;
        let mut take = |wanted: &str| {
            let at = payload.members.iter().position(|(name, _)| name == wanted);
            at.map(|at| payload.members.swap_remove(at).1)
        };
        let value = take("value").ok_or(PayloadError::WrongType)?;
        let unit = match take("unit") {
            Some(Scalar::Text(unit)) => Some(unit),
            _ => None,
        };
        let t_ms = payload.t_ms;
        return Ok(PointSaid { t_ms, value, unit });
    }
    match text {
        "true" | "ON" | "on" => return Ok(PointSaid::plain(Scalar::Bool(true))),
        "false" | "OFF" | "off" => return Ok(PointSaid::plain(Scalar::Bool(false))),
        _ => {}
    }
    let number: f64 = text.parse().map_err(|_| PayloadError::NotJson)?;
    if number.is_finite() {
        Ok(PointSaid::plain(Scalar::Number(number)))
    } else {
        Err(PayloadError::NotFinite)
    }
}

/// Without the mark that some programs put before UTF-8.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Reads the payload of a device: one flat JSON object.
pub fn decode_object(bytes: &[u8]) -> Result<Payload<'_>, PayloadError> {
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(PayloadError::TooLarge);
    }
    let bytes = without_mark(bytes);
    let read: Members<'_> =
        serde_json::from_slice(bytes).map_err(|error| name_error(&error, bytes))?;
    if read.too_many {
        return Err(PayloadError::TooLarge);
    }
    if !read.finite {
        return Err(PayloadError::NotFinite);
    }
    let mut payload = read.payload;
    let names = payload.members.iter().map(|(own, _)| own);
    let names = names.chain(&payload.unfit);
    if let Some(name) = TIME_NAMES
        .iter()
        .find(|name| names.clone().any(|own| is_named(own, name)))
    {
        let mut members = payload.members.iter();
        let at = members.position(|(own, _)| is_named(own, name));
        let said = at.map(|at| payload.members.remove(at).1);
        let time = said.and_then(|said| time_of(&said));
        payload.t_ms = Some(time.ok_or(PayloadError::NoTime)?);
    }
    Ok(payload)
}

/// Whether a member is the one of this name. Some write it with capitals; a single capital letter
/// is a quantity.
fn is_named(own: &str, name: &str) -> bool {
    own == name || name.len() > 1 && own.eq_ignore_ascii_case(name)
}

/// A moment as programs write it, in milliseconds since 1970: a number of seconds, milliseconds,
/// microseconds or nanoseconds, told apart by how large it is, or a text after RFC 3339 or with
/// another name for its zone.
fn time_of(said: &Scalar<'_>) -> Option<i64> {
    match said {
        Scalar::Number(number) => epoch(*number),
        Scalar::Bool(_) => None,
        Scalar::Text(text) => {
            let text = text.trim();
            match text.parse::<f64>() {
                Ok(number) => epoch(number),
                Err(_) => match moment(text)? {
                    CellTime::Absolute(ms) => Some(ms),
                    // Of which zone the device did not say.
                    CellTime::Civil(_) => None,
                },
            }
        }
    }
}

/// Since 1973 and until 5138 the four do not overlap.
fn epoch(number: f64) -> Option<i64> {
    let ms = match number {
        n if (1e8..1e11).contains(&n) => n * 1e3,
        n if (1e11..1e14).contains(&n) => n,
        n if (1e14..1e17).contains(&n) => n / 1e3,
        n if (1e17..1e20).contains(&n) => n / 1e6,
        _ => return None,
    };
    Some(ms.round() as i64)
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
            let so_many = read.payload.members.len() + read.payload.unfit.len();
            match map.next_value()? {
                PayloadValue::Scalar(Scalar::Number(n)) if !n.is_finite() => read.finite = false,
                _ if so_many > MEMBERS_MAX => read.too_many = true,
                PayloadValue::Nested => read.payload.unfit.push(name),
                PayloadValue::Scalar(value) => read.payload.members.push((name, value)),
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

    #[test]
    fn what_holds_no_value_is_named_and_its_neighbours_are_read() {
        let text =
            br#"{"power_w":2,"temperature_c":null,"wifi":{"rssi":-60},"flags":[1],"on":true}"#;
        let payload = decode_object(text).unwrap();
        assert_eq!(payload.unfit, ["temperature_c", "wifi", "flags"]);
        let names: Vec<&str> = payload.members.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["power_w", "on"]);
    }

    #[test]
    fn a_time_is_read_as_programs_write_it() {
        let at = 1_795_886_894_000_i64;
        for time in [
            r#""t":1795886894000"#,
            r#""ts":1795886894000"#,
            r#""timestamp":1795886894"#,
            r#""time":1795886894.0"#,
            r#""ts":1795886894000000"#,
            r#""ts":1795886894000000000"#,
            r#""t":"1795886894000""#,
            r#""timestamp":"2026-11-28T17:28:14Z""#,
            r#""time":"2026-11-29T02:28:14+09:00""#,
        ] {
            let text = format!("{{\"power_w\":1,{time}}}");
            let payload = decode_object(text.as_bytes()).unwrap();
            assert_eq!(
                (payload.t_ms, payload.members.len()),
                (Some(at), 1),
                "{time}"
            );
        }
        let both = decode_object(br#"{"t":1795886894000,"time":12.5}"#).unwrap();
        assert_eq!(both.t_ms, Some(at));
        assert_eq!(both.members, [("time".into(), Scalar::Number(12.5))]);
    }

    #[test]
    fn a_time_that_cannot_be_read_refuses_what_was_measured_then() {
        for time in [
            r#""t":"yesterday""#,
            r#""ts":4711"#,
            r#""time":true"#,
            r#""timestamp":"2026-11-28 17:28""#,
        ] {
            let text = format!("{{\"power_w\":1,{time}}}");
            let read = decode_object(text.as_bytes());
            assert_eq!(read, Err(PayloadError::NoTime), "{time}");
        }
    }

    #[test]
    fn a_unit_beside_a_value_is_read_with_it() {
        let said = decode_point(br#"{"value":0.812,"unit":"kW"}"#).unwrap();
        assert_eq!(said.value, Scalar::Number(0.812));
        assert_eq!(said.unit.as_deref(), Some("kW"));
        let none = decode_point(br#"{"value":null}"#);
        assert_eq!(none, Err(PayloadError::WrongType));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(payload) = decode_object(&bytes) {
                prop_assert!(payload.members.len() <= MEMBERS_MAX + 1);
            }
            if let Ok(PointSaid { value: Scalar::Number(n), .. }) = decode_point(&bytes) {
                prop_assert!(n.is_finite());
            }
        }
    }
}
