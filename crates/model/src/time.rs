//! Time as the readings carry it. Rooms that judge never look at a clock: the time is in the data.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Add, Sub};

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// Milliseconds of a day that is neither shortened nor lengthened by the clocks.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// A moment, in milliseconds since 1970-01-01 00:00 UTC. As JSON it is a text after RFC 3339, in
/// UTC with milliseconds; the number of milliseconds, as versions up to 0.1 wrote it, is read as
/// well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// From milliseconds since the epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// From seconds since the epoch; fractions are rounded to the nearest millisecond.
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1000.0).round() as i64)
    }

    /// Milliseconds since the epoch.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Seconds from `earlier` to this moment; negative if `earlier` is later.
    pub fn since(self, earlier: Self) -> f64 {
        (self.0.saturating_sub(earlier.0)) as f64 / 1000.0
    }

    /// Milliseconds since `earlier`; none if `earlier` is later.
    pub const fn since_ms(self, earlier: Self) -> u64 {
        let ms = self.0.saturating_sub(earlier.0);
        if ms > 0 { ms as u64 } else { 0 }
    }

    /// The start of the minute this moment lies in.
    pub const fn minute(self) -> Self {
        Self(self.0 - self.0.rem_euclid(60_000))
    }
}

/// From one moment to another. Whether the second belongs to it, whoever takes it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Its beginning.
    pub from: Time,
    /// Its end.
    pub to: Time,
}

impl Span {
    /// All of time.
    pub const ALWAYS: Self = Self::before(Time::from_ms(i64::MAX));

    /// From one moment to another.
    pub const fn new(from: Time, to: Time) -> Self {
        Self { from, to }
    }

    /// All time before a moment.
    pub const fn before(to: Time) -> Self {
        Self::new(Time::from_ms(i64::MIN), to)
    }

    /// Whether a moment lies in it, its end not included.
    pub fn has(self, at: Time) -> bool {
        (self.from..self.to).contains(&at)
    }

    /// What of it lies in another; `None` if nothing does.
    pub fn within(self, other: Self) -> Option<Self> {
        let both = Self::new(self.from.max(other.from), self.to.min(other.to));
        (both.from < both.to).then_some(both)
    }

    /// From the beginning of the earlier one to the end of the later.
    pub fn around(self, other: Self) -> Self {
        Self::new(self.from.min(other.from), self.to.max(other.to))
    }

    /// Its length, in seconds; negative if it ends before it begins.
    pub fn seconds(self) -> f64 {
        self.to.since(self.from)
    }
}

impl Add<i64> for Time {
    type Output = Self;
    /// Adds milliseconds.
    fn add(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl Sub<i64> for Time {
    type Output = Self;
    /// Takes milliseconds away.
    fn sub(self, ms: i64) -> Self {
        Self(self.0.saturating_sub(ms))
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC with milliseconds; outside of the calendar, the milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => self.0.fmt(f),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match Timestamp::from_millisecond(self.0) {
            Ok(_) => to.collect_str(self),
            Err(_) => to.serialize_i64(self.0),
        }
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Either)
    }
}

/// Reads a moment in either form.
struct Either;

impl Visitor<'_> for Either {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a moment after RFC 3339, or milliseconds since 1970")
    }

    fn visit_i64<E: Error>(self, ms: i64) -> Result<Time, E> {
        Ok(Time(ms))
    }

    fn visit_u64<E: Error>(self, ms: u64) -> Result<Time, E> {
        i64::try_from(ms).map(Time).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        let moment: Timestamp = text.parse().map_err(E::custom)?;
        Ok(Time(moment.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Time> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn a_moment_is_a_text_and_what_was_written_as_a_number_is_read_on() {
        let t = Time::from_ms(1_732_200_000_123);
        let json = serde_json::to_string(&t).unwrap();
        assert_eq!(json, "\"2024-11-21T14:40:00.123Z\"");
        assert_eq!(read(&json), Some(t));
        assert_eq!(read("1732200000123"), Some(t));
        assert_eq!(read("\"2024-11-21T23:40:00.123+09:00\""), Some(t));
        assert_eq!(
            (read("\"soon\""), read("1.5"), read("null")),
            (None, None, None)
        );
    }

    #[test]
    fn also_what_no_calendar_has_comes_back() {
        for ms in [i64::MIN, -1, 0, i64::MAX] {
            let t = Time::from_ms(ms);
            assert_eq!(read(&serde_json::to_string(&t).unwrap()), Some(t), "{ms}");
        }
    }
}
