//! Names of points from names of other makers: plain letters, with the ending of the unit.

use super::Said;
use crate::payload::Scalar;

/// Longest name of a point.
const NAME_MAX: usize = 32;
/// A mains voltage is below; a battery's is told in millivolts and is above.
const MAINS_VOLTS_MAX: f64 = 1_000.0;

pub(super) fn on_off(text: &str) -> Option<bool> {
    match text {
        "ON" | "on" => Some(true),
        "OFF" | "off" => Some(false),
        _ => None,
    }
}

pub(super) fn put(said: &mut Said, name: &str, number: f64) {
    if let Some(point) = point(name, number) {
        said.values.push((point, Scalar::Number(number)));
    }
}

/// For makers whose energy is counted in watt-hours by some firmware and in kilowatt-hours by
/// other: its name says no unit.
pub(super) fn put_unless_energy(said: &mut Said, name: &str, number: f64) {
    let name = plain(name);
    if name.split('_').any(|word| word == "energy") {
        said.values.push((name, Scalar::Number(number)));
    } else {
        put(said, &name, number);
    }
}

pub(super) fn put_bool(said: &mut Said, point: &str, is_so: bool) {
    said.values.push((plain(point), Scalar::Bool(is_so)));
}

/// Small letters, digits and underscores.
pub(super) fn plain(name: &str) -> String {
    let fine = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = name.chars().map(fine).take(NAME_MAX).collect();
    name.trim_matches('_').to_ascii_lowercase()
}

/// Quantities whose unit all these makers agree on, and the ending that says it; of two that fit,
/// the first.
const QUANTITIES: [(&str, &str); 17] = [
    ("apparent_power", "_va"),
    ("power_apparent", "_va"),
    ("reactive_power", "_var"),
    ("power_reactive", "_var"),
    ("reactive_energy", "_kvarh"),
    ("energy_reactive", "_kvarh"),
    ("power_factor", "_share"),
    ("power_on", ""),
    ("temperature", "_c"),
    ("humidity", "_percent"),
    ("ac_frequency", "_hz"),
    ("power", "_w"),
    ("voltage", "_v"),
    ("leakage_current", "_ma"),
    ("current", "_a"),
    ("consumed_energy", "_wh"),
    ("energy", "_kwh"),
];

/// Words that make a number a setting, or a time or a count of something: not the quantity itself.
const OTHER_WORDS: [&str; 22] = [
    "setpoint",
    "threshold",
    "timeout",
    "time",
    "duration",
    "interval",
    "delay",
    "calibration",
    "recalibrated",
    "cal",
    "correction",
    "count",
    "position",
    "brightness",
    "range",
    "limit",
    "raw",
    "f",
    "sampling",
    "rating",
    "pressure",
    "value",
];

/// Endings that say a unit already, or would be read as one.
const UNIT_WORDS: [&str; 11] = [
    "w", "kw", "v", "a", "ma", "wh", "kwh", "c", "bar", "s", "mm",
];

/// The point of a measurement: its name with the ending of its unit. A battery's millivolts are no
/// measurement of a machine.
pub(super) fn point(name: &str, number: f64) -> Option<String> {
    let name = plain(name);
    if name.is_empty() {
        return None;
    }
    let words: Vec<&str> = name.split('_').collect();
    let last = words.last().copied().unwrap_or_default();
    let is_other = words.iter().any(|word| OTHER_WORDS.contains(word));
    let has_unit = words.len() > 1 && matches!(last, "wh" | "kwh" | "ma" | "kw");
    let of = format!("_{name}_");
    let found = QUANTITIES
        .iter()
        .find(|(quantity, _)| !is_other && !has_unit && of.contains(&format!("_{quantity}_")));
    match found {
        Some(("voltage", _)) if number.abs() >= MAINS_VOLTS_MAX => None,
        Some((_, ending)) => Some(format!("{name}{ending}")),
        // A phase or a channel is not to be taken for a unit.
        None if words.len() > 1 && !has_unit && UNIT_WORDS.contains(&last) => {
            Some(format!("{name}_value"))
        }
        None => Some(name),
    }
}
