//! What the floor is set to.

use app::views::Names;
use detect::Settings;
use kpi::Calendar;
use model::MachineId;

/// A machine's names, and how it is judged.
#[derive(Debug, Clone)]
pub struct MachineSettings {
    /// The machine.
    pub id: MachineId,
    /// What it is called.
    pub names: Names,
    /// How it is judged.
    pub settings: Settings,
}

/// What the floor is set to.
#[derive(Debug, Clone)]
pub struct FloorSettings {
    /// The factory's zone and business day.
    pub calendar: Calendar,
    /// The machines that are listed.
    pub machines: Vec<MachineSettings>,
    /// How machines are judged that are not listed.
    pub default_settings: Settings,
}
