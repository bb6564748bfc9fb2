//! The same rows for every engine, made from their numbers alone: 100 machines at 1 Hz with power
//! and current, three significant digits, eight hours of standby, four of work in cycles, 0.2 % of
//! the samples lost; and thirty days of one-minute power.

/// 2026-10-01 00:00 UTC.
pub(crate) const START_MS: i64 = 1_790_812_800_000;
/// So many machines work in it, each with its series.
pub(crate) const MACHINES: u32 = 100;
/// Seconds of the main set: twelve hours.
pub(crate) const SECONDS: i64 = 12 * 3_600;
/// Minutes of the long set: thirty days.
pub(crate) const MINUTES: i64 = 30 * 24 * 60;
/// Standby lasts this long.
const STANDBY_S: i64 = 8 * 3_600;

/// One row of the main set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) machine: u32,
    pub(crate) t_ms: i64,
    pub(crate) power_w: f64,
    pub(crate) current_a: f64,
}

/// A number that looks drawn by chance and is always the same.
fn chance(a: u64, b: u64) -> f64 {
    let mut n = a.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b.wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    n = (n ^ (n >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^= n >> 29;
    (n >> 11) as f64 / (1_u64 << 53) as f64
}

/// A number near nought, as noise is.
fn noise(a: u64, b: u64) -> f64 {
    let sum: f64 = (0..4).map(|i| chance(a, b.wrapping_add(i << 40))).sum();
    (sum - 2.0) * 1.7
}

fn rounded(value: f64, places: i32) -> f64 {
    let factor = 10_f64.powi(places);
    (value * factor).round() / factor
}

/// Power of a machine at a second.
fn power(machine: u32, second: i64) -> f64 {
    let m = u64::from(machine);
    let rated = 400.0 + 3_000.0 * chance(m, 1);
    let share = if second < STANDBY_S {
        0.08
    } else {
        let period = 20 + (chance(m, 2) * 60.0) as i64;
        match (second + i64::from(machine)) % period * 10 / period {
            0..2 => 0.55,
            2..7 => 1.0,
            7..9 => 0.7,
            _ => 0.25,
        }
    };
    let spread = 0.005 + 0.02 * chance(m, 3);
    rated * share * (1.0 + spread * noise(m, second as u64))
}

/// Three significant digits.
fn three_digits(value: f64) -> f64 {
    let places = 2 - value.abs().max(1e-9).log10().floor() as i32;
    rounded(value, places.clamp(0, 3))
}

/// The rows of one second, machine by machine.
pub(crate) fn second(second: i64) -> impl Iterator<Item = Row> {
    let all = (0..MACHINES).filter(move |m| chance(u64::from(*m) + 7_919, second as u64) >= 0.002);
    all.map(move |machine| {
        let power_w = three_digits(power(machine, second));
        let current_a = power(machine, second + 1_000_000_000) / 200.0;
        Row {
            machine,
            t_ms: START_MS + second * 1_000,
            power_w,
            current_a: three_digits(current_a),
        }
    })
}

/// The mean power of a machine in a minute, to a tenth of a watt.
pub(crate) fn minute(machine: u32, minute: i64) -> f64 {
    let day = minute % 1_440;
    let at = if (480..1_080).contains(&day) {
        STANDBY_S + minute
    } else {
        minute % STANDBY_S
    };
    rounded(power(machine, at), 1)
}

/// The middle and the 99th of a hundred, and the largest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of some durations in milliseconds.
    pub(crate) fn of(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = ((all.len() as f64 - 1.0) * share).round() as usize;
            all.get(index).copied().unwrap_or(f64::NAN)
        };
        Self {
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
        }
    }
}
