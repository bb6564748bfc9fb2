//! A drift and when it will reach its limit. What is not known is kept apart from what is: the
//! moment the drift began and its steepness are weighed together (Bayes, with every beginning
//! equally likely before), and the forecast is the range that holds nine tenths of that weight.

use model::{Forecast, Time};
use serde::{Deserialize, Serialize};

/// Stretches of time the past is kept in.
const STRETCHES: usize = 64;
/// Share of the weight on each side outside the forecast's range.
const OUTSIDE: f64 = 0.05;
/// A beginning of less weight than this is none.
const WEIGHT_MIN: f64 = 1e-3;
/// The time looked at is halved so often: to a ten-thousandth of the past that is known.
const HALVINGS: usize = 18;
/// What a drift is told by: its beginning and its steepness.
const PARAMETERS: usize = 2;
/// What is left of a drift keeps no more than this share from one stretch to the next.
const KEPT_MAX: f64 = 0.9;
/// A forecast farther ahead than this many times the known past is none.
const AHEAD_MAX: f64 = 20.0;

/// Values of a stretch of time, summed up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct TrendStretch {
    seconds: f64,
    value: f64,
    count: f64,
}

/// The past of one quantity, as coarse as it is long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub(crate) struct Trend {
    stretches: Vec<TrendStretch>,
    /// Values that make a stretch.
    size: f64,
}

/// The drift from one possible beginning that fits best.
struct TrendFit {
    seconds: f64,
    slope: f64,
    /// Sum of the squares of the times since.
    square: f64,
    /// Sum of the squares of what it leaves.
    left: f64,
}

/// One possible beginning: its weight, and the steepness it would mean.
struct Beginning {
    seconds: f64,
    weight: f64,
    slope: f64,
    slope_error: f64,
    /// How likely it is that it rises at all.
    upward: f64,
}

impl Trend {
    /// Takes one value.
    pub(crate) fn take(&mut self, t: Time, value: f64) {
        let seconds = t.seconds();
        if self.size == 0.0 {
            self.size = 1.0;
        }
        match self.stretches.last_mut() {
            Some(last) if last.count < self.size => {
                last.count += 1.0;
                last.seconds += (seconds - last.seconds) / last.count;
                last.value += (value - last.value) / last.count;
            }
            _ => self.stretches.push(TrendStretch {
                seconds,
                value,
                count: 1.0,
            }),
        }
        if self.stretches.len() > STRETCHES {
            self.merge();
        }
    }

    fn merge(&mut self) {
        let merged = self.stretches.chunks(2).map(|pair| {
            let count: f64 = pair.iter().map(|s| s.count).sum();
            let mean = |of: fn(&TrendStretch) -> f64| {
                pair.iter().map(|s| of(s) * s.count).sum::<f64>() / count
            };
            TrendStretch {
                seconds: mean(|s| s.seconds),
                value: mean(|s| s.value),
                count,
            }
        });
        self.stretches = merged.collect();
        self.size *= 2.0;
    }

    /// When the quantity will be `limit` away from `centre`, where single values scatter by
    /// `spread`; none without a drift towards it.
    pub(crate) fn forecast(&self, centre: f64, spread: f64, limit: f64) -> Option<Forecast> {
        let (first, last) = (self.stretches.first()?, self.stretches.last()?);
        let past_s = last.seconds - first.seconds;
        if past_s <= 0.0 || limit == 0.0 {
            return None;
        }
        let sign = limit.signum();
        let beginnings = self.beginnings(centre, spread, sign);
        if beginnings.is_empty() {
            return None;
        }
        // A limit already crossed lies in the past; nothing lies before the first beginning.
        let reach_by = |seconds: f64| -> f64 {
            let share = |b: &Beginning| {
                let ahead = seconds - b.seconds;
                if ahead <= 0.0 {
                    return 0.0;
                }
                normal_cdf((b.slope - limit.abs() / ahead) / b.slope_error) / b.upward
            };
            beginnings.iter().map(|b| b.weight * share(b)).sum()
        };
        let horizon = last.seconds + AHEAD_MAX * past_s;
        let quantile = |wanted: f64| -> Option<f64> {
            let (mut low, mut high) = (first.seconds, horizon);
            if reach_by(high) < wanted {
                return None;
            }
            for _ in 0..HALVINGS {
                let middle = f64::midpoint(low, high);
                if reach_by(middle) < wanted {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            Some(high)
        };
        let likeliest = beginnings
            .iter()
            .max_by(|a, b| a.weight.total_cmp(&b.weight))?;
        Some(Forecast {
            at: Time::from_seconds(quantile(0.5)?),
            from: Time::from_seconds(quantile(OUTSIDE)?),
            to: quantile(1.0 - OUTSIDE).map(Time::from_seconds),
            per_day: sign * likeliest.slope * 86_400.0,
            since: Time::from_seconds(likeliest.seconds),
        })
    }

    /// Every possible beginning with its weight; the weights add up to one. Where the past moves
    /// about the best of them more than single values scatter, as with the temperature of a day,
    /// nothing is known better than that.
    fn beginnings(&self, centre: f64, spread: f64, sign: f64) -> Vec<Beginning> {
        let fits = self
            .stretches
            .iter()
            .map(|start| self.fit(start, centre, sign));
        let fits: Vec<TrendFit> = fits.flatten().collect();
        let best = fits.iter().min_by(|a, b| a.left.total_cmp(&b.left));
        let wider = best.map_or(1.0, |best| self.unrest(best, centre, spread, sign));
        let variance = spread * spread * wider;
        let weigh = |fit: TrendFit| {
            let slope_error = (variance / fit.square).sqrt();
            let log_weight = -fit.left / (2.0 * variance) + slope_error.ln();
            let beginning = Beginning {
                seconds: fit.seconds,
                weight: 0.0,
                slope: fit.slope,
                slope_error,
                upward: normal_cdf(fit.slope / slope_error).max(1e-9),
            };
            (log_weight, beginning)
        };
        let found: Vec<(f64, Beginning)> = fits.into_iter().map(weigh).collect();
        let top = found
            .iter()
            .map(|(w, _)| *w)
            .fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = found.iter().map(|(w, _)| (w - top).exp()).sum();
        let share = |(log_weight, beginning): (f64, Beginning)| Beginning {
            weight: (log_weight - top).exp() / total,
            ..beginning
        };
        let weighed = found.into_iter().map(share);
        weighed.filter(|b| b.weight > WEIGHT_MIN).collect()
    }

    /// By how much the past moves about a drift more than single values scatter, as a multiple of
    /// their variance: by how far, and by for how long in one direction.
    fn unrest(&self, drift: &TrendFit, centre: f64, spread: f64, sign: f64) -> f64 {
        let left: Vec<f64> = self
            .stretches
            .iter()
            .map(|s| {
                let drifted = drift.slope * (s.seconds - drift.seconds).max(0.0);
                (sign * (s.value - centre) - drifted) * s.count.sqrt()
            })
            .collect();
        let squares: f64 = left.iter().map(|v| v * v).sum();
        let free = left.len().saturating_sub(PARAMETERS).max(1) as f64;
        let farther = (squares / (free * spread * spread)).max(1.0);
        let pairs = left.iter().zip(left.iter().skip(1));
        let kept = pairs.map(|(a, b)| a * b).sum::<f64>() / squares.max(1e-12);
        let kept = kept.clamp(0.0, KEPT_MAX);
        farther * (1.0 + kept) / (1.0 - kept)
    }

    /// The drift that fits best if it began at `start`; none if it goes the other way.
    fn fit(&self, start: &TrendStretch, centre: f64, sign: f64) -> Option<TrendFit> {
        let (mut xx, mut xy, mut flat) = (0.0, 0.0, 0.0);
        for s in &self.stretches {
            let y = sign * (s.value - centre);
            let x = (s.seconds - start.seconds).max(0.0);
            xx += s.count * x * x;
            xy += s.count * x * y;
            flat += s.count * y * y;
        }
        (xx > 0.0 && xy > 0.0).then(|| TrendFit {
            seconds: start.seconds,
            slope: xy / xx,
            square: xx,
            left: flat - xy * xy / xx,
        })
    }
}

/// The share of a standard normal distribution below `z` (Abramowitz and Stegun, 7.1.26; error
/// below 2e-7).
fn normal_cdf(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = [
        1.061_405_429,
        -1.453_152_027,
        1.421_413_741,
        -0.284_496_736,
        0.254_829_592,
    ];
    let polynomial = series.iter().fold(0.0, |sum, c| sum * t + c) * t;
    let upper = 0.5 * polynomial * (-x * x).exp();
    if z >= 0.0 { 1.0 - upper } else { upper }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Random(u64);

    impl Random {
        fn uniform(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as f64 / (1_u64 << 53) as f64
        }

        fn normal(&mut self) -> f64 {
            (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
        }
    }

    /// A thousand machines whose energy begins to climb at a moment and a pace of their own, while
    /// the day moves it by up to `ambient` to either side; a day has so many cycles. Tells how many
    /// of the ranges told when the chart notices it hold the true moment, in a thousand.
    fn held_in_a_thousand(ambient: f64, day_cycles: f64) -> u32 {
        let (mut held, mut told) = (0, 0);
        for seed in 1..=1_000_u64 {
            let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            for _ in 0..20 {
                random.uniform();
            }
            let spread = 0.005 + 0.02 * random.uniform();
            let (wave, phase) = (ambient * random.uniform(), random.uniform());
            let day = |at: f64| wave * ((at / day_cycles + phase) * std::f64::consts::TAU).sin();
            let onset = 100.0 + 400.0 * random.uniform();
            let slope = 0.15 / (300.0 + 1_500.0 * random.uniform());
            let limit = 1.15_f64.ln();
            let learned: Vec<f64> = (0..50)
                .map(|_| day(0.0) + spread * random.normal())
                .collect();
            let mut chart = crate::chart::Chart::calibrated(&learned, 0.001, 1e-5).unwrap();
            let mut trend = Trend::default();
            let minute = |cycle: f64| Time::from_seconds(60.0 * cycle);
            for cycle in 0..5_000 {
                let at = f64::from(cycle);
                let value = slope * (at - onset).max(0.0) + spread * random.normal() + day(at);
                trend.take(minute(at), value);
                if chart.take(value).is_none() {
                    continue;
                }
                let forecast = trend.forecast(chart.centre(), chart.spread(), limit);
                // What the chart noticed before there was a drift is the day.
                if let Some(forecast) = forecast.filter(|_| at >= onset) {
                    let truth = minute(onset + limit / slope);
                    let is_before = forecast.to.is_none_or(|to| truth <= to);
                    told += 1;
                    held += u32::from(forecast.from <= truth && is_before);
                }
                break;
            }
        }
        assert!(told > 600, "{told} were noticed");
        held * 1_000 / told
    }

    #[test]
    fn nine_of_ten_forecasts_hold_the_true_moment() {
        let held = held_in_a_thousand(0.0, 144.0);
        assert!((850..=950).contains(&held), "{held} of 1,000");
    }

    /// Drifts of days to weeks in a hall that is warm by day and cold by night.
    #[test]
    fn a_day_that_moves_energy_too_leaves_forecasts_as_right() {
        for (ambient, day_cycles) in [(0.01, 144.0), (0.02, 144.0), (0.01, 30.0), (0.02, 30.0)] {
            let held = held_in_a_thousand(ambient, day_cycles);
            assert!(
                (850..=950).contains(&held),
                "{held} of 1,000 where the day moves it by {ambient} in {day_cycles} cycles"
            );
        }
    }

    #[test]
    fn a_level_quantity_has_no_moment_to_tell() {
        let mut trend = Trend::default();
        assert!(trend.forecast(0.0, 0.01, 0.14).is_none());
        for i in 0..500 {
            trend.take(
                Time::from_seconds(f64::from(i)),
                0.001 * f64::from(i % 3 - 1),
            );
        }
        let told = trend.forecast(0.0, 0.01, 0.14);
        assert!(told.is_none_or(|f| f.to.is_none()), "{told:?}");
    }

    #[test]
    fn the_past_stays_bounded() {
        let mut trend = Trend::default();
        for i in 0..100_000 {
            trend.take(Time::from_seconds(f64::from(i)), 0.0);
        }
        assert!(trend.stretches.len() <= STRETCHES);
        let counted: f64 = trend.stretches.iter().map(|s| s.count).sum();
        assert!((counted - 100_000.0).abs() < 0.5);
    }
}
