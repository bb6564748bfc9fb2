//! What the properties of an object mean. Source: APPENDIX, Detailed Requirements for ECHONET
//! Device Objects: 0x0287 distribution board, 0x0288 low-voltage smart meter, 0x0280 watt-hour
//! meter, 0x0011 temperature, 0x0012 humidity, 0x05FD switch for JEM-A/HA terminals, 0x0130 air
//! conditioner, and the superclass of all devices.

use std::collections::BTreeMap;

use wire::echonet::{Frame, Object};
use wire::payload::Scalar;

use crate::normalise::Value;

/// Classes that are offered, by their codes.
pub(super) const CLASSES: &[&str] = &["0287", "0288", "0280", "0011", "0012", "05fd", "0130"];
/// Channels of a distribution board that have properties of their own.
pub(super) const CHANNELS_MAX: u8 = 32;

/// Operation status: on or off.
pub(super) const STATUS: u8 = 0x80;
/// The value of the operation status that is on, and the one that is off.
const ON: u8 = 0x30;
pub(super) const OFF: u8 = 0x31;
const FAULT: u8 = 0x88;
/// Power and energy that a device says it takes itself.
const OWN_POWER: u8 = 0x84;
const OWN_ENERGY: u8 = 0x85;
const ROOM_TEMPERATURE: u8 = 0xbb;
/// What a smart meter's energy is multiplied by.
const COEFFICIENT: u8 = 0xd3;
const CHANNEL_1: u8 = 0xd0;
const CHANNEL_POWERS: u8 = 0xb7;

/// What of an object is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A distribution board as a whole.
    Board,
    /// One channel of it, counted from 1.
    Channel(u8),
    /// 0288: low-voltage smart electric energy meter.
    SmartMeter,
    /// 0280: watt-hour meter.
    WattHourMeter,
    /// A thermometer.
    Temperature,
    /// A hygrometer.
    Humidity,
    /// A switch in front of the JEM-A/HA terminals of any machine.
    Switch,
    /// 0130: home air conditioner.
    AirConditioner,
}

/// What numbers of energy are multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct UnitFactor {
    kwh: f64,
    coefficient: f64,
}

impl Part {
    /// The part of a class; a channel of 0 is the whole.
    pub(super) fn of(class: &str, channel: u8) -> Option<Self> {
        match (class, channel) {
            ("0287", 0) => Some(Self::Board),
            ("0287", 1..=CHANNELS_MAX) => Some(Self::Channel(channel)),
            ("0288", 0) => Some(Self::SmartMeter),
            ("0280", 0) => Some(Self::WattHourMeter),
            ("0011", 0) => Some(Self::Temperature),
            ("0012", 0) => Some(Self::Humidity),
            ("05fd", 0) => Some(Self::Switch),
            ("0130", 0) => Some(Self::AirConditioner),
            _ => None,
        }
    }

    pub(super) fn object(self, instance: u8) -> Object {
        let [group, class] = match self {
            Self::Board | Self::Channel(_) => [0x02, 0x87],
            Self::SmartMeter => [0x02, 0x88],
            Self::WattHourMeter => [0x02, 0x80],
            Self::Temperature => [0x00, 0x11],
            Self::Humidity => [0x00, 0x12],
            Self::Switch => [0x05, 0xfd],
            Self::AirConditioner => [0x01, 0x30],
        };
        Object([group, class, instance])
    }

    /// Whether its operation status is that of a machine: what only measures is not switched off.
    pub(super) fn is_switch(self) -> bool {
        matches!(self, Self::Switch | Self::AirConditioner)
    }

    /// Properties that say in which unit others are: asked for once.
    pub(super) fn scale_codes(self) -> impl Iterator<Item = u8> {
        let coefficient = (self == Self::SmartMeter).then_some(COEFFICIENT);
        coefficient.into_iter().chain(self.unit_code())
    }

    /// Properties that are read in every round.
    pub(super) fn value_codes(self) -> Vec<u8> {
        let own: &[u8] = match self {
            Self::Board => &[0xc6, 0xc7, 0xc8, 0xc0, 0xc1],
            Self::Channel(n) => return vec![CHANNEL_1 + n - 1, CHANNEL_POWERS, STATUS, FAULT],
            Self::SmartMeter => &[0xe7, 0xe8, 0xe0, 0xe3],
            Self::WattHourMeter | Self::Temperature | Self::Humidity => &[0xe0],
            // What the switch itself takes says nothing of the machine behind it.
            Self::Switch => &[],
            Self::AirConditioner => &[OWN_POWER, OWN_ENERGY, ROOM_TEMPERATURE],
        };
        [own, &[STATUS, FAULT]].concat()
    }

    /// The unit of an object that has none to say: a sensor, or a meter that ought to have one and
    /// whose energy cannot be told.
    pub(super) fn own_scale(self) -> Option<UnitFactor> {
        self.unit_code().is_none().then_some(UnitFactor {
            kwh: 1.0,
            coefficient: 1.0,
        })
    }

    /// The property that says in which unit energy is counted.
    pub(super) fn unit_code(self) -> Option<u8> {
        match self {
            Self::Board | Self::Channel(_) => Some(0xc2),
            Self::SmartMeter => Some(0xe1),
            Self::WattHourMeter => Some(0xe2),
            Self::Temperature | Self::Humidity | Self::Switch | Self::AirConditioner => None,
        }
    }

    /// The unit of energy as the object says it; `None` if it says something that is not known.
    pub(super) fn scale(self, said: &BTreeMap<u8, Vec<u8>>) -> Option<UnitFactor> {
        let Some(unit) = self.unit_code() else {
            return self.own_scale();
        };
        let kwh = unit_kwh(said.get(&unit)?)?;
        // A meter that has no coefficient has 1; one that does not say it now is asked again.
        let coefficient = match said.get(&COEFFICIENT) {
            Some(told) => f64::from(u32::from_be_bytes(told.as_slice().try_into().ok()?)),
            None => 1.0,
        };
        Some(UnitFactor { kwh, coefficient })
    }

    /// What a frame says of this part. What is "no data" in the appendix is left out.
    pub(super) fn values(self, said: &Frame<'_>, scale: Option<UnitFactor>) -> Vec<Value> {
        let mut values = Vec::new();
        for property in &said.properties {
            self.property(property.code, property.data, scale, &mut values);
        }
        values
    }

    fn property(self, code: u8, data: &[u8], scale: Option<UnitFactor>, values: &mut Vec<Value>) {
        let mut put = |point: &str, number: Option<f64>| {
            let value = number.map(|number| Value {
                point: point.to_owned(),
                value: Scalar::Number(number),
            });
            values.extend(value);
        };
        let energy = |data| energy(data, scale?);
        match (self, code) {
            (_, STATUS) => flag("operating", is_on(data), values),
            (_, FAULT) => flag("fault", either(data, 0x41, 0x42), values),
            (Self::Board, 0xc6) | (Self::SmartMeter, 0xe7) => put("power_w", whole_i32(data)),
            (Self::Board, 0xc7) | (Self::SmartMeter, 0xe8) => {
                put("current_r_a", tenths(data, 0));
                put("current_t_a", tenths(data, 1));
            }
            (Self::Board, 0xc8) => {
                put("voltage_r_v", tenths_unsigned(data, 0));
                put("voltage_t_v", tenths_unsigned(data, 1));
            }
            (Self::Board, 0xc0) | (Self::SmartMeter | Self::WattHourMeter, 0xe0) => {
                put("energy_kwh", energy(data));
            }
            (Self::Board, 0xc1) | (Self::SmartMeter, 0xe3) => {
                put("energy_reverse_kwh", energy(data));
            }
            (Self::Channel(n), code) if code == CHANNEL_1 + n - 1 => {
                put("energy_kwh", energy(data.get(..4).unwrap_or_default()));
                put("current_r_a", tenths(data, 2));
                put("current_t_a", tenths(data, 3));
            }
            (Self::Channel(n), CHANNEL_POWERS) => put("power_w", listed_i32(data, n)),
            (Self::Temperature, 0xe0) => put("temperature_c", tenths(data, 0)),
            (Self::Humidity, 0xe0) => put("humidity_percent", percent(data)),
            (Self::AirConditioner, OWN_POWER) => put("power_w", own_power(data)),
            (Self::AirConditioner, OWN_ENERGY) => put("energy_kwh", own_energy(data)),
            (Self::AirConditioner, ROOM_TEMPERATURE) => put("temperature_c", degrees(data)),
            _ => {}
        }
    }

    /// The point that a property carries first: what is named when an object does not have it.
    pub(super) fn point(self, code: u8) -> Option<&'static str> {
        Some(match (self, code) {
            (Self::Board, 0xc6) | (Self::SmartMeter, 0xe7) | (Self::Channel(_), CHANNEL_POWERS) => {
                "power_w"
            }
            (Self::Board, 0xc0) | (Self::SmartMeter | Self::WattHourMeter, 0xe0) => "energy_kwh",
            (Self::Board, 0xc7) | (Self::SmartMeter, 0xe8) => "current_r_a",
            (Self::Channel(n), code) if code == CHANNEL_1 + n - 1 => "energy_kwh",
            (Self::Temperature, 0xe0) => "temperature_c",
            (Self::Humidity, 0xe0) => "humidity_percent",
            // Its power and energy few devices measure: that they are not there is nothing to tell.
            (Self::Switch | Self::AirConditioner, STATUS) => "operating",
            _ => return None,
        })
    }
}

fn flag(point: &str, is_so: Option<bool>, values: &mut Vec<Value>) {
    values.extend(is_so.map(|is_so| Value {
        point: point.to_owned(),
        value: Scalar::Bool(is_so),
    }));
}

/// A property that says one of two things.
fn either(data: &[u8], yes: u8, no: u8) -> Option<bool> {
    match data {
        [said] if *said == yes => Some(true),
        [said] if *said == no => Some(false),
        _ => None,
    }
}

/// Whether an operation status says on; `None` if it says neither on nor off.
pub(super) fn is_on(data: &[u8]) -> Option<bool> {
    either(data, ON, OFF)
}

/// The unit of cumulative energy.
fn unit_kwh(data: &[u8]) -> Option<f64> {
    match data {
        [n @ 0x00..=0x04] => Some(10_f64.powi(-i32::from(*n))),
        [n @ 0x0a..=0x0d] => Some(10_f64.powi(i32::from(*n) - 9)),
        _ => None,
    }
}

/// Cumulative energy; `FFFFFFFE` is none. The unit is a power of ten: dividing keeps 1234.5 what it
/// is.
fn energy(data: &[u8], scale: UnitFactor) -> Option<f64> {
    let counted = u32::from_be_bytes(data.try_into().ok()?);
    let counted = f64::from(counted) * scale.coefficient;
    let kwh = if scale.kwh < 1.0 {
        counted / scale.kwh.recip().round()
    } else {
        counted * scale.kwh
    };
    (data < [0xff, 0xff, 0xff, 0xfe].as_slice()).then_some(kwh)
}

/// A signed number of four bytes; the ends of the range are overflow, underflow and none.
fn whole_i32(data: &[u8]) -> Option<f64> {
    let number = i32::from_be_bytes(data.try_into().ok()?);
    (number != i32::MIN && number < 0x7fff_fffe).then(|| f64::from(number))
}

/// The word at this place, counted in words.
fn word(data: &[u8], place: usize) -> Option<[u8; 2]> {
    let words = data.as_chunks::<2>().0;
    words.get(place).copied()
}

/// A signed number of tenths; the ends of the range are overflow, underflow and none.
fn tenths(data: &[u8], place: usize) -> Option<f64> {
    let number = i16::from_be_bytes(word(data, place)?);
    (number != i16::MIN && number < 0x7ffe).then(|| f64::from(number) / 10.0)
}

/// An unsigned number of tenths; the end of the range is none.
fn tenths_unsigned(data: &[u8], place: usize) -> Option<f64> {
    let number = u16::from_be_bytes(word(data, place)?);
    (number < 0xfffe).then(|| f64::from(number) / 10.0)
}

fn percent(data: &[u8]) -> Option<f64> {
    match data {
        [n @ 0..=100] => Some(f64::from(*n)),
        _ => None,
    }
}

/// Whole watts; the end of the range is overflow and none.
fn own_power(data: &[u8]) -> Option<f64> {
    let watts = u16::from_be_bytes(data.try_into().ok()?);
    (watts <= 0xfffd).then(|| f64::from(watts))
}

/// Thousandths of a kilowatt-hour, nine digits of them.
fn own_energy(data: &[u8]) -> Option<f64> {
    let counted = u32::from_be_bytes(data.try_into().ok()?);
    (counted <= 999_999_999).then(|| f64::from(counted) / 1_000.0)
}

/// Whole degrees of a room; the ends of the range are overflow, underflow and none.
fn degrees(data: &[u8]) -> Option<f64> {
    let degrees = i8::from_be_bytes(data.try_into().ok()?);
    (-127..=125).contains(&degrees).then(|| f64::from(degrees))
}

/// A channel's number in a list: the first channel, how many, then four bytes each.
fn listed_i32(data: &[u8], channel: u8) -> Option<f64> {
    let [first, _, numbers @ ..] = data else {
        return None;
    };
    let place = usize::from(channel.checked_sub(*first)?);
    whole_i32(numbers.as_chunks::<4>().0.get(place)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: UnitFactor = UnitFactor {
        kwh: 0.01,
        coefficient: 1.0,
    };

    fn values(part: Part, code: u8, data: &[u8]) -> Vec<(String, f64)> {
        let mut values = Vec::new();
        part.property(code, data, Some(SCALE), &mut values);
        crate::drivers::numbers(&values)
    }

    fn one(part: Part, code: u8, data: &[u8]) -> Option<f64> {
        values(part, code, data).first().map(|(_, n)| *n)
    }

    #[test]
    fn numbers_are_scaled_as_the_appendix_says() {
        let meter = Part::SmartMeter;
        assert_eq!(one(meter, 0xe0, &[0, 0, 0x30, 0x39]), Some(123.45));
        assert_eq!(one(meter, 0xe7, &[0xff, 0xff, 0xff, 0x9c]), Some(-100.0));
        let currents = values(meter, 0xe8, &[0, 0x7b, 0x7f, 0xfe]);
        assert_eq!(currents, [("current_r_a".to_owned(), 12.3)]);
        assert_eq!(one(Part::Temperature, 0xe0, &[0xff, 0xf6]), Some(-1.0));
        assert_eq!(one(Part::Humidity, 0xe0, &[55]), Some(55.0));
        let channel = values(Part::Channel(2), 0xd1, &[0, 0, 0, 100, 0, 12, 0, 3]);
        let named: Vec<_> = channel.iter().map(|(p, n)| (p.as_str(), *n)).collect();
        assert_eq!(
            named,
            [
                ("energy_kwh", 1.0),
                ("current_r_a", 1.2),
                ("current_t_a", 0.3)
            ]
        );
        let list = [1, 2, 0, 0, 0, 5, 0, 0, 0, 9];
        assert_eq!(one(Part::Channel(2), CHANNEL_POWERS, &list), Some(9.0));
        assert_eq!(one(Part::Channel(3), CHANNEL_POWERS, &list), None);
        assert_eq!(
            values(meter, STATUS, &[0x30]),
            [("operating".to_owned(), 1.0)]
        );
        let cooler = Part::AirConditioner;
        assert_eq!(one(cooler, OWN_POWER, &[0x01, 0x9a]), Some(410.0));
        assert_eq!(one(cooler, OWN_ENERGY, &[0, 0, 0x30, 0x39]), Some(12.345));
        assert_eq!(one(cooler, ROOM_TEMPERATURE, &[0xfb]), Some(-5.0));
        assert_eq!(one(Part::Switch, ROOM_TEMPERATURE, &[20]), None);
        assert_eq!([is_on(&[0x30]), is_on(&[0x31])], [Some(true), Some(false)]);
    }

    #[test]
    fn what_is_no_data_is_left_out() {
        let meter = Part::SmartMeter;
        assert_eq!(one(meter, 0xe0, &[0xff, 0xff, 0xff, 0xfe]), None);
        assert_eq!(one(meter, 0xe7, &[0x7f, 0xff, 0xff, 0xfe]), None);
        assert_eq!(one(meter, 0xe7, &[0x80, 0, 0, 0]), None);
        assert_eq!(one(meter, 0xe7, &[1, 2]), None);
        assert_eq!(one(Part::Humidity, 0xe0, &[101]), None);
        assert_eq!(one(Part::Temperature, 0xe0, &[0x7f, 0xff]), None);
        assert_eq!(one(Part::AirConditioner, OWN_POWER, &[0xff, 0xff]), None);
        assert_eq!(one(Part::AirConditioner, OWN_ENERGY, &[0xff; 4]), None);
        for none in [0x7e, 0x7f, 0x80] {
            assert_eq!(one(Part::AirConditioner, ROOM_TEMPERATURE, &[none]), None);
        }
        assert_eq!([is_on(&[0x32]), is_on(&[])], [None; 2]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            codes in proptest::collection::vec(0x80_u8..=0xff, 0..8),
            data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..140),
            channel in 1_u8..=CHANNELS_MAX,
        ) {
            let bytes: Vec<u8> = [0x10, 0x81, 0, 1, 2, 0x87, 1, 5, 0xff, 1, 0x72, codes.len() as u8]
                .into_iter()
                .chain(codes.iter().flat_map(|code| {
                    [vec![*code, data.len() as u8], data.clone()].concat()
                }))
                .collect();
            let frame = Frame::parse(&bytes).unwrap();
            let parts = CLASSES.iter().filter_map(|class| Part::of(class, 0));
            for part in parts.chain([Part::Channel(channel)]) {
                let told = frame.properties.iter().map(|p| (p.code, p.data.to_vec()));
                let values = part.values(&frame, part.scale(&told.collect()));
                let numbers = crate::drivers::numbers(&values);
                proptest::prop_assert!(numbers.iter().all(|(_, n)| n.is_finite()));
            }
        }
    }

    #[test]
    fn units_are_those_of_the_appendix_and_no_others() {
        let units = [0x00, 0x03, 0x0a, 0x0d].map(|n| unit_kwh(&[n]).unwrap());
        assert_eq!(units, [1.0, 0.001, 10.0, 10_000.0]);
        assert_eq!(
            [unit_kwh(&[5]), unit_kwh(&[0x0e]), unit_kwh(&[])],
            [None; 3]
        );
    }

    #[test]
    fn every_class_that_is_offered_is_understood() {
        for class in CLASSES {
            let part = Part::of(class, 0).unwrap();
            assert_eq!(format!("{:04x}", part.object(1).class()), *class);
            assert!(
                part.value_codes()
                    .iter()
                    .any(|code| part.point(*code).is_some())
            );
        }
        assert_eq!(Part::of("0288", 1), None);
        assert_eq!(Part::of("0287", 33), None);
    }
}
