//! What people teach while a machine is watched, and what they take back.

use model::{
    Annotation, DeviationReason, Hindsight, PowerBand, ProductId, Reference, Remark, Time,
};
use serde::{Deserialize, Serialize};

use super::{Outcome, Watch};
use crate::course::Watched;

/// What was normal for a product before a person said that a lasting change is: put back when he
/// takes that back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct FormerNormal {
    /// The number of what was said.
    said: i64,
    product: ProductId,
    reference: Option<Reference>,
    course: Option<Watched>,
}

/// Power that is no work has to last longer by this factor than it does in a usual cycle,
const LONGER: f64 = 1.5;
/// and for so many readings.
const SURE_READINGS: f64 = 3.0;

/// What a person said is no work is being drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct NoWork {
    power: PowerBand,
    since: Time,
    /// After so many seconds the machine is not at work; `None` if that cannot be told.
    sure_s: Option<f64>,
}

impl Watch {
    /// Takes what somebody said, or took back, and judges by it from now on: the same live and in a
    /// replay. What teaches nothing changes nothing.
    pub fn teach(&mut self, said: &Annotation, at: Time, out: &mut Vec<Outcome>) {
        if said.withdrawn_at.is_some() {
            self.lessons.forget(said.id);
            self.put_back(said.id, at, out);
            return;
        }
        self.lessons.learn(said);
        if let Some(span) = said.span() {
            let all = self.products.values_mut();
            all.for_each(|memory| memory.learning.forget(span));
        }
        let Remark::Hindsight {
            finding,
            was: Hindsight::Wrong,
            noticed: Some(noticed),
            ..
        } = &said.said
        else {
            return;
        };
        let Some(kind) = finding.alarm() else { return };
        let lasts = noticed.lasting.is_some();
        let is_made = self.lessons.told_as(&noticed.product) == self.lessons.told_as(&self.product);
        let mut alarms = self.alarms.iter();
        let is_open = alarms.any(|alarm| alarm.kind == kind && alarm.lasts);
        if lasts && is_made && is_open {
            self.learn_change(said.id, at, out);
        } else if is_made {
            self.held_alarm.take_if(|held| held.kind == kind);
            self.end_alarms(at, out, |alarm| alarm.kind == kind && alarm.lasts == lasts);
        }
    }

    /// Notes whether power is what a person said is no work.
    pub(super) fn note_no_work(&mut self, t: Time, watts: f64) {
        let Some(power) = self.lessons.no_work(watts) else {
            self.no_work = None;
            return;
        };
        if self.no_work.is_none_or(|known| known.power != power) {
            let in_cycle = self.course.longest_within(&self.product, power);
            let apart_s = self.meter.interval_s().unwrap_or(0.0);
            self.no_work = Some(NoWork {
                power,
                since: t,
                sure_s: in_cycle.map(|s| LONGER * s + SURE_READINGS * apart_s),
            });
        }
    }

    /// Whether the machine has drawn what is no work for longer than it does in a usual cycle.
    pub(super) fn makes_nothing(&self, t: Time) -> bool {
        let since = self.no_work.and_then(|it| Some((it.since, it.sure_s?)));
        since.is_some_and(|(since, sure_s)| t.since(since) > sure_s)
    }

    /// How many cycles each of those things that were taught was used for, by the number of what
    /// was said.
    pub fn lessons_used(&self) -> impl Iterator<Item = (i64, u32)> + '_ {
        self.lessons.used()
    }

    /// A change that lasts is how the machine works: the coming cycles show it.
    fn learn_change(&mut self, said: i64, at: Time, out: &mut Vec<Outcome>) {
        let product = self.product.clone();
        let (reference, course) = self.forget_reference();
        self.former = Some(Box::new(FormerNormal {
            said,
            product,
            reference,
            course,
        }));
        self.end_cycle_alarms(at, out);
    }

    /// What was normal before somebody said so is normal again, as another version.
    fn put_back(&mut self, said: i64, at: Time, out: &mut Vec<Outcome>) {
        let Some(former) = self.former.take_if(|former| former.said == said) else {
            return;
        };
        let FormerNormal {
            product,
            reference,
            course,
            ..
        } = *former;
        let Some(memory) = self.products.get_mut(&product) else {
            return;
        };
        memory.gather_anew(false);
        memory.versions += 1;
        let version = memory.versions;
        memory.reference = reference.map(|before| Reference { version, ..before });
        out.extend(memory.reference.clone().map(Outcome::Reference));
        if let Some(course) = course {
            self.course.put_back(&product, course);
        }
        self.end_cycle_alarms(at, out);
    }

    /// What the product that is being made is told as.
    pub(super) fn told_product(&self) -> ProductId {
        self.lessons.told_as(&self.product).clone()
    }

    /// Whether a person said that such a cycle is normal.
    pub(super) fn is_taught_normal(&mut self, reason: &DeviationReason) -> bool {
        let product = self.told_product();
        self.lessons.excuse(&product, reason)
    }

    /// The same numbers, with the known fault that they look like.
    pub(super) fn recognised(&mut self, reason: DeviationReason) -> DeviationReason {
        let product = self.told_product();
        let like = self.lessons.recognise(&product, &reason);
        DeviationReason { like, ..reason }
    }
}
