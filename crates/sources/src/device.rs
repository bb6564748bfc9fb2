//! A device as the floor knows it: who it is, which machine it watches, which points it has sent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use model::{
    DeviceId, DeviceRole, MachineId, POWER_POINTS, PointName, Time, Unit, UnitScale,
    VIBRATION_POINTS,
};

/// Points a device may have; a device that invents names is stopped here.
const POINTS_MAX: usize = 64;
/// Messages a second of a device that is limited.
pub(crate) const LIMITED_MESSAGES_PER_S: u32 = 5;

/// Whether a point of this name counts energy up: a day's or a cycle's energy begins anew by
/// nature.
fn is_energy_counter(name: &str) -> bool {
    let counts = |rest: &str| {
        let (way, unit) = rest.rsplit_once('_').unwrap_or(("", rest));
        let ways = ["", "import", "export", "reverse", "total", "a", "b", "c"];
        let is_numbered = way.bytes().all(|b| b.is_ascii_digit());
        (is_numbered || ways.contains(&way)) && matches!(unit, "wh" | "kwh")
    };
    name.strip_prefix("energy_").is_some_and(counts)
}

/// What a point means for judging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointRole {
    /// Electric power.
    Power,
    /// How strongly the machine vibrates.
    Vibration,
    /// A cycle counter.
    Cycle,
    /// A pulse at the end of a cycle.
    Pulse,
    /// Red tier of the machine's lamp.
    Red,
    /// Yellow tier.
    Yellow,
    /// Green tier.
    Green,
    /// What the red tier shows: off, steady or blinking.
    LampRed,
    /// What the yellow tier shows.
    LampYellow,
    /// What the green tier shows.
    LampGreen,
    /// What is being made.
    Product,
    /// Whether the machine stands still, by a contact of its own.
    Standstill,
    /// A counter of energy.
    Energy,
    /// Kept, not judged.
    Other,
}

impl PointRole {
    fn of(name: &str) -> Self {
        match name {
            power if POWER_POINTS.contains(&power) => Self::Power,
            shakes if VIBRATION_POINTS.contains(&shakes) => Self::Vibration,
            "cycle" => Self::Cycle,
            "pulse" => Self::Pulse,
            "red" => Self::Red,
            "yellow" | "amber" => Self::Yellow,
            "green" => Self::Green,
            "lamp_red" => Self::LampRed,
            "lamp_yellow" => Self::LampYellow,
            "lamp_green" => Self::LampGreen,
            "product" => Self::Product,
            "standstill" => Self::Standstill,
            counter if is_energy_counter(counter) => Self::Energy,
            _ => Self::Other,
        }
    }

    /// Whether it is the level of a tier of a wired lamp: told when it changes.
    pub fn is_level(self) -> bool {
        matches!(self, Self::Red | Self::Yellow | Self::Green)
    }
}

/// One point of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// What the device calls it; its ending says the unit.
    pub name: PointName,
    /// The unit its values are kept in.
    pub unit: Unit,
    /// What incoming numbers are multiplied by.
    pub factor: f64,
    /// What it means.
    pub role: PointRole,
}

/// A known device.
#[derive(Debug)]
pub struct Device {
    /// Its name.
    pub id: DeviceId,
    /// The machine it watches.
    pub machine: MachineId,
    /// What it may do.
    pub role: DeviceRole,
    /// It is suspected of something: it may only send readings, and few.
    pub is_limited: bool,
    /// It may no longer speak.
    ended: AtomicBool,
    /// The second in which it last sent by another way than the broker, and how much.
    sent: Mutex<(i64, u32)>,
    points: RwLock<Vec<Point>>,
}

/// What a reading of a point needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PointUse {
    pub(crate) number: u16,
    pub(crate) factor: f64,
    pub(crate) unit: Unit,
    pub(crate) role: PointRole,
}

impl PointUse {
    fn new(number: usize, point: &Point) -> Self {
        Self {
            number: number as u16,
            factor: point.factor,
            unit: point.unit,
            role: point.role,
        }
    }
}

/// Why a point name was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PointError {
    BadName,
    TooMany,
}

impl Device {
    /// A device that has sent nothing yet.
    pub fn new(id: DeviceId, machine: MachineId, role: DeviceRole) -> Self {
        Self {
            id,
            machine,
            role,
            is_limited: false,
            ended: AtomicBool::new(false),
            sent: Mutex::default(),
            points: RwLock::default(),
        }
    }

    /// The same, limited or not.
    pub(crate) fn limited(self, is_limited: bool) -> Self {
        Self { is_limited, ..self }
    }

    /// From now on it may not speak, on no connection.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    /// Whether it may speak.
    pub(crate) fn may_speak(&self) -> bool {
        !self.ended.load(Ordering::SeqCst)
    }

    /// Whether it may send so many messages now, that did not come by the broker.
    pub(crate) fn may_send(&self, messages: usize, now: Time) -> bool {
        if !self.is_limited {
            return true;
        }
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let second = now.ms().div_euclid(1_000);
        if sent.0 != second {
            *sent = (second, 0);
        }
        let wanted = u32::try_from(messages).unwrap_or(u32::MAX);
        let after = sent.1.saturating_add(wanted);
        let may = after <= LIMITED_MESSAGES_PER_S;
        if may {
            sent.1 = after;
        }
        may
    }

    /// A point by its name, numbered when it is first seen.
    pub(crate) fn point_named(&self, name: &str) -> Result<PointUse, PointError> {
        // A device has a handful of points: looking along the list is faster than hashing.
        let find = |list: &[Point]| {
            let number = list.iter().position(|p| p.name.as_str() == name)?;
            list.get(number).map(|point| PointUse::new(number, point))
        };
        let points = self.points.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = find(&points) {
            return Ok(known);
        }
        drop(points);
        let checked = PointName::new(name).map_err(|_| PointError::BadName)?;
        let mut points = self.points.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = find(&points) {
            return Ok(known);
        }
        if points.len() >= POINTS_MAX {
            return Err(PointError::TooMany);
        }
        let UnitScale { unit, factor } = UnitScale::of_point(name);
        let point = Point {
            name: checked,
            unit,
            factor,
            role: PointRole::of(name),
        };
        let fresh = PointUse::new(points.len(), &point);
        points.push(point);
        Ok(fresh)
    }

    /// The number and meaning of a point by its name, as when it was first seen.
    pub fn number_of(&self, name: &str) -> Option<(u16, PointRole)> {
        let known = self.point_named(name).ok()?;
        Some((known.number, known.role))
    }

    /// A point by its number.
    pub fn point(&self, number: u16) -> Option<Point> {
        let points = self.points.read().unwrap_or_else(PoisonError::into_inner);
        points.get(usize::from(number)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_device_sends_few_messages_a_second_whatever_way_it_takes() {
        let (id, machine) = (DeviceId::new("d").unwrap(), MachineId::new("m").unwrap());
        let free = Device::new(id.clone(), machine.clone(), DeviceRole::Device);
        assert!(free.may_send(1_000_000, Time::from_ms(0)));
        let limited = Device::new(id, machine, DeviceRole::Device).limited(true);
        let may = |messages, ms| limited.may_send(messages, Time::from_ms(ms));
        assert!(may(3, 0) && may(2, 900) && !may(1, 999));
        assert!(may(5, 1_000) && !may(1, 1_001));
        assert!(
            !may(6, 2_000),
            "more than a second's share at once is never taken"
        );
        assert!(may(1, 2_000));
    }
}
