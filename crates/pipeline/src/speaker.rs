//! A device as the floor knows it: its points, whether it is there, what it says of itself.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use app::views::LastValue;
use detect::LampDevice;
use model::Time;
use sources::{Device, PointRole};

use crate::series::Series;
use crate::signals::signal_of;

/// A camera that has said nothing of what it sees for so long, while its device said other things,
/// is off.
const SIGHT_MS_MAX: i64 = 15_000;

/// Values of a device that are shown.
const VALUES_MAX: usize = 24;

/// A device.
#[derive(Debug, Default)]
pub(crate) struct Speaker {
    /// Whom the numbers of the points are from; a device that was registered anew counts anew.
    pub device: Option<Arc<Device>>,
    pub machine: Option<usize>,
    pub points: Vec<Option<Series>>,
    pub connections: u32,
    /// When its last connection went down.
    pub left: Option<Time>,
    /// Where it is connected from.
    pub from: Option<IpAddr>,
    pub heard: Option<Time>,
    pub readings: u64,
    pub late_since: Option<Time>,
    /// Which machine it watches was written down.
    pub is_assigned: bool,
    /// It was registered anew while the program ran.
    pub is_renewed: bool,
    /// By how much the box's clock is ahead of its own.
    pub skew_ms: i64,
    /// It sends a time of its own.
    pub keeps_time: bool,
}

impl Speaker {
    /// Puts the series of a point at its number.
    pub(crate) fn put(&mut self, number: u16, series: Series) {
        let index = usize::from(number);
        while self.points.len() <= index {
            self.points.push(None);
        }
        self.points[index] = Some(series);
    }

    /// What the device said last of itself. What it no longer says while it says other things is
    /// not so any more.
    pub(crate) fn status(&self) -> BTreeMap<&'static str, f64> {
        let heard = self.heard.unwrap_or_default();
        let points = self.points.iter().flatten();
        let told = points.filter_map(|series| Some((series.status?, series.last()?)));
        told.filter_map(|((name, value), at)| {
            let age_ms = heard.ms() - self.skew_ms - at.ms();
            let is_fresh = name != "camera_ok" || age_ms <= SIGHT_MS_MAX;
            Some((name, value.filter(|_| is_fresh)?))
        })
        .collect()
    }

    /// What it said last, but of itself, by points of roles that are wanted, in the units of their
    /// names.
    pub(crate) fn values(&self, is_wanted: impl Fn(PointRole) -> bool) -> Vec<LastValue> {
        let points = self.points.iter().flatten();
        let shown = points.filter(|series| {
            let is_number = series.status.is_none() && series.role != PointRole::Product;
            is_number && is_wanted(series.role)
        });
        let told = shown.filter_map(|series| {
            Some(LastValue {
                point: Arc::clone(&series.name),
                value: series.latest? / series.factor,
                at: series.last()? + self.skew_ms,
            })
        });
        told.take(VALUES_MAX).collect()
    }

    /// Whether it is there: connected, or heard without a connection.
    pub(crate) fn is_there(&self) -> bool {
        self.connections > 0
            || self
                .heard
                .is_some_and(|heard| self.left.is_none_or(|left| heard > left))
    }

    /// How it tells the levels of its machine's lamp; `None` if it does not.
    pub(crate) fn lamp_device(&self) -> Option<LampDevice> {
        let points = || self.points.iter().flatten();
        if !points().any(|series| series.role.is_level()) {
            return None;
        }
        let is_paced = |series: &Series| {
            let signal = signal_of(series.role, series.id, 0.0, None);
            signal.is_some_and(|signal| signal.is_paced())
        };
        Some(match self.is_there() {
            false => LampDevice::Away,
            // Nobody would notice that it is gone.
            true if self.connections == 0 => LampDevice::Shared,
            true if points().any(is_paced) => LampDevice::Shared,
            true => LampDevice::Apart,
        })
    }
}
