//! Changes of the register of devices: checked against all that is registered, kept together with
//! the evidence of who made them, and in force from then on. One at a time.

mod offline;
mod take_over;

use std::sync::{Arc, PoisonError};

use app::clock;
use app::commands::{Command, Orders};
use app::keeping::{DevicesChange, Keeping};
use app::ports::devices::{
    Changing, DeviceChange, DeviceChanged, DeviceProblem, Devices, EnrollError, Enrolled, Enrolling,
};
use app::threads::off_thread;
use model::{
    DeviceId, EventKind, RegisterFile, Registered, Registration, SWITCH_OFF, Table, Wrong, WrongWhy,
};
use serde_json::{Value, json};
use sources::{AddError, Changes, DeviceRegister, Draft, Lines, Registrations};
use store::{BOX, Entry};
use tracing::{error, warn};

pub use self::offline::OfflineRegister;
pub use self::take_over::open;
use crate::certificate::SharedCertificate;

/// Who acts, where somebody does it at this computer.
pub const CONSOLE: &str = "console";

/// What changes the register while the program runs.
pub struct Registrar(Arc<RegistrarParts>);

/// What a registrar needs.
pub struct RegistrarParts {
    /// The register in force; a change is put into it once it is durable.
    pub register: Arc<DeviceRegister>,
    /// Reads what the register says.
    pub lines: Arc<Lines>,
    /// Makes changes durable.
    pub orders: Orders,
    /// Signs devices; `None` if nothing is served over TLS.
    pub certificate: Option<SharedCertificate>,
    /// Has a device's connections ask whether they are still welcome.
    pub kick: Box<dyn Fn(&str) + Send + Sync>,
    /// Whose change it is.
    pub turn: tokio::sync::Mutex<()>,
}

app::opaque_debug!(Registrar, RegistrarParts);

/// Changes a draft; gives the token of a new device.
type Act = Box<dyn FnOnce(&mut Draft) -> Result<Option<String>, DeviceProblem> + Send>;

/// What is done to the register, and what the evidence says of it.
struct Doing {
    act: Act,
    /// The kind of event, where it is more than come, changed and gone; and what else is said of
    /// it.
    kind: Option<(EventKind, Value)>,
}

/// A change that was checked.
struct Prepared {
    registrations: Registrations,
    change: DevicesChange,
    done: DeviceChanged,
}

impl Doing {
    fn new(change: DeviceChange) -> Self {
        let kind = match &change {
            DeviceChange::Limit { is_limited, .. } if *is_limited => Some(EventKind::DeviceLimited),
            DeviceChange::Limit { .. } => Some(EventKind::DeviceFreed),
            _ => None,
        };
        Self {
            act: Box::new(|draft| apply(draft, change)),
            kind: kind.map(|kind| (kind, json!({}))),
        }
    }

    /// The token of a device is used up for a certificate.
    fn certify(id: DeviceId, token: String, fingerprint: String) -> Self {
        let about = json!({"certificate": fingerprint});
        let certify = move |draft: &mut Draft| {
            let is_known = draft.certify(&id, &token, &fingerprint);
            is_known.then_some(None).ok_or(DeviceProblem::NotFound)
        };
        Self {
            act: Box::new(certify),
            kind: Some((EventKind::DeviceEnrolled, about)),
        }
    }

    /// Checks it; nothing holds yet.
    fn prepare(self, register: &DeviceRegister, by: &str) -> Result<Prepared, DeviceProblem> {
        let mut draft = Draft::of(register);
        let token = (self.act)(&mut draft)?;
        let (before, now) = (register.registrations(), draft.into_registrations());
        let changes = Changes::between(&before, &now);
        let (kind, about) = self.kind.unzip();
        let about = about.unwrap_or_else(|| json!({}));
        let change = noted(&changes, &now, by, kind, &about);
        let Changes {
            came,
            changed,
            went,
        } = changes;
        Ok(Prepared {
            registrations: now,
            change,
            done: DeviceChanged {
                token,
                came,
                changed,
                went,
            },
        })
    }
}

/// What is kept of changes, and the evidence of them: events of this kind, or come, changed and
/// gone.
fn noted(
    changes: &Changes,
    now: &Registrations,
    by: &str,
    kind: Option<EventKind>,
    about: &Value,
) -> DevicesChange {
    let kinds = [
        (EventKind::DeviceAdded, &changes.came),
        (EventKind::DeviceChanged, &changes.changed),
        (EventKind::DeviceEnded, &changes.went),
    ];
    let mut change = DevicesChange::default();
    for (usual, devices) in kinds {
        for id in devices {
            let device = now.get(id);
            match device {
                Some(device) => change.devices.push(device.clone()),
                None => change.ended.push(id.clone()),
            }
            let (kind, mut body) = (kind.unwrap_or(usual), about.clone());
            body["device"] = json!(id);
            let source = device.and_then(Registration::source);
            if let Some(consent) = source.as_ref().and_then(|s| s.fields.get(SWITCH_OFF)) {
                body["switch_off"] = json!(consent);
            }
            let entry = Entry::new(clock::now(), by, kind, body);
            change.evidence.push(entry);
        }
    }
    change
}

/// Changes a draft; gives the token of a new device.
fn apply(draft: &mut Draft, change: DeviceChange) -> Result<Option<String>, DeviceProblem> {
    let is_known = match change {
        DeviceChange::Add { id, machine, role } => {
            return draft.add(id, machine, role).map(Some).map_err(no_token);
        }
        DeviceChange::Renew { id } => {
            let token = draft.renew(&id).map_err(no_token)?;
            return token.map(Some).ok_or(DeviceProblem::NotFound);
        }
        DeviceChange::Limit { id, is_limited } => draft.limit(&id, is_limited),
        DeviceChange::Connect(source) => {
            let added = draft.put_new(source.into());
            added.map_err(DeviceProblem::Wrong).map(|()| true)?
        }
        DeviceChange::KeepTable(table) => {
            let kept = keep_table(draft, table);
            kept.map_err(DeviceProblem::Wrong).map(|()| true)?
        }
        DeviceChange::Bind(binding) => draft.bind(binding).map_err(DeviceProblem::Wrong)?,
        DeviceChange::Unbind(place) => draft.unbind(&place),
        DeviceChange::End { id } => draft.end(&id),
        DeviceChange::Import(file) => import(draft, *file).map(|()| true)?,
    };
    is_known.then_some(None).ok_or(DeviceProblem::NotFound)
}

fn no_token(problem: AddError) -> DeviceProblem {
    match problem {
        AddError::Wrong(wrong) => DeviceProblem::Wrong(wrong),
        AddError::Random(error) => {
            error!(%error, "there is no random number for a token");
            DeviceProblem::NotDurable
        }
    }
}

/// Where a logger's files lie is said at this computer alone: a page opens no folder of it.
fn keep_table(draft: &mut Draft, mut table: Table) -> Result<(), Wrong> {
    table.folder = match draft.get(&table.id) {
        None => None,
        Some(known) => {
            let taken = || Wrong::new("id", WrongWhy::Taken);
            known.table().ok_or_else(taken)?.folder
        }
    };
    draft.put(table.into())
}

/// Takes in the devices of a file: all of them, or none.
fn import(draft: &mut Draft, file: RegisterFile) -> Result<(), DeviceProblem> {
    let said = Registered::from(file);
    let mut coming = Registrations::new();
    for device in said.devices {
        if let Some(twice) = coming.insert(device.id.clone(), device) {
            let wrong = Wrong::new("id", WrongWhy::Taken);
            return Err(DeviceProblem::WrongIn(twice.id, wrong));
        }
    }
    for binding in said.bindings {
        let id = binding.place.device.clone();
        let known = coming.get(&id).or_else(|| draft.get(&id));
        let Some(mut device) = known.cloned() else {
            let wrong = Wrong::new("device", WrongWhy::Unknown);
            return Err(DeviceProblem::WrongIn(id, wrong));
        };
        device.bind(binding);
        coming.insert(id, device);
    }
    let put = draft.put_all(coming.into_values().collect());
    put.map_err(|(id, wrong)| DeviceProblem::WrongIn(id, wrong))
}

impl Registrar {
    /// Who changes a register.
    pub fn new(parts: RegistrarParts) -> Self {
        Self(Arc::new(parts))
    }

    /// Carries something out to its end, even if nobody waits for it any more.
    async fn carry_out(&self, doing: Doing, by: String) -> Result<DeviceChanged, DeviceProblem> {
        let parts = Arc::clone(&self.0);
        let carried_out = tokio::spawn(async move { parts.carry_out(doing, &by).await });
        carried_out.await.unwrap_or(Err(DeviceProblem::NotDurable))
    }
}

impl RegistrarParts {
    async fn carry_out(&self, doing: Doing, by: &str) -> Result<DeviceChanged, DeviceProblem> {
        let _turn = self.turn.lock().await;
        let actor = by.to_owned();
        let prepare = move |register: &DeviceRegister| doing.prepare(register, &actor);
        let prepared = off_thread(&self.register, prepare).await?;
        if prepared.change.is_empty() {
            return Ok(prepared.done);
        }
        let keep = Command::Keep(Keeping::Devices(prepared.change));
        let kept = self.orders.give(keep, BOX).await;
        kept.map_err(|_| DeviceProblem::NotDurable)?;
        self.register.replace(prepared.registrations);
        self.lines.follow();
        let done = prepared.done;
        for id in done.changed.iter().chain(&done.went) {
            (self.kick)(id.as_str());
        }
        Ok(done)
    }

    /// Signs the certificate request of a device that shows its token.
    fn sign(
        &self,
        asked: &Applicant,
    ) -> Result<(DeviceId, trust::DeviceCertificate, String), EnrollError> {
        let certificate = self.certificate.as_ref().ok_or(EnrollError::Request)?;
        let known = self.register.check(&asked.name, asked.token.as_bytes());
        let known = known.ok_or(EnrollError::BadToken)?;
        let certificate = certificate.lock().unwrap_or_else(PoisonError::into_inner);
        let authority = certificate.authority();
        let signed = authority.sign_device(&asked.request, &known.id, clock::now());
        let signed = signed.map_err(|error| {
            warn!(%error, device = asked.name, "a certificate request was refused");
            EnrollError::Request
        })?;
        Ok((known.id.clone(), signed, authority.pem().to_owned()))
    }
}

/// A device that asks for a certificate of its own.
struct Applicant {
    name: String,
    token: String,
    request: String,
}

impl Devices for Registrar {
    fn change<'a>(&'a self, change: DeviceChange, by: &'a str) -> Changing<'a> {
        Box::pin(self.carry_out(Doing::new(change), by.to_owned()))
    }

    fn enroll<'a>(&'a self, name: &'a str, token: &'a str, request: &'a str) -> Enrolling<'a> {
        let asked = Applicant {
            name: name.to_owned(),
            token: token.to_owned(),
            request: request.to_owned(),
        };
        Box::pin(async move {
            let signed = off_thread(&self.0, move |parts| parts.sign(&asked)).await;
            let (id, signed, authority_pem) = signed?;
            let by = format!("device:{id}");
            let certify = Doing::certify(id, token.to_owned(), signed.fingerprint);
            let bound = self.carry_out(certify, by).await;
            bound.map_err(|problem| match problem {
                // It was ended, or its token used, in the same moment.
                DeviceProblem::NotFound => EnrollError::BadToken,
                _ => EnrollError::NotDurable,
            })?;
            Ok(Enrolled {
                certificate_pem: signed.pem,
                authority_pem,
            })
        })
    }
}
