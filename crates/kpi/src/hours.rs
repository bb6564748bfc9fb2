//! Hours of one day, as they are written, and what is wrong with what is none.

use jiff::civil::Time as ClockTime;
use serde::{Deserialize, Serialize};

/// Stretches of work in one day.
const HOURS_MAX: usize = 12;

/// Why a schedule is not valid; each with what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleError {
    /// Not one of `mon` to `sun`.
    Day(String),
    /// Not `HH:MM-HH:MM`.
    Hours(String),
    /// Not `YYYY-MM-DD`.
    Date(String),
    /// No day or no hour of work, or far too many; or a day of the week is said twice.
    Empty,
}

impl std::fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Day(text) => write!(f, "{text:?} is none of mon, tue, wed, thu, fri, sat, sun"),
            Self::Hours(text) => write!(f, "{text:?} is not HH:MM-HH:MM"),
            Self::Date(text) => write!(f, "{text:?} is not YYYY-MM-DD"),
            Self::Empty => f.write_str(
                "a schedule needs 1 to 7 days, none twice, and 1 to 12 stretches of hours",
            ),
        }
    }
}

impl std::error::Error for ScheduleError {}

/// The stretches of work in one day, `HH:MM-HH:MM` each; one that ends before it begins, or as it
/// begins, ends on the next day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct WorkHours(Vec<(ClockTime, ClockTime)>);

model::described_as!(WorkHours, Vec<String>);

impl WorkHours {
    /// Hours from their texts.
    pub fn parse<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, ScheduleError> {
        let mut hours: Vec<_> = texts.map(stretch).collect::<Result<_, _>>()?;
        hours.sort_unstable();
        if !(1..=HOURS_MAX).contains(&hours.len()) {
            return Err(ScheduleError::Empty);
        }
        Ok(Self(hours))
    }

    /// When each begins and ends.
    pub fn stretches(&self) -> impl Iterator<Item = (ClockTime, ClockTime)> + '_ {
        self.0.iter().copied()
    }

    /// Their texts, as people write them.
    pub fn texts(&self) -> impl Iterator<Item = String> + '_ {
        let clock = |time: ClockTime| time.strftime("%H:%M").to_string();
        let end = move |to: ClockTime| {
            if to == ClockTime::midnight() {
                "24:00".to_owned()
            } else {
                clock(to)
            }
        };
        self.stretches()
            .map(move |(from, to)| format!("{}-{}", clock(from), end(to)))
    }

    /// How long they are together, in seconds.
    pub fn seconds(&self) -> f64 {
        // Minute by minute, round the clock: stretches may overlap, and reach over midnight.
        let minute = |clock: ClockTime| i64::from(clock.hour()) * 60 + i64::from(clock.minute());
        let is_planned = |at: i64| {
            self.stretches().any(|(begin, end)| {
                let (begin, end) = (minute(begin), minute(end));
                if begin < end {
                    (begin..end).contains(&at)
                } else {
                    at >= begin || at < end
                }
            })
        };
        (0..24 * 60).filter(|at| is_planned(*at)).count() as f64 * 60.0
    }
}

impl TryFrom<Vec<String>> for WorkHours {
    type Error = ScheduleError;

    fn try_from(texts: Vec<String>) -> Result<Self, ScheduleError> {
        Self::parse(texts.iter().map(|text| text.trim()))
    }
}

impl From<WorkHours> for Vec<String> {
    fn from(hours: WorkHours) -> Self {
        // As scripts always had it.
        hours
            .texts()
            .map(|text| text.replace("24:00", "00:00"))
            .collect()
    }
}

fn stretch(text: &str) -> Result<(ClockTime, ClockTime), ScheduleError> {
    let clock = |text: &str| ClockTime::strptime("%H:%M", text.trim()).ok();
    let end = |text: &str| match text.trim() {
        "24:00" => Some(ClockTime::midnight()),
        text => clock(text),
    };
    let ends = text
        .split_once('-')
        .and_then(|(from, to)| Some((clock(from)?, end(to)?)));
    ends.ok_or_else(|| ScheduleError::Hours(text.to_owned()))
}
