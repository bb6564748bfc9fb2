//! Units, told by the suffix of a point's name (`power_kw`, `spindle_a`), as the MQTT convention
//! and the `analyze` files fix them.

use serde::{Deserialize, Serialize};

/// The unit a value is kept in. Larger and smaller spellings are scaled to it on arrival.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A bare number: a count, a ratio, a switch.
    #[default]
    None,
    /// Electric power.
    Watt,
    /// Electric current.
    Ampere,
    /// Voltage.
    Volt,
    /// Energy.
    WattHour,
    /// Temperature.
    Celsius,
    /// Vibration velocity.
    MillimetrePerSecond,
    /// Vibration acceleration.
    MetrePerSecondSquared,
    /// Pressure.
    Bar,
    /// A length of time.
    Second,
}

/// How a point's numbers become values: multiply by `factor`, read as `unit`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitScale {
    /// The unit of the scaled value.
    pub unit: Unit,
    /// What an incoming number is multiplied by.
    pub factor: f64,
}

/// Suffix, unit, factor. Longer suffixes first, so that `_mm_s` is not read as `_s`.
const SUFFIXES: [(&str, Unit, f64); 12] = [
    ("_m_s2", Unit::MetrePerSecondSquared, 1.0),
    ("_mm_s", Unit::MillimetrePerSecond, 1.0),
    ("_kwh", Unit::WattHour, 1000.0),
    ("_bar", Unit::Bar, 1.0),
    ("_wh", Unit::WattHour, 1.0),
    ("_kw", Unit::Watt, 1000.0),
    ("_ma", Unit::Ampere, 0.001),
    ("_w", Unit::Watt, 1.0),
    ("_a", Unit::Ampere, 1.0),
    ("_v", Unit::Volt, 1.0),
    ("_c", Unit::Celsius, 1.0),
    ("_s", Unit::Second, 1.0),
];

impl UnitScale {
    /// Reads the unit off a point's name; a name without a known suffix is a bare number, except
    /// plain `power`, which counts as watts.
    pub fn of_point(name: &str) -> Self {
        if name == "power" {
            return Self {
                unit: Unit::Watt,
                factor: 1.0,
            };
        }
        SUFFIXES
            .iter()
            .find(|(suffix, ..)| name.ends_with(suffix))
            .map_or(
                Self {
                    unit: Unit::None,
                    factor: 1.0,
                },
                |&(_, unit, factor)| Self { unit, factor },
            )
    }
}

impl Unit {
    /// The symbol people know, for example `W`.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Watt => "W",
            Self::Ampere => "A",
            Self::Volt => "V",
            Self::WattHour => "Wh",
            Self::Celsius => "°C",
            Self::MillimetrePerSecond => "mm/s",
            Self::MetrePerSecondSquared => "m/s²",
            Self::Bar => "bar",
            Self::Second => "s",
        }
    }
}

/// Names of points that carry a machine's electric power, the usual one first.
pub const POWER_POINTS: [&str; 3] = ["power_w", "power_kw", "power"];

/// Names of points by which a device tells how it is itself, not its machine.
pub const STATUS_POINTS: [&str; 3] = ["battery_pct", "charging", "camera_ok"];

/// Names of points that carry how strongly a machine vibrates, the usual one first.
pub const VIBRATION_POINTS: [&str; 3] = ["vibration_mm_s", "vibration_m_s2", "vibration"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_gives_the_unit_and_the_longest_one_wins() {
        let of = |name| UnitScale::of_point(name);
        assert_eq!(
            of("power_kw"),
            UnitScale {
                unit: Unit::Watt,
                factor: 1000.0
            }
        );
        assert_eq!(of("vibration_mm_s").unit, Unit::MillimetrePerSecond);
        assert_eq!(of("vibration_m_s2").unit, Unit::MetrePerSecondSquared);
        assert_eq!(of("duration_s").unit, Unit::Second);
        assert_eq!(of("power").unit, Unit::Watt);
        assert_eq!(
            of("cycle"),
            UnitScale {
                unit: Unit::None,
                factor: 1.0
            }
        );
    }
}
