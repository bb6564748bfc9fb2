//! What devices of other makers say and whom it concerns. A device that speaks for itself watches
//! its own machine without anybody's help; a gateway speaks for others, and a person gives each of
//! their values to a machine, once. All that arrived is listed, bound or not, so that nobody has to
//! know its name beforehand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Binding, DeviceId, MachineId, Place, PointName, Seen, Time, Wrong, WrongWhy};
use serde::{Deserialize, Serialize};
use wire::convention::{Said, Topic};
use wire::payload::Scalar;

use crate::device::{Device, Role};
use crate::kept_file::{FollowedFile, KeptFile};
use crate::lines::SourceError;
use crate::tokens::{DeviceBook, TokenFileError, Way};

/// The file in the data folder.
const BINDINGS_FILE: &str = "bindings.toml";
/// Bindings in one file.
const BINDINGS_MAX: usize = 1_000;
/// Values that are listed; a device that invents names fills no memory.
const SEEN_MAX: usize = 4_000;
/// The same of one device.
const SEEN_OF_ONE_MAX: usize = 1_000;

/// The file as written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    binding: Vec<Binding>,
}

/// Values on their way to one device.
pub(crate) type Shares = Vec<(Arc<Device>, Vec<(String, Scalar<'static>)>)>;

/// The bindings, and what has arrived since the program started.
#[derive(Debug)]
pub struct Bindings {
    book: Arc<DeviceBook>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: FollowedFile,
    bindings: BTreeMap<Place, Binding>,
    /// Machines that get values of a device that is not their own have one of their own for it.
    devices: BTreeMap<(DeviceId, MachineId), Arc<Device>>,
    /// Those of them that are there.
    up: BTreeSet<DeviceId>,
    /// Those that were there and stand for nobody any more; the next message tells it.
    gone: Vec<Arc<Device>>,
    seen: BTreeMap<Place, (&'static str, f64, Time)>,
}

impl Bindings {
    /// Reads `bindings.toml` in the folder and makes its devices known. What cannot be taken up does
    /// not keep the program from starting: it is told, and told again by whoever changes a binding.
    pub fn open(folder: &Path, book: Arc<DeviceBook>) -> Self {
        let bindings = Self {
            book,
            inner: Mutex::new(Inner {
                file: FollowedFile::new(folder, BINDINGS_FILE),
                bindings: BTreeMap::new(),
                devices: BTreeMap::new(),
                up: BTreeSet::new(),
                gone: Vec::new(),
                seen: BTreeMap::new(),
            }),
        };
        if let Err(error) = bindings.refresh() {
            tracing::warn!(%error, "the file of bindings was not taken up");
        }
        bindings
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up the file if somebody has changed it.
    pub fn refresh(&self) -> Result<(), SourceError> {
        let mut inner = self.inner();
        if inner.file.has_changed() {
            self.take_up(&mut inner)?;
        }
        Ok(())
    }

    /// Before a change: what somebody has written by hand is not overwritten.
    fn catch_up(&self, inner: &mut Inner) -> Result<(), SourceError> {
        if inner.file.is_ahead() {
            self.take_up(inner)?;
        }
        Ok(())
    }

    fn take_up(&self, inner: &mut Inner) -> Result<(), SourceError> {
        let written: Written = inner.file.read()?;
        let mut bindings = BTreeMap::new();
        for binding in written.binding {
            self.check(&binding, &bindings).map_err(|wrong| {
                let (place, why) = (&binding.place, wrong.why.code());
                let what = format!("{} {} {}", place.device, place.behind, place.point);
                inner.file.wrong(format!("{what}: {} ({why})", wrong.field))
            })?;
            bindings.insert(binding.place.clone(), binding);
        }
        inner.file.taken_up();
        self.make_known(inner, bindings);
        Ok(())
    }

    fn check(&self, new: &Binding, others: &BTreeMap<Place, Binding>) -> Result<(), Wrong> {
        PointName::new(&new.becomes).map_err(|_| Wrong::new("as", WrongWhy::Name))?;
        let id = device_id(&new.place.device, &new.machine)?;
        let is_same_name = |other: &Binding| {
            let of = |b: &Binding| (b.place.device.clone(), b.machine.clone());
            of(other) != of(new)
                && device_id(&other.place.device, &other.machine).as_ref() == Ok(&id)
        };
        if self.book.comes_otherwise(&id, Way::FedByOthers) || others.values().any(is_same_name) {
            return Err(Wrong::new("machine", WrongWhy::Taken));
        }
        if new.place.point.is_empty() {
            return Err(Wrong::new("point", WrongWhy::Missing));
        }
        let is_same = |other: &Binding| {
            (&other.place.device, &other.machine, &other.becomes)
                == (&new.place.device, &new.machine, &new.becomes)
        };
        if others.values().any(|o| o.place != new.place && is_same(o)) {
            return Err(Wrong::new("as", WrongWhy::Taken));
        }
        if others.len() >= BINDINGS_MAX {
            return Err(Wrong::new("point", WrongWhy::TooMany));
        }
        Ok(())
    }

    /// Gives a value to a machine; what it was before is forgotten.
    pub fn bind(&self, binding: Binding) -> Result<(), SourceError> {
        if !self.book.speaks(&binding.place.device) {
            return Err(SourceError::Unknown(binding.place.device));
        }
        let mut inner = self.inner();
        self.catch_up(&mut inner)?;
        self.check(&binding, &inner.bindings)
            .map_err(SourceError::Wrong)?;
        let mut bindings = inner.bindings.clone();
        bindings.insert(binding.place.clone(), binding);
        self.replace(&mut inner, bindings)
    }

    /// A value concerns nobody any more, or its own device's machine.
    pub fn unbind(&self, place: &Place) -> Result<(), SourceError> {
        let mut inner = self.inner();
        self.catch_up(&mut inner)?;
        let mut bindings = inner.bindings.clone();
        if bindings.remove(place).is_none() {
            return Err(SourceError::Unknown(place.device.clone()));
        }
        self.replace(&mut inner, bindings)
    }

    fn replace(
        &self,
        inner: &mut Inner,
        bindings: BTreeMap<Place, Binding>,
    ) -> Result<(), SourceError> {
        let binding = bindings.values().cloned().collect();
        inner.file.write(&Written { binding })?;
        self.make_known(inner, bindings);
        Ok(())
    }

    fn make_known(&self, inner: &mut Inner, bindings: BTreeMap<Place, Binding>) {
        let mut before = std::mem::take(&mut inner.devices);
        for binding in bindings.values() {
            let of = (binding.place.device.clone(), binding.machine.clone());
            let Ok(id) = device_id(&of.0, &of.1) else {
                continue;
            };
            let known = before.remove(&of);
            let new = || Arc::new(Device::new(id, of.1.clone(), Role::Device));
            let device = known.unwrap_or_else(new);
            inner.devices.entry(of).or_insert(device);
        }
        let gone = before.into_values();
        let gone = gone.filter(|device| inner.up.remove(&device.id));
        let gone: Vec<Arc<Device>> = gone.collect();
        inner.gone.extend(gone);
        inner.bindings = bindings;
        let is_own = |binding: &Binding| {
            let device = self.book.device(&binding.place.device);
            binding.place.behind.is_empty()
                && device.is_some_and(|device| device.machine == binding.machine)
        };
        let others = inner.bindings.values().filter(|binding| !is_own(binding));
        let fed = others.filter_map(|binding| {
            let of = (binding.place.device.clone(), binding.machine.clone());
            inner.devices.get(&of).cloned()
        });
        self.book.set_fed_by_others(fed.collect());
    }

    /// All that arrived since the program started, and what becomes of it.
    pub fn seen(&self) -> Vec<Seen> {
        let inner = self.inner();
        let seen = inner.seen.iter().map(|(place, (maker, value, at))| Seen {
            place: place.clone(),
            maker,
            value: *value,
            at: *at,
            binding: inner.bindings.get(place).cloned(),
        });
        seen.collect()
    }

    /// Names of the devices that stand for what machines get.
    pub fn fed(&self) -> BTreeSet<String> {
        let inner = self.inner();
        inner.devices.values().map(|d| d.id.to_string()).collect()
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
        let behind = topic.behind(client.role == Role::Gateway);
        let mut own = Vec::new();
        let mut shares: BTreeMap<DeviceId, (Arc<Device>, Vec<_>)> = BTreeMap::new();
        for (point, value) in &said.values {
            let place = Place {
                device: client.id.clone(),
                behind: behind.unwrap_or_default().to_owned(),
                point: point.clone(),
            };
            let binding = inner.bindings.get(&place).cloned();
            inner.note(place, topic.maker.name(), value, now);
            match binding {
                // Its own value under another name needs nobody to stand for it.
                Some(binding) if behind.is_none() && binding.machine == client.machine => {
                    own.push((binding.becomes, value.clone()));
                }
                Some(binding) => {
                    let of = (client.id.clone(), binding.machine);
                    if let Some(device) = inner.devices.get(&of) {
                        let share = shares.entry(device.id.clone());
                        let (_, values) = share.or_insert_with(|| (Arc::clone(device), Vec::new()));
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
        let inner = self.inner();
        let is_it = |place: &Place| {
            place.device == *client && behind.is_none_or(|behind| place.behind == behind)
        };
        let bound = inner.bindings.values().filter(|b| is_it(&b.place));
        let machines: BTreeSet<_> = bound.map(|b| b.machine.clone()).collect();
        let devices = machines.into_iter();
        let devices = devices.filter_map(|m| inner.devices.get(&(client.clone(), m)).cloned());
        devices.collect()
    }

    /// Those that stand for nobody any more and have to be told as gone.
    pub(crate) fn take_gone(&self) -> Vec<Arc<Device>> {
        std::mem::take(&mut self.inner().gone)
    }

    /// Notes that a device is there or not; says whether that is news.
    pub(crate) fn note_link(&self, device: &Device, is_up: bool) -> bool {
        let mut inner = self.inner();
        if is_up {
            inner.up.insert(device.id.clone())
        } else {
            inner.up.remove(&device.id)
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

/// Names of the devices that stand for what machines get, as the file in a folder says.
pub(crate) fn stand_ins(folder: &Path) -> Result<Vec<DeviceId>, TokenFileError> {
    let written: Written = KeptFile::new(folder, BINDINGS_FILE).read()?;
    let names = written.binding.iter();
    let names = names.filter_map(|b| device_id(&b.place.device, &b.machine).ok());
    Ok(names.collect())
}

/// The device that stands for what a machine gets from another's device.
fn device_id(client: &DeviceId, machine: &MachineId) -> Result<DeviceId, Wrong> {
    let id = DeviceId::new(&format!("{client}.{machine}"));
    id.map_err(|_| Wrong::new("machine", WrongWhy::Name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> (tempfile::TempDir, Arc<DeviceBook>, Bindings) {
        let folder = tempfile::tempdir().unwrap();
        let book = Arc::new(DeviceBook::open(folder.path()).unwrap());
        for (name, role) in [("z2m", Role::Gateway), ("plug", Role::Device)] {
            book.add(DeviceId::new(name).unwrap(), role, None).unwrap();
        }
        let bindings = Bindings::open(folder.path(), Arc::clone(&book));
        (folder, book, bindings)
    }

    fn binding(
        device: &str,
        behind: &str,
        point: &str,
        (machine, becomes): (&str, &str),
    ) -> Binding {
        Binding {
            place: Place {
                device: DeviceId::new(device).unwrap(),
                behind: behind.to_owned(),
                point: point.to_owned(),
            },
            machine: MachineId::new(machine).unwrap(),
            becomes: becomes.to_owned(),
        }
    }

    /// Whom a message concerns, and with which points.
    fn parted(
        bindings: &Bindings,
        book: &DeviceBook,
        device: &str,
        message: (&str, &str),
    ) -> Vec<String> {
        let client = book.device(&DeviceId::new(device).unwrap()).unwrap();
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
        let (_folder, book, bindings) = opened();
        let clamp = ("zigbee2mqtt/clamp", r#"{"power_a":12,"power_b":7}"#);
        let plug = (
            "tele/plug/SENSOR",
            r#"{"ENERGY":{"Power":5},"COUNTER":{"C1":3}}"#,
        );
        assert_eq!(
            parted(&bindings, &book, "z2m", clamp),
            ["z2m/z2m: "],
            "nothing is guessed"
        );
        assert_eq!(
            parted(&bindings, &book, "plug", plug),
            ["plug/plug: counter_c1 power_w"]
        );
        for (point, machine) in [("power_a_w", "press-1"), ("power_b_w", "press-2")] {
            bindings
                .bind(binding("z2m", "clamp", point, (machine, "power_w")))
                .unwrap();
        }
        bindings
            .bind(binding("plug", "", "counter_c1", ("press-1", "cycle")))
            .unwrap();
        assert_eq!(
            parted(&bindings, &book, "z2m", clamp),
            [
                "z2m/z2m: ",
                "z2m.press-1/press-1: power_w",
                "z2m.press-2/press-2: power_w"
            ]
        );
        assert_eq!(
            parted(&bindings, &book, "plug", plug),
            ["plug/plug: power_w", "plug.press-1/press-1: cycle"]
        );
        let seen = bindings.seen();
        assert_eq!(seen.len(), 4);
        assert_eq!(seen.iter().filter(|seen| seen.binding.is_some()).count(), 3);
        assert!(
            book.device(&DeviceId::new("z2m.press-1").unwrap())
                .is_some()
        );
        bindings
            .bind(binding("plug", "", "counter_c1", ("plug", "cycle")))
            .unwrap();
        assert_eq!(
            parted(&bindings, &book, "plug", plug),
            ["plug/plug: cycle power_w"]
        );
        let stands_for = DeviceId::new("plug.plug").unwrap();
        assert!(book.device(&stands_for).is_none());
    }

    #[test]
    fn bindings_are_kept_and_what_cannot_be_is_named() {
        let (folder, book, bindings) = opened();
        bindings
            .bind(binding("z2m", "clamp", "power_a_w", ("press-1", "power_w")))
            .unwrap();
        let wrong = |new: Binding| match bindings.bind(new) {
            Err(SourceError::Wrong(wrong)) => (wrong.field, wrong.why),
            other => panic!("{other:?}"),
        };
        let taken = binding("z2m", "clamp", "power_b_w", ("press-1", "power_w"));
        assert_eq!(wrong(taken), ("as".to_owned(), WrongWhy::Taken));
        let name = binding("z2m", "clamp", "power_b_w", ("press-1", "a b"));
        assert_eq!(wrong(name), ("as".to_owned(), WrongWhy::Name));
        let long = binding("z2m", "clamp", "power_b_w", (&"m".repeat(64), "power_w"));
        assert_eq!(wrong(long), ("machine".to_owned(), WrongWhy::Name));
        let stranger = bindings.bind(binding("nobody", "", "x", ("press-1", "power_w")));
        assert!(matches!(stranger, Err(SourceError::Unknown(_))));
        let again = Bindings::open(folder.path(), Arc::clone(&book));
        assert_eq!(again.inner().bindings, bindings.inner().bindings);
        std::fs::write(folder.path().join("bindings.toml"), "[[binding]]\n").unwrap();
        assert!(bindings.refresh().is_err());
        assert_eq!(bindings.inner().bindings.len(), 1, "the old ones hold");
        let more = binding("z2m", "clamp", "power_b_w", ("press-2", "power_w"));
        assert!(
            bindings.bind(more).is_err(),
            "what was written by hand stays"
        );
        std::fs::write(folder.path().join("bindings.toml"), "").unwrap();
        bindings.refresh().unwrap();
        assert!(bindings.inner().bindings.is_empty());
    }

    #[test]
    fn a_device_that_invents_names_fills_no_memory() {
        let (_folder, book, bindings) = opened();
        for n in 0..2 * SEEN_OF_ONE_MAX {
            let topic = format!("zigbee2mqtt/x{n}");
            parted(&bindings, &book, "z2m", (&topic, r#"{"power":1}"#));
        }
        assert_eq!(bindings.seen().len(), SEEN_OF_ONE_MAX);
    }
}
