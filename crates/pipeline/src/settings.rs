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
    /// Faults are made on it on purpose: its alarms are nobody's, and no other machine is compared
    /// with it.
    pub is_rehearsal: bool,
}

/// What the file of settings says that judging depends on.
#[derive(Debug, Clone)]
pub struct FloorSettings {
    /// The factory's zone and business day.
    pub calendar: Calendar,
    /// The machines that are listed.
    pub machines: Vec<MachineSettings>,
    /// How machines are judged that are not listed.
    pub default_settings: Settings,
}

impl FloorSettings {
    /// What a machine that is not listed is set to; it is called by its identifier.
    pub(crate) fn of_unlisted(&self, id: &MachineId) -> MachineSettings {
        let own = || id.as_str().to_owned();
        MachineSettings {
            id: id.clone(),
            names: Names {
                ja: own(),
                en: own(),
            },
            settings: self.default_settings,
            is_rehearsal: false,
        }
    }
}
