//! A device as the floor knows it: who it is, which machine it watches, which points it has sent.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use model::{DeviceId, MachineId, PointName, Unit, UnitScale};
use serde::{Deserialize, Serialize};

/// Points a device may have; a device that invents names is stopped here.
const POINTS_MAX: usize = 64;

/// What a device may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Publishes its own readings and receives its own orders.
    #[default]
    Device,
    /// Reads everything, publishes nothing: another program in the factory.
    Reader,
}

/// What a point means for judging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointRole {
    /// Electric power.
    Power,
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
    /// What is being made.
    Product,
    /// Kept, not judged.
    Other,
}

impl PointRole {
    fn of(name: &str) -> Self {
        match name {
            "power" | "power_w" | "power_kw" => Self::Power,
            "cycle" => Self::Cycle,
            "pulse" => Self::Pulse,
            "red" => Self::Red,
            "yellow" | "amber" => Self::Yellow,
            "green" => Self::Green,
            "product" => Self::Product,
            _ => Self::Other,
        }
    }
}

/// One point of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Its name.
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
    pub role: Role,
    points: RwLock<Points>,
}

#[derive(Debug, Default)]
struct Points {
    by_name: HashMap<Box<str>, u16>,
    list: Vec<Point>,
}

/// Why a point name was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PointError {
    BadName,
    TooMany,
}

impl Device {
    /// A device that has sent nothing yet.
    pub fn new(id: DeviceId, machine: MachineId, role: Role) -> Self {
        Self {
            id,
            machine,
            role,
            points: RwLock::default(),
        }
    }

    /// The number of a point within this device, given when it is first seen.
    pub(crate) fn point_number(&self, name: &str) -> Result<u16, PointError> {
        let points = self.points.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = points.by_name.get(name) {
            return Ok(*number);
        }
        drop(points);
        let checked = PointName::new(name).map_err(|_| PointError::BadName)?;
        let mut points = self.points.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = points.by_name.get(name) {
            return Ok(*number);
        }
        if points.list.len() >= POINTS_MAX {
            return Err(PointError::TooMany);
        }
        let number = points.list.len() as u16;
        let UnitScale { unit, factor } = UnitScale::of_point(name);
        let role = PointRole::of(name);
        points.list.push(Point {
            name: checked,
            unit,
            factor,
            role,
        });
        points.by_name.insert(name.into(), number);
        Ok(number)
    }

    /// The number and meaning of a point by its name, as when it was first seen.
    pub fn number_of(&self, name: &str) -> Option<(u16, PointRole)> {
        let number = self.point_number(name).ok()?;
        self.scale_and_role(number)
            .map(|(_, _, role)| (number, role))
    }

    /// A point by its number.
    pub fn point(&self, number: u16) -> Option<Point> {
        let points = self.points.read().unwrap_or_else(PoisonError::into_inner);
        points.list.get(usize::from(number)).cloned()
    }

    pub(crate) fn scale_and_role(&self, number: u16) -> Option<(f64, Unit, PointRole)> {
        let points = self.points.read().unwrap_or_else(PoisonError::into_inner);
        points
            .list
            .get(usize::from(number))
            .map(|p| (p.factor, p.unit, p.role))
    }
}
