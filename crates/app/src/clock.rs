//! The one place that looks at the clock; everything else is told the time.

use std::time::SystemTime;

use model::Time;

/// The box's clock, in milliseconds since 1970.
pub fn now() -> Time {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Time::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
