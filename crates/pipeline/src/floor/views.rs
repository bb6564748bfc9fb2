//! The floor as pages show it.

use app::views::{LastValue, MachineView};
use model::{DeviceRole, Time};
use sources::{DeviceRegister, PointRole};

use super::Floor;
use crate::speaker::Speaker;

impl Floor {
    /// The machines as pages show them, with what is told of them lately and not judged.
    pub fn machine_views(&self, now: Time) -> Vec<MachineView> {
        let mut values: Vec<Vec<LastValue>> = vec![Vec::new(); self.machines.len()];
        for speaker in &self.speakers {
            let of = speaker.machine.and_then(|index| values.get_mut(index));
            let kept_only = |role| matches!(role, PointRole::Other | PointRole::Energy);
            let is_fresh = |said: &LastValue| now.ms() - said.at.ms() <= LastValue::FRESH_MS;
            if let Some(of) = of {
                of.extend(speaker.values(kept_only).into_iter().filter(is_fresh));
            }
        }
        let all = self.machines.iter().zip(values);
        let real = all.filter(|(machine, _)| !machine.is_rehearsal);
        let views = real.map(|(machine, values)| MachineView {
            values,
            ..machine.view(now)
        });
        views.collect()
    }

    /// The devices as pages show them.
    pub fn device_views(&self, register: &DeviceRegister) -> Vec<app::views::DeviceView> {
        let all = register.all();
        let views = all.iter().map(|device| {
            let index = self.speaker_of.get(device.id.as_str());
            let speaker = index.and_then(|index| self.speakers.get(*index));
            app::views::DeviceView {
                id: device.id.as_str().to_owned(),
                machine: device.machine.as_str().to_owned(),
                reads_only: device.role == DeviceRole::Reader,
                is_gateway: device.role == DeviceRole::Gateway,
                offset_ms: speaker.and_then(|s| s.keeps_time.then_some(-s.skew_ms)),
                is_limited: device.is_limited,
                is_stand_in: register.is_stand_in(&device.id),
                has_certificate: register.has_certificate(&device.id),
                connected: speaker.is_some_and(|s| s.connections > 0),
                from: speaker.and_then(|s| s.from),
                heard: speaker.and_then(|s| s.heard),
                readings: speaker.map_or(0, |s| s.readings),
                status: speaker.map(Speaker::status).unwrap_or_default(),
                values: speaker.map_or_else(Vec::new, |speaker| speaker.values(|_| true)),
            }
        });
        views.collect()
    }

    /// Readings taken since the start.
    pub fn readings(&self) -> u64 {
        let twin = self.speaker_of.get(model::TWIN);
        let all = self.speakers.iter().enumerate();
        all.filter(|(index, _)| Some(index) != twin)
            .map(|(_, speaker)| speaker.readings)
            .sum()
    }
}
