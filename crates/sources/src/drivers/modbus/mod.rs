//! Modbus over TCP and over serial lines: meters, remote inputs and outputs, controllers. Several
//! devices may hang on one line. Only reads are sent.

mod line;
mod map;
mod plan;

use model::{Field, FieldKind, Source, Trouble, Wrong, WrongWhy};
use tokio::time::sleep_until;
use tokio_serial::{Parity, StopBits};
use wire::modbus::bit;
use wire::payload::Scalar;

use self::line::{Ask, LineFailure, PortSettings, Rejects, RtuLine, TcpLine};
use self::map::{MAPS, Map, REGISTER, Register};
use self::plan::{Group, divide, groups};
use super::form::Entered;
use super::hand::Hand;
use super::pace::{AnswerPatience, AskingPace};
use super::{ADDRESS, Driver, Session, SourceLine};
use crate::normalise::Value;

/// Where devices listen unless they say otherwise.
const PORT: u16 = 502;
/// A line on which nobody has answered for this many questions in a row is opened anew.
const SILENT_ASKS_MAX: usize = 5;

const UNIT: Field = Field {
    name: "unit",
    kind: FieldKind::Number(0.0, 255.0),
    default: Some("1"),
};
const MAP: Field = Field {
    name: "map",
    kind: FieldKind::Choice(MAPS),
    default: None,
};
const REGISTERS: Field = Field {
    name: "registers",
    kind: FieldKind::Rows(REGISTER),
    default: Some(""),
};
const EVERY: Field = Field {
    name: "every_s",
    kind: FieldKind::Number(0.1, 3_600.0),
    default: Some("1"),
};

/// Modbus over TCP.
#[derive(Debug)]
pub(crate) struct Tcp;

/// Modbus over a serial line.
#[derive(Debug)]
pub(crate) struct Rtu;

impl Driver for Tcp {
    fn code(&self) -> &'static str {
        "modbus-tcp"
    }

    fn fields(&self) -> &'static [Field] {
        &[ADDRESS, UNIT, MAP, REGISTERS, EVERY]
    }

    fn line(&self, source: &Source) -> Result<SourceLine, Wrong> {
        let entered = Entered::new(self.fields(), &source.fields);
        ModbusMeter::of(entered)?;
        let address = with_port(&entered.text("address"))?;
        Ok(SourceLine {
            name: format!("modbus-tcp {address}"),
            settings: String::new(),
        })
    }

    fn read(&self, sources: &[Source], hand: Hand) -> Session {
        let fields = self.fields();
        let address = sources.first().map_or_else(String::new, |source| {
            Entered::new(fields, &source.fields).text("address")
        });
        let meters = meters(fields, sources);
        Box::pin(async move {
            let Ok(address) = with_port(&address) else {
                return Trouble::Internal;
            };
            match TcpLine::open(&address).await {
                Ok(line) => read_all(line, meters, &hand).await,
                Err(trouble) => trouble,
            }
        })
    }
}

impl Driver for Rtu {
    fn code(&self) -> &'static str {
        "modbus-rtu"
    }

    fn fields(&self) -> &'static [Field] {
        const PORT: Field = Field {
            name: "port",
            kind: FieldKind::SerialPort,
            default: None,
        };
        const BAUD: Field = Field {
            name: "baud",
            kind: FieldKind::Choice(&["9600", "19200", "38400", "2400", "4800", "57600", "115200"]),
            default: Some("9600"),
        };
        const PARITY: Field = Field {
            name: "parity",
            kind: FieldKind::Choice(&["none", "even", "odd"]),
            default: Some("none"),
        };
        const STOP: Field = Field {
            name: "stop_bits",
            kind: FieldKind::Choice(&["1", "2"]),
            default: Some("1"),
        };
        &[PORT, BAUD, PARITY, STOP, UNIT, MAP, REGISTERS, EVERY]
    }

    fn line(&self, source: &Source) -> Result<SourceLine, Wrong> {
        let entered = Entered::new(self.fields(), &source.fields);
        ModbusMeter::of(entered)?;
        let port = entered.text("port");
        if !port.starts_with('/') {
            return Err(Wrong::new("port", WrongWhy::Address));
        }
        // On a serial line 0 speaks to everybody and nobody answers.
        if !(1.0..=247.0).contains(&entered.number("unit")) {
            return Err(Wrong::new("unit", WrongWhy::Range));
        }
        Ok(SourceLine {
            name: format!("modbus-rtu {port}"),
            settings: format!("{:?}", port_settings(entered)),
        })
    }

    fn read(&self, sources: &[Source], hand: Hand) -> Session {
        let fields = self.fields();
        let set = sources.first().map(|source| {
            let entered = Entered::new(fields, &source.fields);
            (entered.text("port"), port_settings(entered))
        });
        let meters = meters(fields, sources);
        Box::pin(async move {
            let Some((port, settings)) = set else {
                return Trouble::Internal;
            };
            match RtuLine::open(&port, settings) {
                Ok(line) => read_all(line, meters, &hand).await,
                Err(trouble) => trouble,
            }
        })
    }
}

fn port_settings(entered: Entered<'_>) -> PortSettings {
    PortSettings {
        baud: entered.number("baud") as u32,
        parity: match entered.text("parity").as_str() {
            "even" => Parity::Even,
            "odd" => Parity::Odd,
            _ => Parity::None,
        },
        stop: match entered.text("stop_bits").as_str() {
            "2" => StopBits::Two,
            _ => StopBits::One,
        },
    }
}

/// Host and port, with the usual port if none is said.
fn with_port(address: &str) -> Result<String, Wrong> {
    let wrong = || Wrong::new("address", WrongWhy::Address);
    let is_host = |host: &str| {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        !host.is_empty() && host.chars().all(fine)
    };
    match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            let port: u16 = port.parse().map_err(|_| wrong())?;
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            (port > 0 && is_host(bare))
                .then(|| format!("{host}:{port}"))
                .ok_or_else(wrong)
        }
        None if is_host(address) => Ok(format!("{address}:{PORT}")),
        // An IPv6 address without brackets.
        Some(_) if is_host(address) => Ok(format!("[{address}]:{PORT}")),
        _ => Err(wrong()),
    }
}

/// A device on the line and how it is read.
#[derive(Debug)]
struct ModbusMeter {
    unit: u8,
    map: Map,
    groups: Vec<Group>,
    /// Registers that said "no number" last time: told once, not every time.
    numberless: Vec<bool>,
    pace: AskingPace,
    patience: AnswerPatience,
}

/// What one round of a device gave.
struct Round {
    values: Vec<Value>,
    lacks: Vec<String>,
    rejects: Rejects,
    end: Result<(), LineFailure>,
}

impl ModbusMeter {
    fn of(entered: Entered<'_>) -> Result<Self, Wrong> {
        let map = Map::of(entered)?;
        let unit = entered.number("unit");
        if unit.fract() != 0.0 {
            return Err(Wrong::new("unit", WrongWhy::Range));
        }
        let unit = unit as u8;
        Ok(Self {
            unit,
            groups: groups(unit, &map),
            numberless: vec![false; map.registers.len()],
            map,
            pace: AskingPace::new(entered.number("every_s")),
            patience: AnswerPatience::default(),
        })
    }

    /// Reads everything once; tells the hand of each answer of this device of its.
    async fn round(&mut self, line: &mut impl Ask, hand: &Hand, device: usize) -> Round {
        let mut round = Round {
            values: Vec::with_capacity(self.map.registers.len()),
            lacks: Vec::new(),
            rejects: Rejects::new(),
            end: Ok(()),
        };
        let mut waiting: Vec<Group> = std::mem::take(&mut self.groups);
        waiting.reverse();
        while let Some(group) = waiting.pop() {
            let asked = line.ask(group.read, &mut self.patience, &mut round.rejects);
            match asked.await {
                Ok(data) => {
                    hand.answered_within(device, self.patience.slowest());
                    self.take(&group, &data, &mut round.values);
                    self.groups.push(group);
                }
                Err(LineFailure::Refused) => match divide(self.unit, &self.map, &group) {
                    Some(pieces) => waiting.extend(pieces.into_iter().rev()),
                    None => round.lacks.extend(self.names(&group)),
                },
                Err(failure) => {
                    round.end = Err(failure);
                    self.groups.push(group);
                    self.groups.extend(waiting.into_iter().rev());
                    return round;
                }
            }
        }
        if self.groups.is_empty() {
            // It may be another device tomorrow: ask for everything again.
            self.groups = groups(self.unit, &self.map);
            round.end = Err(LineFailure::Device(Trouble::NoSuchValue));
        }
        round
    }

    fn names(&self, group: &Group) -> Vec<String> {
        let registers = group
            .members
            .iter()
            .filter_map(|&i| self.map.registers.get(i));
        registers.map(|register| register.point.clone()).collect()
    }

    /// The values in the bytes of a group.
    fn take(&mut self, group: &Group, data: &[u8], values: &mut Vec<Value>) {
        for &member in &group.members {
            let Some(register) = self.map.registers.get(member) else {
                continue;
            };
            let offset = usize::from(register.address - group.read.address);
            let Some(value) = value_of(register, data, offset) else {
                continue;
            };
            let is_number = !matches!(value, Scalar::Number(n) if !n.is_finite());
            let known = self.numberless.get_mut(member);
            let was_numberless = known.map(|known| std::mem::replace(known, !is_number));
            if is_number || was_numberless == Some(false) {
                let point = register.point.clone();
                values.push(Value { point, value });
            }
        }
    }
}

/// What a register says; no number where its maker writes that there is none.
fn value_of(register: &Register, data: &[u8], offset: usize) -> Option<Scalar<'static>> {
    if register.table.is_bits() {
        return bit(data, offset).map(Scalar::Bool);
    }
    let bytes = data.get(2 * offset..)?;
    let number = register.encoding.number(register.order, bytes)?;
    let is_none = register.has_none && register.encoding.is_none(number);
    Some(if register.is_state() {
        Scalar::Bool(number != 0.0)
    } else if is_none {
        Scalar::Number(f64::NAN)
    } else {
        Scalar::Number(scaled(number, register.scale))
    })
}

/// The number times the scale; a tenth is divided by ten, because 2301 tenths are 230.1 and not
/// 230.10000000000002.
fn scaled(number: f64, scale: f64) -> f64 {
    let parts = scale.recip().round();
    if parts.abs() > 1.0 && (parts * scale - 1.0).abs() < 1e-12 {
        number / parts
    } else {
        number * scale
    }
}

fn meters(fields: &'static [Field], sources: &[Source]) -> Vec<ModbusMeter> {
    let entered = sources.iter().map(|s| Entered::new(fields, &s.fields));
    entered.filter_map(|e| ModbusMeter::of(e).ok()).collect()
}

/// Reads the devices of a line, each when it is due, until the line fails.
async fn read_all(mut line: impl Ask, mut meters: Vec<ModbusMeter>, hand: &Hand) -> Trouble {
    hand.opened();
    let others = meters.len().saturating_sub(1);
    for meter in &mut meters {
        meter.patience.share(others);
    }
    let mut silent_asks = 0;
    loop {
        let next = meters.iter().map(|meter| meter.pace.due).enumerate();
        let Some((device, due)) = next.min_by_key(|(_, due)| *due) else {
            return Trouble::Internal;
        };
        sleep_until(due).await;
        let Some(meter) = meters.get_mut(device) else {
            return Trouble::Internal;
        };
        let round = meter.round(&mut line, hand, device).await;
        meter.pace.put_off(round.end.is_ok(), others);
        for (reason, bytes) in &round.rejects {
            hand.refused(device, *reason, bytes).await;
        }
        for point in &round.lacks {
            hand.lacks(device, point);
        }
        if round.end.is_ok() || !round.values.is_empty() {
            silent_asks = 0;
        }
        match round.end {
            Ok(()) => hand.took(device, round.values).await,
            Err(LineFailure::Line(trouble)) => return trouble,
            Err(LineFailure::Refused) => hand.missed(device, Trouble::NoSuchValue).await,
            Err(LineFailure::Device(trouble)) => {
                hand.missed(device, trouble).await;
                silent_asks += 1;
                if trouble != Trouble::Silent {
                    silent_asks = 0;
                }
            }
        }
        if silent_asks > SILENT_ASKS_MAX * meters.len() {
            return Trouble::Silent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_usual_port_unless_it_says_otherwise() {
        let fine = |text: &str| with_port(text).unwrap();
        assert_eq!(fine("192.168.1.5"), "192.168.1.5:502");
        assert_eq!(fine("meter-1:1502"), "meter-1:1502");
        assert_eq!(fine("fe80::1"), "[fe80::1]:502");
        assert_eq!(fine("[fe80::1]:1502"), "[fe80::1]:1502");
        for bad in [
            "",
            "a b",
            "host:",
            "host:0",
            "host:99999",
            "機械",
            "http://x",
        ] {
            assert!(with_port(bad).is_err(), "{bad:?}");
        }
    }
}
