//! Devices that speak by HTTP have no connection that tells whether they are there. One that wants
//! to be missed promises with each request when the next one comes; a promise that is broken is a
//! link that went down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::DeviceId;

use crate::device::Device;

/// Who promised to come again, and until when; at most one entry a registered device.
#[derive(Debug, Default)]
pub(crate) struct Promises(Mutex<BTreeMap<DeviceId, (Arc<Device>, Instant)>>);

impl Promises {
    /// A device came and promises to come again; says whether it had been away.
    pub(crate) fn note(&self, device: &Arc<Device>, within: Duration, now: Instant) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let promise = (Arc::clone(device), now + within);
        let before = kept.insert(device.id.clone(), promise);
        before.is_none()
    }

    /// Takes out those that did not keep their promise, or may no longer speak.
    pub(crate) fn take_broken(&self, now: Instant) -> Vec<Arc<Device>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_kept = |device: &Device, until: Instant| device.may_speak() && until >= now;
        let broken = kept
            .values()
            .filter(|(device, until)| !is_kept(device, *until))
            .map(|(device, _)| Arc::clone(device))
            .collect();
        kept.retain(|_, (device, until)| is_kept(device, *until));
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::DeviceRole;
    use model::MachineId;

    fn device(name: &str) -> Arc<Device> {
        let (id, machine) = (DeviceId::new(name), MachineId::new("press"));
        Arc::new(Device::new(
            id.unwrap(),
            machine.unwrap(),
            DeviceRole::Device,
        ))
    }

    #[test]
    fn who_does_not_come_again_in_time_is_gone_once() {
        let (promises, start) = (Promises::default(), Instant::now());
        let after = |s| start + Duration::from_secs(s);
        let phone = device("phone");
        assert!(promises.note(&phone, Duration::from_secs(10), start));
        assert!(!promises.note(&phone, Duration::from_secs(10), after(8)));
        assert!(promises.take_broken(after(18)).is_empty());
        assert_eq!(promises.take_broken(after(19)).len(), 1);
        assert!(promises.take_broken(after(60)).is_empty());
        assert!(promises.note(&phone, Duration::from_secs(10), after(61)));
    }

    #[test]
    fn who_may_no_longer_speak_is_gone_at_once() {
        let (promises, start) = (Promises::default(), Instant::now());
        let phone = device("phone");
        promises.note(&phone, Duration::from_secs(3_600), start);
        phone.end();
        assert_eq!(promises.take_broken(start).len(), 1);
    }
}
