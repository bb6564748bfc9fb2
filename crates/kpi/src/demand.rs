//! Demand: the mean power of each half hour of the clock, by whose highest a contract's power is
//! set and paid (実量制, the rule of Japanese low and high voltage contracts below 500 kW).

use model::{GAP_MS_MAX, MachineId, Span, Time};
use serde::{Deserialize, Serialize};

use crate::minute::{PowerMinute, holding};

/// How long a demand is taken over.
const WINDOW_MS: i64 = 30 * 60_000;
/// Before so many seconds of a half hour nothing is expected of it.
const TO_GO_BY_S: f64 = 300.0;
/// The power of so many last milliseconds is taken to go on.
const RECENT_MS: i64 = 5 * 60_000;
/// Kilowatts of a contract.
const CONTRACT_KW: std::ops::RangeInclusive<f64> = 0.5..=100_000.0;
/// Watt-milliseconds of a kilowatt-hour.
const W_MS_PER_KWH: f64 = 3.6e9;
/// An alarm ends once so large a share of the contract is expected again.
const EASED: f64 = 0.95;

/// What the contract allows, and what measures the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DemandPlan {
    /// The contract's power, in kilowatts.
    pub contract_kw: f64,
    /// The machine whose power is that of the whole factory; without one, those of all that are
    /// measured are added up.
    #[serde(default)]
    pub machine: Option<MachineId>,
}

impl DemandPlan {
    /// Whether it is a contract's power.
    pub fn is_valid(&self) -> bool {
        CONTRACT_KW.contains(&self.contract_kw)
    }
}

/// What was drawn in a half hour of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct DemandWindow {
    /// When it began.
    pub from: Time,
    /// Kilowatt-hours drawn in it so far.
    pub kwh: f64,
}

impl DemandWindow {
    /// When it ends.
    pub fn to(&self) -> Time {
        self.from + WINDOW_MS
    }

    /// Its demand in kilowatts, if nothing more is drawn in it.
    pub fn kw(&self) -> f64 {
        self.kwh * 2.0
    }

    /// The half hour of a moment, from its beginning to the moment.
    pub fn at(now: Time) -> Span {
        Span::new(
            Time::from_ms(now.ms() - now.ms().rem_euclid(WINDOW_MS)),
            now,
        )
    }

    /// The half hours of a span, from the powers of what was measured, each by the minute, oldest
    /// first. Half hours in which nothing was measured are left out. What is fed back is no demand.
    pub fn all(measured: &[Vec<PowerMinute>], span: Span) -> Vec<Self> {
        let mut windows: std::collections::BTreeMap<Time, f64> = std::collections::BTreeMap::new();
        for power in measured {
            for (piece, watts) in pieces(power, span) {
                *windows.entry(Self::at(piece.from).from).or_default() += watts * length(piece);
            }
        }
        let windows = windows.into_iter().map(|(from, w_ms)| Self {
            from,
            kwh: w_ms.max(0.0) / W_MS_PER_KWH,
        });
        windows.collect()
    }
}

/// How a half hour will end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct DemandForecast {
    /// The half hour.
    pub window: DemandWindow,
    /// Its demand in kilowatts if it goes on as in the last five minutes; `None` in its first five.
    pub expected_kw: Option<f64>,
    /// So many kilowatts may be drawn on average until its end; 0 once the contract is passed.
    pub allowed_kw: f64,
}

impl DemandForecast {
    /// Of the half hour of a moment.
    pub fn at(plan: &DemandPlan, measured: &[Vec<PowerMinute>], now: Time) -> Self {
        let so_far = DemandWindow::at(now);
        let window = DemandWindow::all(measured, so_far).pop();
        let window = window.unwrap_or(DemandWindow {
            from: so_far.from,
            kwh: 0.0,
        });
        let rest_h = window.to().since(now).max(1.0) / 3_600.0;
        let recent = Span::new(now - RECENT_MS, now);
        let mut recent_w = 0.0;
        let mut is_measured = false;
        for power in measured {
            let (mut w_ms, mut ms) = (0.0, 0.0);
            for (piece, watts) in pieces(power, recent) {
                w_ms += watts * length(piece);
                ms += length(piece);
            }
            if ms > 0.0 {
                recent_w += w_ms / ms;
                is_measured = true;
            }
        }
        let is_enough = is_measured && now.since(window.from) >= TO_GO_BY_S;
        let expected = (window.kwh + recent_w.max(0.0) / 1_000.0 * rest_h) * 2.0;
        Self {
            window,
            expected_kw: is_enough.then_some(expected),
            allowed_kw: ((plan.contract_kw / 2.0 - window.kwh) / rest_h).max(0.0),
        }
    }

    /// Whether people are to be told, or still are: the contract will be passed, or is; told once,
    /// until clearly less is expected. `None` where nothing can be said yet.
    pub fn is_too_high(&self, plan: &DemandPlan, is_told: bool) -> Option<bool> {
        let limit = plan.contract_kw * if is_told { EASED } else { 1.0 };
        if self.window.kw() > plan.contract_kw {
            return Some(true);
        }
        Some(self.expected_kw? > limit)
    }
}

/// The stretches of a span over which a power is known, that of the last minute as long as no
/// reading may come; cut where half hours begin.
fn pieces(power: &[PowerMinute], span: Span) -> Vec<(Span, f64)> {
    let mut pieces = Vec::new();
    for (minute, holds) in holding(power, GAP_MS_MAX) {
        let mut from = holds.from.max(span.from);
        let until = holds.to.min(span.to);
        while from < until {
            let to = (DemandWindow::at(from).from + WINDOW_MS).min(until);
            pieces.push((Span::new(from, to), minute.mean_w));
            from = to;
        }
    }
    pieces
}

fn length(span: Span) -> f64 {
    (span.to.ms() - span.from.ms()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: i64 = WINDOW_MS;
    const MINUTE: i64 = 60_000;
    /// The beginning of a half hour.
    const BEGIN: i64 = 1_800_000_000_000 - 1_800_000_000_000 % HALF;

    fn power(from: i64, minutes: i64, step: i64, watts: f64) -> Vec<PowerMinute> {
        let at = |n: i64| PowerMinute {
            minute: Time::from_ms(BEGIN + from + n * step),
            min_w: watts,
            mean_w: watts,
            counts_until: None,
        };
        (0..minutes * MINUTE / step).map(at).collect()
    }

    fn plan(contract_kw: f64) -> DemandPlan {
        DemandPlan {
            contract_kw,
            machine: None,
        }
    }

    fn at(ms: i64) -> Time {
        Time::from_ms(BEGIN + ms)
    }

    #[test]
    fn the_demand_of_a_half_hour_is_its_mean_power() {
        let two = [
            power(0, 60, MINUTE, 30_000.0),
            power(0, 30, 5 * MINUTE, 20_000.0),
        ];
        let windows = DemandWindow::all(&two, Span::new(at(0), at(2 * HALF)));
        let kw: Vec<f64> = windows
            .iter()
            .map(|w| (w.kw() * 10.0).round() / 10.0)
            .collect();
        // The one that speaks every five minutes counts until the next, and one minute more than
        // that where none comes.
        assert_eq!(kw.len(), 2);
        assert!((kw[0] - 50.0).abs() < 0.1, "{kw:?}");
        assert!((kw[1] - 30.7).abs() < 0.1, "{kw:?}");
        let fed = [power(0, 30, MINUTE, -5_000.0)];
        assert_eq!(
            DemandWindow::all(&fed, Span::new(at(0), at(HALF)))[0].kw(),
            0.0
        );
        assert!(DemandWindow::all(&[], Span::new(at(0), at(HALF))).is_empty());
    }

    #[test]
    fn a_half_hour_is_expected_to_go_on_as_its_last_minutes_did() {
        // Ten minutes of 60 kW, then five of 120: 20 kWh so far, and 30 more to come.
        let mut steps = power(0, 10, MINUTE, 60_000.0);
        steps.extend(power(10 * MINUTE, 5, MINUTE, 120_000.0));
        let steps = [steps];
        let found = DemandForecast::at(&plan(90.0), &steps, at(15 * MINUTE));
        assert!((found.window.kwh - 20.0).abs() < 0.01, "{found:?}");
        assert!(
            (found.expected_kw.unwrap() - 100.0).abs() < 0.1,
            "{found:?}"
        );
        assert!((found.allowed_kw - 100.0).abs() < 0.1, "{found:?}");
        assert_eq!(found.is_too_high(&plan(90.0), false), Some(true));
        assert_eq!(found.is_too_high(&plan(101.0), false), Some(false));
        assert_eq!(
            found.is_too_high(&plan(101.0), true),
            Some(true),
            "not clearly less"
        );
        assert_eq!(found.is_too_high(&plan(110.0), true), Some(false));
    }

    #[test]
    fn a_meter_that_speaks_every_five_minutes_is_expected_alike_between_its_readings() {
        let slow = [power(0, 25, 5 * MINUTE, 104_000.0)];
        for minute in 20..25 {
            let found = DemandForecast::at(&plan(100.0), &slow, at(minute * MINUTE));
            let expected = found.expected_kw.unwrap();
            assert!((expected - 104.0).abs() < 0.1, "{minute}: {found:?}");
        }
    }

    #[test]
    fn nothing_is_said_before_there_is_something_to_go_by() {
        let early = DemandForecast::at(&plan(10.0), &[power(0, 3, MINUTE, 9e4)], at(3 * MINUTE));
        assert_eq!(
            (early.expected_kw, early.is_too_high(&plan(10.0), false)),
            (None, None)
        );
        let none = DemandForecast::at(&plan(10.0), &[], at(20 * MINUTE));
        assert_eq!((none.expected_kw, none.window.kwh), (None, 0.0));
        assert!(
            (none.allowed_kw - 30.0).abs() < 0.01,
            "all of it is left: {none:?}"
        );
        // What has been drawn is certain, however early.
        let passed = DemandForecast::at(&plan(10.0), &[power(0, 4, MINUTE, 1e5)], at(4 * MINUTE));
        assert_eq!(passed.is_too_high(&plan(10.0), false), Some(true));
        assert_eq!(passed.allowed_kw, 0.0);
    }
}
