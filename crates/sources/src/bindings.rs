//! What devices of other makers say and whom it concerns. A device that speaks for itself watches
//! its own machine without anybody's help; a gateway speaks for others, and a person gives each of
//! their values to a machine, once. All that arrived is listed, bound or not, so that nobody has to
//! know its name beforehand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{DeviceId, DeviceRole, Place, Seen, Time};
use wire::convention::{Said, Topic};
use wire::payload::Scalar;

use crate::device::Device;
use crate::register::DeviceRegister;

/// Values that are listed; a device that invents names fills no memory.
const SEEN_MAX: usize = 4_000;
/// The same of one device.
const SEEN_OF_ONE_MAX: usize = 1_000;

/// Values on their way to one device.
pub(crate) type Shares = Vec<(Arc<Device>, Vec<(String, Scalar<'static>)>)>;

/// Who gets which values, and what has arrived since the program started.
#[derive(Debug)]
pub struct Bindings {
    register: Arc<DeviceRegister>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Devices that stand for what machines get and that are there.
    up: BTreeMap<DeviceId, Arc<Device>>,
    /// The register as it was when it was last looked who stands for nobody any more.
    looked_at: u64,
    seen: BTreeMap<Place, (&'static str, f64, Time)>,
}

impl Bindings {
    /// Nothing has arrived yet.
    pub fn new(register: Arc<DeviceRegister>) -> Self {
        Self {
            register,
            inner: Mutex::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that arrived since the program started, and what becomes of it.
    pub fn seen(&self) -> Vec<Seen> {
        let bindings = self.register.bindings();
        let inner = self.inner();
        let seen = inner.seen.iter().map(|(place, (maker, value, at))| Seen {
            place: place.clone(),
            maker,
            value: *value,
            at: *at,
            binding: bindings.get(place).cloned(),
        });
        seen.collect()
    }

    /// Parts what a device said by whom it concerns: what is the device's own comes first.
    pub(crate) fn part(
        &self,
        client: &Arc<Device>,
        topic: &Topic<'_>,
        said: &Said,
        now: Time,
    ) -> Shares {
        let mut inner = self.inner();
        let behind = topic.behind(client.role == DeviceRole::Gateway);
        let mut own = Vec::new();
        let mut shares: BTreeMap<DeviceId, (Arc<Device>, Vec<_>)> = BTreeMap::new();
        for (point, value) in &said.values {
            let place = Place {
                device: client.id.clone(),
                behind: behind.unwrap_or_default().to_owned(),
                point: point.clone(),
            };
            let binding = self.register.binding(&place);
            inner.note(place, topic.maker.name(), value, now);
            match binding {
                // Its own value under another name needs nobody to stand for it.
                Some(binding) if behind.is_none() && binding.machine == client.machine => {
                    own.push((binding.becomes, value.clone()));
                }
                Some(binding) => {
                    if let Some(device) = self.register.stand_in(&client.id, &binding.machine) {
                        let share = shares.entry(device.id.clone());
                        let (_, values) = share.or_insert_with(|| (device, Vec::new()));
                        values.push((binding.becomes, value.clone()));
                    }
                }
                None if behind.is_none() => {
                    own.push((point.clone(), value.clone()));
                }
                None => {}
            }
        }
        let own = std::iter::once((Arc::clone(client), own));
        own.chain(shares.into_values()).collect()
    }

    /// Devices that get values of this one, or of those behind it.
    pub(crate) fn fed_by(&self, client: &DeviceId, behind: Option<&str>) -> Vec<Arc<Device>> {
        let Some(client) = self.register.registration(client) else {
            return Vec::new();
        };
        let mut devices: BTreeMap<DeviceId, Arc<Device>> = BTreeMap::new();
        let bindings = client.bindings();
        for binding in bindings.filter(|b| behind.is_none_or(|behind| b.place.behind == behind)) {
            let device = self.register.stand_in(&client.id, &binding.machine);
            devices.extend(device.map(|device| (device.id.clone(), device)));
        }
        devices.into_values().collect()
    }

    /// Those that stand for nobody any more and have to be told as gone.
    pub(crate) fn take_gone(&self) -> Vec<Arc<Device>> {
        let mut inner = self.inner();
        let version = self.register.version();
        if std::mem::replace(&mut inner.looked_at, version) == version {
            return Vec::new();
        }
        let stand_ins = self.register.stand_ins();
        let gone = |_: &DeviceId, device: &mut Arc<Device>| {
            !stand_ins.iter().any(|stays| Arc::ptr_eq(stays, device))
        };
        let gone = inner.up.extract_if(.., gone);
        gone.map(|(_, device)| device).collect()
    }

    /// Notes that a device is there or not; says whether that is news.
    pub(crate) fn note_link(&self, device: &Arc<Device>, is_up: bool) -> bool {
        let mut inner = self.inner();
        if is_up {
            let known = inner.up.insert(device.id.clone(), Arc::clone(device));
            known.is_none()
        } else {
            inner.up.remove(&device.id).is_some()
        }
    }
}

impl Inner {
    fn note(&mut self, place: Place, maker: &'static str, value: &Scalar<'_>, now: Time) {
        let Some(number) = value.number() else {
            return;
        };
        if !self.seen.contains_key(&place) {
            let of_one = |p: &&Place| p.device == place.device;
            let has_room = self.seen.len() < SEEN_MAX
                && self.seen.keys().filter(of_one).count() < SEEN_OF_ONE_MAX;
            if !has_room {
                return;
            }
        }
        self.seen.insert(place, (maker, number, now));
    }
}

#[cfg(test)]
mod tests {
    use model::{Binding, MachineId};

    use super::*;
    use crate::draft::Draft;
    use crate::register::Registrations;

    fn opened() -> (Arc<DeviceRegister>, Bindings) {
        let register = Arc::new(DeviceRegister::new(Registrations::new()));
        let mut draft = Draft::of(&register);
        for (name, role) in [("z2m", DeviceRole::Gateway), ("plug", DeviceRole::Device)] {
            draft.add(DeviceId::new(name).unwrap(), None, role).unwrap();
        }
        register.replace(draft.into_registrations());
        let bindings = Bindings::new(Arc::clone(&register));
        (register, bindings)
    }

    fn place(device: &str, behind: &str, point: &str) -> Place {
        Place {
            device: DeviceId::new(device).unwrap(),
            behind: behind.to_owned(),
            point: point.to_owned(),
        }
    }

    fn bind(register: &DeviceRegister, place: Place, machine: &str, becomes: &str) {
        let mut draft = Draft::of(register);
        let binding = Binding {
            place,
            machine: MachineId::new(machine).unwrap(),
            becomes: becomes.to_owned(),
        };
        assert_eq!(draft.bind(binding), Ok(true));
        register.replace(draft.into_registrations());
    }

    /// Whom a message concerns, and with which points.
    fn parted(bindings: &Bindings, device: &str, message: (&str, &str)) -> Vec<String> {
        let id = DeviceId::new(device).unwrap();
        let client = bindings.register.device(&id).unwrap();
        let topic = Topic::of(message.0).unwrap();
        let said = topic.read(message.1.as_bytes()).unwrap();
        let shares = bindings.part(&client, &topic, &said, Time::from_ms(5));
        let share = |(device, values): (Arc<Device>, Vec<(String, Scalar<'_>)>)| {
            let points: Vec<String> = values.into_iter().map(|(point, _)| point).collect();
            format!("{}/{}: {}", device.id, device.machine, points.join(" "))
        };
        shares.into_iter().map(share).collect()
    }

    #[test]
    fn one_clamp_meter_watches_two_machines_and_a_plug_its_own() {
        let (register, bindings) = opened();
        let clamp = ("zigbee2mqtt/clamp", r#"{"power_a":12,"power_b":7}"#);
        let plug = (
            "tele/plug/SENSOR",
            r#"{"ENERGY":{"Power":5},"COUNTER":{"C1":3}}"#,
        );
        assert_eq!(
            parted(&bindings, "z2m", clamp),
            ["z2m/z2m: "],
            "nothing is guessed"
        );
        assert_eq!(
            parted(&bindings, "plug", plug),
            ["plug/plug: counter_c1 power_w"]
        );
        for (point, machine) in [("power_a_w", "press-1"), ("power_b_w", "press-2")] {
            bind(&register, place("z2m", "clamp", point), machine, "power_w");
        }
        let counter = place("plug", "", "counter_c1");
        bind(&register, counter.clone(), "press-1", "cycle");
        assert_eq!(
            parted(&bindings, "z2m", clamp),
            [
                "z2m/z2m: ",
                "z2m.press-1/press-1: power_w",
                "z2m.press-2/press-2: power_w"
            ]
        );
        assert_eq!(
            parted(&bindings, "plug", plug),
            ["plug/plug: power_w", "plug.press-1/press-1: cycle"]
        );
        let seen = bindings.seen();
        assert_eq!(seen.len(), 4);
        assert_eq!(seen.iter().filter(|seen| seen.binding.is_some()).count(), 3);
        let is_known = |name: &str| register.device(&DeviceId::new(name).unwrap()).is_some();
        assert!(is_known("z2m.press-1"));
        bind(&register, counter, "plug", "cycle");
        assert_eq!(
            parted(&bindings, "plug", plug),
            ["plug/plug: cycle power_w"]
        );
        assert!(!is_known("plug.press-1") && !is_known("plug.plug"));
    }

    #[test]
    fn who_stands_for_nobody_any_more_is_told_as_gone_once() {
        let (register, bindings) = opened();
        let clamp = place("z2m", "clamp", "power_a_w");
        bind(&register, clamp.clone(), "press-1", "power_w");
        let client = DeviceId::new("z2m").unwrap();
        let fed = bindings.fed_by(&client, Some("clamp"));
        assert_eq!(fed.len(), 1);
        assert!(bindings.note_link(&fed[0], true), "it came");
        assert!(bindings.take_gone().is_empty());
        let mut draft = Draft::of(&register);
        assert!(draft.unbind(&clamp));
        register.replace(draft.into_registrations());
        assert!(Arc::ptr_eq(&bindings.take_gone()[0], &fed[0]));
        assert!(bindings.take_gone().is_empty());
    }

    #[test]
    fn a_device_that_invents_names_fills_no_memory() {
        let (_register, bindings) = opened();
        for n in 0..2 * SEEN_OF_ONE_MAX {
            let topic = format!("zigbee2mqtt/x{n}");
            parted(&bindings, "z2m", (&topic, r#"{"power":1}"#));
        }
        assert_eq!(bindings.seen().len(), SEEN_OF_ONE_MAX);
    }
}
