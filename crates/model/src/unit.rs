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

/// What stands beside a value, unit, factor. Capitals tell `mW` and `MW` apart; where only one is
/// known by these letters, they do not matter.
const SYMBOLS: [(&str, Unit, f64); 41] = [
    ("W", Unit::Watt, 1.0),
    ("watt", Unit::Watt, 1.0),
    ("watts", Unit::Watt, 1.0),
    ("kilowatt", Unit::Watt, 1e3),
    ("kilowatts", Unit::Watt, 1e3),
    ("kW", Unit::Watt, 1e3),
    ("MW", Unit::Watt, 1e6),
    ("mW", Unit::Watt, 1e-3),
    ("Wh", Unit::WattHour, 1.0),
    ("kWh", Unit::WattHour, 1e3),
    ("MWh", Unit::WattHour, 1e6),
    ("A", Unit::Ampere, 1.0),
    ("ampere", Unit::Ampere, 1.0),
    ("amperes", Unit::Ampere, 1.0),
    ("amps", Unit::Ampere, 1.0),
    ("mA", Unit::Ampere, 1e-3),
    ("kA", Unit::Ampere, 1e3),
    ("V", Unit::Volt, 1.0),
    ("volt", Unit::Volt, 1.0),
    ("volts", Unit::Volt, 1.0),
    ("mV", Unit::Volt, 1e-3),
    ("kV", Unit::Volt, 1e3),
    ("°C", Unit::Celsius, 1.0),
    ("℃", Unit::Celsius, 1.0),
    ("C", Unit::Celsius, 1.0),
    ("degC", Unit::Celsius, 1.0),
    ("mm/s", Unit::MillimetrePerSecond, 1.0),
    ("m/s²", Unit::MetrePerSecondSquared, 1.0),
    ("m/s2", Unit::MetrePerSecondSquared, 1.0),
    ("m/s^2", Unit::MetrePerSecondSquared, 1.0),
    ("bar", Unit::Bar, 1.0),
    ("mbar", Unit::Bar, 1e-3),
    ("kPa", Unit::Bar, 1e-2),
    ("MPa", Unit::Bar, 10.0),
    ("s", Unit::Second, 1.0),
    ("sec", Unit::Second, 1.0),
    ("second", Unit::Second, 1.0),
    ("seconds", Unit::Second, 1.0),
    ("ms", Unit::Second, 1e-3),
    ("min", Unit::Second, 60.0),
    ("h", Unit::Second, 3_600.0),
];

impl UnitScale {
    /// Reads a unit that stands beside a value; `None` if it is not known.
    pub fn of_symbol(symbol: &str) -> Option<Self> {
        let symbol = symbol.trim();
        let exact = SYMBOLS.iter().find(|(known, ..)| *known == symbol);
        let alike = || {
            let is_alike = |known: &str| known.eq_ignore_ascii_case(symbol);
            let mut alike = SYMBOLS.iter().filter(|(known, ..)| is_alike(known));
            let only = alike.next();
            only.filter(|_| alike.next().is_none())
        };
        let (_, unit, factor) = *exact.or_else(alike)?;
        Some(Self { unit, factor })
    }

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
        let beside = |symbol| UnitScale::of_symbol(symbol).map(|scale| (scale.unit, scale.factor));
        assert_eq!(beside("kW"), Some((Unit::Watt, 1e3)));
        assert_eq!(beside(" kw "), Some((Unit::Watt, 1e3)));
        assert_eq!(beside("mW"), Some((Unit::Watt, 1e-3)));
        assert_eq!(beside("℃"), Some((Unit::Celsius, 1.0)));
        assert_eq!(beside("mw"), None, "thousandths or millions");
        assert_eq!(beside("Watts"), Some((Unit::Watt, 1.0)));
        assert_eq!(beside("VA"), None);
        assert_eq!(
            of("cycle"),
            UnitScale {
                unit: Unit::None,
                factor: 1.0
            }
        );
    }
}
