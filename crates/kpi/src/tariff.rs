//! What energy costs by the time of day: a tariff has a usual price, and hours at which another
//! holds.

use jiff::civil::Date;
use model::{Span, Time};
use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;
use crate::hours::{ScheduleError, WorkHours};
use crate::minute::PowerMinute;
use crate::schedule::is_on_weekday;

/// Hours at which energy has another price than usual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TariffHours {
    /// `mon` to `sun`; every day if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
    /// `HH:MM-HH:MM`.
    pub hours: WorkHours,
    /// The price then.
    pub yen_per_kwh: f64,
}

impl TariffHours {
    pub(crate) fn check_days(&self) -> Result<(), ScheduleError> {
        self.days
            .iter()
            .try_for_each(|day| is_on_weekday(day, None).map(drop))
    }

    fn hours_on(&self, date: Date) -> Option<&WorkHours> {
        let is_on = |day: &String| is_on_weekday(day, Some(date)) == Ok(true);
        let holds = self.days.is_empty() || self.days.iter().any(is_on);
        holds.then_some(&self.hours)
    }
}

/// The price of energy at each moment of a span of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    usual: f64,
    /// When others hold, each with its moments in order; the first that does counts.
    others: Vec<(Vec<Span>, f64)>,
}

impl Prices {
    /// Prices that hold within a span.
    pub(crate) fn of(
        usual: f64,
        tariff: &[TariffHours],
        calendar: &Calendar,
        within: Span,
    ) -> Self {
        let others = tariff.iter().map(|other| {
            let spans = calendar.spans(within, |date| other.hours_on(date));
            (spans, other.yen_per_kwh)
        });
        Self {
            usual,
            others: others.collect(),
        }
    }

    /// Yen for a kilowatt-hour at a moment.
    pub fn at(&self, t: Time) -> f64 {
        let holds = |spans: &[Span]| {
            let next = spans.partition_point(|span| span.to <= t);
            spans.get(next).is_some_and(|span| span.from <= t)
        };
        let other = self.others.iter().find(|(spans, _)| holds(spans));
        other.map_or(self.usual, |(_, price)| *price)
    }

    /// What a kilowatt-hour cost on average: of all that was drawn, and of what was used while the
    /// machine did not run, in watt-seconds by minute.
    pub(crate) fn means(&self, power: &[PowerMinute], standby_ws: &[f64]) -> [f64; 2] {
        let drawn = self.mean(power, |_, minute| minute.mean_w.max(0.0));
        let rested = self.mean(power, |i, _| standby_ws.get(i).copied().unwrap_or(0.0));
        [drawn, rested]
    }

    /// What energy cost on average that was drawn so, by minutes; `weight` is how much of one.
    fn mean(&self, power: &[PowerMinute], weight: impl Fn(usize, &PowerMinute) -> f64) -> f64 {
        let (mut yen, mut drawn) = (0.0, 0.0);
        for (i, minute) in power.iter().enumerate() {
            let part = weight(i, minute);
            yen += part * self.at(minute.minute);
            drawn += part;
        }
        if drawn > 0.0 { yen / drawn } else { self.usual }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, tokyo};

    fn prices() -> Prices {
        let tariff: Vec<TariffHours> = serde_json::from_str(
            r#"[{"days":["sat","sun"],"hours":["00:00-24:00"],"yen_per_kwh":18.0},
                {"hours":["22:00-08:00"],"yen_per_kwh":12.5}]"#,
        )
        .unwrap();
        let week = Span::new(at("2026-11-22T15:00:00Z"), at("2026-11-29T15:00:00Z"));
        Prices::of(27.5, &tariff, &tokyo(), week)
    }

    #[test]
    fn nights_and_weekends_have_prices_of_their_own() {
        let prices = prices();
        for (moment, price) in [
            ("2026-11-24T01:00:00Z", 27.5),
            ("2026-11-24T13:00:00Z", 12.5),
            ("2026-11-24T22:59:59Z", 12.5),
            ("2026-11-24T23:00:00Z", 27.5),
            // Saturday, 23:00: the first that holds counts.
            ("2026-11-28T14:00:00Z", 18.0),
        ] {
            assert_eq!(prices.at(at(moment)), price, "{moment}");
        }
    }

    #[test]
    fn the_mean_price_goes_by_what_was_drawn() {
        let minute = |moment: &str, mean_w: f64| PowerMinute {
            minute: at(moment),
            min_w: 0.0,
            mean_w,
            counts_until: None,
        };
        let power = [
            minute("2026-11-24T12:59:00Z", 3_000.0),
            minute("2026-11-24T13:00:00Z", 1_000.0),
        ];
        let mean = prices().mean(&power, |_, minute| minute.mean_w);
        assert_eq!(mean, 0.75 * 27.5 + 0.25 * 12.5);
        assert_eq!(prices().mean(&[], |_, minute| minute.mean_w), 27.5);
    }
}
