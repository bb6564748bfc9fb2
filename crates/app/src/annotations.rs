//! What people say of a machine's past. It is kept as it was said; who finds it wrong takes it back
//! and says it anew, and both stay in the evidence.

use std::sync::atomic::{AtomicI64, Ordering};

use model::{
    Annotation, DAY_MS, EventKind, FindingKind, MachineId, NoticedCycle, PowerBand, ProductId,
    Remark, Span, Time, UNNAMED_PRODUCT,
};
use serde_json::json;
use store::{Entry, Reader, StoreError};
use tokio::sync::Mutex;

use crate::commands::{Command, OrderError, Orders};
use crate::keeping::Keeping;
use crate::known::Known;

/// A telephone's clock may be this far ahead of the box's, in milliseconds.
const AHEAD_MS_MAX: i64 = 60_000;

/// A maintenance is planned at most so far ahead, in milliseconds.
const PLANNED_MS_MAX: i64 = 366 * DAY_MS;
/// Pixels of the picture in which usual power is looked for.
const POWER_PIXELS: usize = 400;
/// What is left out is so by whole minutes: energy is kept by them.
const MINUTE_MS: i64 = 60_000;

/// The moment that something is said of, and what, if these lie where they can.
fn in_range(at: Time, said: Remark, now: Time) -> Option<(Time, Remark)> {
    let lasts = |until: Time| (1..=Remark::LASTING_MS_MAX).contains(&(until.ms() - at.ms()));
    match said {
        Remark::Maintenance { until } => {
            let is_near = at <= now + PLANNED_MS_MAX;
            (lasts(until) && is_near).then_some((at, said))
        }
        Remark::NotProducing { until, .. } => {
            let is_past = until <= now + AHEAD_MS_MAX;
            (lasts(until) && is_past).then_some((at, said))
        }
        Remark::LeftOut { until, what, why } => {
            let from = at.minute();
            // The minute that lasts is not over: what comes of it is not known yet.
            let last = now.minute();
            let is_past = until <= now + AHEAD_MS_MAX;
            let until = (until + (MINUTE_MS - 1)).minute().min(last);
            let fits = is_past && from < until && lasts(until);
            fits.then_some((from, Remark::LeftOut { until, what, why }))
        }
        said => (at <= now + AHEAD_MS_MAX).then_some((at.min(now), said)),
    }
}

/// The same with what was noticed at that moment, as it is kept; `None` if that was nothing of the
/// kind.
fn filled_in(
    reader: &dyn Reader,
    machine: &MachineId,
    at: Time,
    said: Remark,
) -> Result<Option<Remark>, StoreError> {
    let find = |kind| {
        let noticed = reader.findings_in(machine, Span::new(at, at + 1))?;
        Ok::<_, StoreError>(noticed.into_iter().find(|row| row.kind == kind))
    };
    Ok(match said {
        Remark::Hindsight {
            finding, was, why, ..
        } => find(finding)?.and_then(|row| {
            let product = ProductId::new(&row.product).ok()?;
            let noticed = NoticedCycle::of(&product, row.reason.as_ref()?);
            finding.alarm()?;
            Some(Remark::Hindsight {
                finding,
                was,
                why,
                noticed: Some(noticed),
            })
        }),
        Remark::SameProduct { .. } => {
            let before = reader.cycles(machine, Span::new(Span::ALWAYS.from, at), 1)?;
            let earlier = before.items.into_iter().next();
            let earlier = earlier.map(|row| row.cycle.product);
            let product = find(FindingKind::ProductChanged)?;
            let product = product.and_then(|row| ProductId::new(&row.product).ok());
            // One that people or the machine name is what they say it is.
            let product = product.filter(|p| p.as_str().starts_with(UNNAMED_PRODUCT));
            let is_other = product.is_some() && earlier.is_some() && product != earlier;
            is_other.then_some(Remark::SameProduct { product, earlier })
        }
        Remark::NotProducing { until, why, .. } => Some(Remark::NotProducing {
            until,
            why,
            power: power_within(reader, machine, Span::new(at, until))?,
        }),
        said => Some(said),
    })
}

/// What a machine drew in a span, without what it did for a moment only; `None` where that is not
/// known.
fn power_within(
    reader: &dyn Reader,
    machine: &MachineId,
    span: Span,
) -> Result<Option<PowerBand>, StoreError> {
    let assignments = reader.assignments()?;
    let watched = |device: &str| {
        let mut of_it = assignments.iter().filter(|one| one.device == device);
        let last = of_it.rfind(|one| one.since <= span.from);
        last.is_some_and(|one| one.machine == *machine)
    };
    for series in reader.series()? {
        if !series.is_power() || !watched(&series.device) {
            continue;
        }
        let picture = reader.picture(series.id, span, POWER_PIXELS)?;
        if let Some(band) = PowerBand::usual(picture.iter().map(|bucket| bucket.mean)) {
            return Ok(Some(band));
        }
    }
    Ok(None)
}

/// Takes what people say, and what they take back.
#[derive(Debug)]
pub struct Annotations {
    known: Known,
    orders: Orders,
    /// The number that was given last.
    last: AtomicI64,
    /// Two who take the same back at once are told so one after the other.
    withdrawing: Mutex<()>,
}

impl Annotations {
    /// Goes on with the numbers that are kept.
    pub fn open(known: Known, orders: Orders) -> Result<Self, StoreError> {
        let last = AtomicI64::new(known.reader.last_annotation()?);
        Ok(Self {
            known,
            orders,
            last,
            withdrawing: Mutex::new(()),
        })
    }

    /// Keeps what somebody says of a machine at a moment; gives its number.
    pub async fn tell(
        &self,
        machine: &MachineId,
        at: Time,
        said: Remark,
        by: &str,
    ) -> Result<i64, OrderError> {
        let now = self.known.now();
        if self.known.board().machine(machine.as_str()).is_none() {
            return Err(OrderError::NotFound);
        }
        let said = said.checked().ok_or(OrderError::OutOfRange)?;
        let (at, said) = in_range(at, said, now).ok_or(OrderError::OutOfRange)?;
        let annotation = self.numbered(machine, at, said, by);
        let id = annotation.id;
        if annotation.said.teaches() {
            self.teach(annotation, by).await?;
        } else {
            self.keep(vec![(annotation, EventKind::AnnotationTold)], by)
                .await?;
        }
        Ok(id)
    }

    /// Keeps what somebody found out about what was noticed at a moment, with the numbers of it; in
    /// the place of what was said of the same before.
    async fn teach(&self, annotation: Annotation, by: &str) -> Result<(), OrderError> {
        let _turn = self.withdrawing.lock().await;
        let read = self.known.read(move |reader| {
            let Annotation { machine, at, .. } = &annotation;
            let before = reader.annotations(Some(machine), Span::new(*at, *at + 1))?;
            let said = filled_in(reader, machine, *at, annotation.said.clone())?;
            Ok((said.map(|said| Annotation { said, ..annotation }), before))
        });
        let (told, before) = read.await.map_err(|_| OrderError::NotDurable)?;
        let told = told.ok_or(OrderError::NotFound)?;
        let is_same =
            |old: &Annotation| old.withdrawn_at.is_none() && old.said.is_about(&told.said);
        let old = before.into_iter().filter(is_same);
        let old = old.map(|old| (self.taken_back(old, by), EventKind::AnnotationWithdrawn));
        let mut both: Vec<_> = old.collect();
        both.push((told, EventKind::AnnotationTold));
        self.keep(both, by).await
    }

    fn numbered(&self, machine: &MachineId, at: Time, said: Remark, by: &str) -> Annotation {
        Annotation {
            id: self.last.fetch_add(1, Ordering::Relaxed) + 1,
            machine: machine.clone(),
            at,
            said,
            told_at: self.known.now(),
            told_by: by.to_owned(),
            withdrawn_at: None,
            withdrawn_by: None,
        }
    }

    /// What was said by a number.
    pub async fn said(&self, id: i64) -> Result<Annotation, OrderError> {
        let kept = self.known.read(move |reader| reader.annotation(id)).await;
        let said = kept.map_err(|_| OrderError::NotDurable)?;
        said.ok_or(OrderError::NotFound)
    }

    /// Takes back what was said by this number, of this machine if one is named.
    pub async fn withdraw(
        &self,
        id: i64,
        of: Option<&MachineId>,
        by: &str,
    ) -> Result<(), OrderError> {
        let _turn = self.withdrawing.lock().await;
        let withdrawn = self.withdrawn(id, of, by).await?;
        self.keep(vec![(withdrawn, EventKind::AnnotationWithdrawn)], by)
            .await
    }

    /// What stands by a number, taken back.
    async fn withdrawn(
        &self,
        id: i64,
        of: Option<&MachineId>,
        by: &str,
    ) -> Result<Annotation, OrderError> {
        let annotation = self.said(id).await?;
        let is_meant = of.is_none_or(|of| *of == annotation.machine);
        if annotation.withdrawn_at.is_some() || !is_meant {
            return Err(OrderError::NotFound);
        }
        Ok(self.taken_back(annotation, by))
    }

    fn taken_back(&self, annotation: Annotation, by: &str) -> Annotation {
        Annotation {
            withdrawn_at: Some(self.known.now()),
            withdrawn_by: Some(by.to_owned()),
            ..annotation
        }
    }

    /// A maintenance that lasts ends now; what of it has been stays. One that has not begun is not
    /// to be.
    pub async fn end_maintenance(
        &self,
        id: i64,
        of: &MachineId,
        by: &str,
    ) -> Result<(), OrderError> {
        let _turn = self.withdrawing.lock().await;
        let withdrawn = self.withdrawn(id, Some(of), by).await?;
        let Remark::Maintenance { until } = withdrawn.said else {
            return Err(OrderError::NotFound);
        };
        let (at, now) = (withdrawn.at, self.known.now());
        let mut said = vec![(withdrawn, EventKind::AnnotationWithdrawn)];
        if at < now && now < until {
            let been = self.numbered(of, at, Remark::Maintenance { until: now }, by);
            said.push((been, EventKind::AnnotationTold));
        }
        self.keep(said, by).await
    }

    async fn keep(&self, said: Vec<(Annotation, EventKind)>, by: &str) -> Result<(), OrderError> {
        let now = self.known.now();
        let entries = said.into_iter().map(|(annotation, kind)| {
            let about = json!({"id": annotation.id, "machine": annotation.machine,
                "at": annotation.at, "said": annotation.said});
            let entry = Entry::new(now, by, kind, about);
            (annotation, entry)
        });
        let keep = Command::Keep(Keeping::Annotations(entries.collect()));
        self.orders.give(keep, by).await
    }
}
