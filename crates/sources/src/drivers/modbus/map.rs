//! Which registers of a device mean what: maps of known meters as data with their sources, or what
//! a person entered from the manual of another.

use std::collections::BTreeSet;

use model::{Field, FieldKind, PointName, Wrong, WrongWhy};
use serde::Deserialize;
use wire::modbus::{ByteOrder, NumberEncoding, RegisterTable};

use crate::drivers::form::{Entered, number};

/// The map that a person enters.
pub(super) const OWN: &str = "own";
/// Maps that are offered: by their codes.
pub(super) const MAPS: &[&str] = &["eastron-sdm630", "eastron-sdm120", "schneider-iem3000", OWN];

/// Names that mean something to judging, and how others carry their unit.
const POINTS: &[&str] = &[
    "power_w",
    "power_kw",
    "cycle",
    "pulse",
    "red",
    "yellow",
    "green",
    "energy_kwh",
    "current_a",
    "temperature_c",
    "vibration_mm_s",
];
const TABLES: &[&str] = &["holding", "input-register", "coil", "input"];
const ENCODINGS: &[&str] = &[
    "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "bit", "bit1", "bit2", "bit3", "bit4",
    "bit5", "bit6", "bit7", "bit8", "bit9", "bit10", "bit11", "bit12", "bit13", "bit14", "bit15",
];
const ORDERS: &[&str] = &["abcd", "cdab", "badc", "dcba"];
/// Whether the numbers that makers write where there is none are values.
const NO_VALUES: &[&str] = &["usual", "none"];

/// A register as a person enters it.
pub(super) const REGISTER: &[Field] = &[
    Field {
        name: "point",
        kind: FieldKind::Text(POINTS),
        default: None,
    },
    Field {
        name: "table",
        kind: FieldKind::Choice(TABLES),
        default: Some("holding"),
    },
    Field {
        name: "register",
        kind: FieldKind::Number(0.0, 65_535.0),
        default: None,
    },
    Field {
        name: "encoding",
        kind: FieldKind::Choice(ENCODINGS),
        default: Some("u16"),
    },
    Field {
        name: "order",
        kind: FieldKind::Choice(ORDERS),
        default: Some("abcd"),
    },
    Field {
        name: "scale",
        kind: FieldKind::Number(-1e9, 1e9),
        default: Some("1"),
    },
    Field {
        name: "no_value",
        kind: FieldKind::Choice(NO_VALUES),
        default: Some("usual"),
    },
];

/// One point of a device and where it lies.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Register {
    pub(super) point: String,
    pub(super) table: RegisterTable,
    pub(super) address: u16,
    pub(super) encoding: NumberEncoding,
    pub(super) order: ByteOrder,
    pub(super) scale: f64,
    /// What makers write where there is no number is none.
    pub(super) has_none: bool,
}

impl Register {
    /// Bits or registers it takes.
    pub(super) fn width(&self) -> u16 {
        if self.table.is_bits() {
            1
        } else {
            self.encoding.registers()
        }
    }

    /// The first address after it.
    pub(super) fn end(&self) -> u32 {
        u32::from(self.address) + u32::from(self.width())
    }

    /// Whether it is a state, not a measurement.
    pub(super) fn is_state(&self) -> bool {
        self.table.is_bits() || matches!(self.encoding, NumberEncoding::Bit(_))
    }
}

/// A map of a device.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Map {
    pub(super) registers: Vec<Register>,
    /// Most registers of one read that the device takes.
    pub(super) registers_max: u16,
}

/// A map as its file holds it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMap {
    /// Where the addresses are from.
    source: String,
    table: String,
    encoding: String,
    order: String,
    registers_max: u16,
    register: Vec<WrittenRegister>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRegister {
    point: String,
    address: u16,
}

/// The file of a known map.
fn file(code: &str) -> Option<&'static str> {
    match code {
        "eastron-sdm120" => Some(include_str!("maps/eastron-sdm120.toml")),
        "eastron-sdm630" => Some(include_str!("maps/eastron-sdm630.toml")),
        "schneider-iem3000" => Some(include_str!("maps/schneider-iem3000.toml")),
        _ => None,
    }
}

impl Map {
    /// The map with this code; a test reads every file, so a missing one is no map.
    fn known(code: &str) -> Option<Self> {
        let written: WrittenMap = toml::from_str(file(code)?).ok()?;
        // A map without its source is none of ours.
        if written.source.is_empty() {
            return None;
        }
        let (table, encoding) = (table(&written.table)?, encoding(&written.encoding)?);
        let order = order(&written.order)?;
        let registers = written.register.into_iter().map(|register| Register {
            point: register.point,
            table,
            address: register.address,
            encoding,
            order,
            scale: 1.0,
            has_none: true,
        });
        Some(Self {
            registers: registers.collect(),
            registers_max: written.registers_max,
        })
    }

    /// What was entered: the code of a map, or a map of one's own.
    pub(super) fn of(entered: Entered<'_>) -> Result<Self, Wrong> {
        let code = entered.text("map");
        if code == OWN {
            return own(entered);
        }
        Self::known(&code).ok_or_else(|| Wrong::new("map", WrongWhy::Choice))
    }
}

fn own(entered: Entered<'_>) -> Result<Map, Wrong> {
    let rows = entered.rows("registers");
    if rows.is_empty() {
        return Err(Wrong::new("registers", WrongWhy::Missing));
    }
    let mut names = BTreeSet::new();
    let mut registers = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let wrong = |field: &str, why| Wrong {
            field: format!("registers.{field}"),
            row: Some(i + 1),
            why,
        };
        let row = Entered::new(REGISTER, row);
        let point = row.text("point");
        PointName::new(&point).map_err(|_| wrong("point", WrongWhy::Name))?;
        if !names.insert(point.clone()) {
            return Err(wrong("point", WrongWhy::Taken));
        }
        let choice = |field| wrong(field, WrongWhy::Choice);
        // A counter that is full is one.
        let is_counter = matches!(point.as_str(), "cycle" | "pulse");
        let register = Register {
            point,
            table: table(&row.text("table")).ok_or_else(|| choice("table"))?,
            address: whole(&row.text("register"))
                .ok_or_else(|| wrong("register", WrongWhy::Range))?,
            encoding: encoding(&row.text("encoding")).ok_or_else(|| choice("encoding"))?,
            order: order(&row.text("order")).ok_or_else(|| choice("order"))?,
            scale: row.number("scale"),
            has_none: row.text("no_value") == "usual" && !is_counter,
        };
        if register.end() > 65_536 {
            return Err(wrong("register", WrongWhy::Range));
        }
        registers.push(register);
    }
    Ok(Map {
        registers,
        registers_max: wire::modbus::REGISTERS_MAX,
    })
}

fn whole(text: &str) -> Option<u16> {
    let number = number(text).filter(|n| n.fract() == 0.0)?;
    (0.0..=65_535.0).contains(&number).then_some(number as u16)
}

fn table(code: &str) -> Option<RegisterTable> {
    match code {
        "holding" => Some(RegisterTable::Holding),
        "input-register" => Some(RegisterTable::InputRegister),
        "coil" => Some(RegisterTable::Coil),
        "input" => Some(RegisterTable::Input),
        _ => None,
    }
}

fn encoding(code: &str) -> Option<NumberEncoding> {
    match code {
        "u16" => Some(NumberEncoding::U16),
        "i16" => Some(NumberEncoding::I16),
        "u32" => Some(NumberEncoding::U32),
        "i32" => Some(NumberEncoding::I32),
        "u64" => Some(NumberEncoding::U64),
        "i64" => Some(NumberEncoding::I64),
        "f32" => Some(NumberEncoding::F32),
        "f64" => Some(NumberEncoding::F64),
        "bit" => Some(NumberEncoding::Bit(0)),
        other => {
            let bit = other.strip_prefix("bit")?.parse().ok()?;
            (bit < 16).then_some(NumberEncoding::Bit(bit))
        }
    }
}

fn order(code: &str) -> Option<ByteOrder> {
    match code {
        "abcd" => Some(ByteOrder::Abcd),
        "cdab" => Some(ByteOrder::Cdab),
        "badc" => Some(ByteOrder::Badc),
        "dcba" => Some(ByteOrder::Dcba),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_map_that_is_offered_can_be_read_and_watches_a_machine() {
        for code in MAPS.iter().filter(|code| **code != OWN) {
            let map = Map::known(code).unwrap_or_else(|| panic!("{code} cannot be read"));
            let watches = |r: &Register| model::POWER_POINTS.contains(&r.point.as_str());
            assert!(map.registers.iter().any(watches), "{code} has no power");
            for register in &map.registers {
                assert!(PointName::new(&register.point).is_ok(), "{register:?}");
                assert!(register.width() <= map.registers_max);
            }
        }
    }

    #[test]
    fn every_choice_that_is_offered_is_understood() {
        assert!(TABLES.iter().all(|code| table(code).is_some()));
        assert!(ENCODINGS.iter().all(|code| encoding(code).is_some()));
        assert!(ORDERS.iter().all(|code| order(code).is_some()));
        assert_eq!(
            (encoding("bit16"), whole("1.5"), whole("0x10")),
            (None, None, Some(16))
        );
    }
}
