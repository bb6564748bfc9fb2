//! What tests about days and hours have in common.

use jiff::Timestamp;
use jiff::civil::Time as ClockTime;
use jiff::tz::TimeZone;
use model::Time;

use crate::calendar::Calendar;

/// A factory in Tokyo whose business day begins at eight.
pub(crate) fn tokyo() -> Calendar {
    Calendar {
        zone: TimeZone::get("Asia/Tokyo").unwrap(),
        starts: ClockTime::constant(8, 0, 0, 0),
    }
}

/// A moment as RFC 3339 writes it.
pub(crate) fn at(text: &str) -> Time {
    Time::from_ms(text.parse::<Timestamp>().unwrap().as_millisecond())
}
