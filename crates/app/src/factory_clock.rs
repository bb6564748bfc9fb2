//! By which clock the factory lives: its zone and the hour its business day begins, as a person
//! says them on the page. What is said there wins over the file of settings and is in force once
//! the program has begun anew, which takes a moment.

use jiff::civil::Time as ClockTime;
use jiff::tz::TimeZone;
use kpi::Calendar;
use model::Time;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// The zone and the start of the business day, as they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactoryClock {
    /// IANA name of the zone, for example `Asia/Tokyo`.
    pub zone: String,
    /// When a business day begins, `HH:MM`.
    pub day_starts: String,
}

/// What of it cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockWrong {
    /// Nobody knows a zone of this name.
    Zone,
    /// It is no time of day.
    DayStarts,
}

impl FactoryClock {
    /// The name under which it is kept.
    pub const KEPT: &str = "factory-clock";

    /// The clock that a calendar goes by.
    pub fn of(calendar: &Calendar) -> Self {
        Self {
            zone: calendar.zone.iana_name().unwrap_or("UTC").to_owned(),
            day_starts: calendar.starts.strftime("%H:%M").to_string(),
        }
    }

    /// The calendar that goes by it.
    pub fn calendar(&self) -> Result<Calendar, ClockWrong> {
        Ok(Calendar {
            zone: zone(&self.zone)?,
            starts: day_starts(&self.day_starts)?,
        })
    }
}

/// The zone of this name.
pub fn zone(name: &str) -> Result<TimeZone, ClockWrong> {
    TimeZone::get(name.trim()).map_err(|_| ClockWrong::Zone)
}

/// Whether nobody has set a zone: computers come with UTC, which no factory works by.
pub fn is_unset(zone: &TimeZone) -> bool {
    zone.iana_name().is_none_or(|name| name.contains("UTC"))
}

/// The time of day that is written `HH:MM`.
pub fn day_starts(text: &str) -> Result<ClockTime, ClockWrong> {
    ClockTime::strptime("%H:%M", text.trim()).map_err(|_| ClockWrong::DayStarts)
}

/// Has the program begin anew, as the same process with the same words.
#[derive(Debug)]
pub struct Anew {
    /// When it began this time.
    pub began: Time,
    wanted: Notify,
}

impl Anew {
    /// Of a program that began at a moment.
    pub fn since(began: Time) -> Self {
        Self {
            began,
            wanted: Notify::new(),
        }
    }

    /// Asks for it; what was answered before is sent first.
    pub fn ask(&self) {
        self.wanted.notify_one();
    }

    /// Waits until it is asked for.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_taken_as_it_is_written_and_what_is_wrong_is_told() {
        let clock = |zone: &str, day_starts: &str| FactoryClock {
            zone: zone.to_owned(),
            day_starts: day_starts.to_owned(),
        };
        let tokyo = clock(" Asia/Tokyo ", "5:30").calendar().unwrap();
        assert_eq!(FactoryClock::of(&tokyo), clock("Asia/Tokyo", "05:30"));
        let wrong = |zone: &str, starts: &str| clock(zone, starts).calendar().unwrap_err();
        assert_eq!(wrong("Mars/Base", "08:00"), ClockWrong::Zone);
        assert_eq!(wrong("", "08:00"), ClockWrong::Zone);
        assert_eq!(wrong("Asia/Tokyo", "25:00"), ClockWrong::DayStarts);
        assert_eq!(wrong("Asia/Tokyo", "early"), ClockWrong::DayStarts);
    }
}
