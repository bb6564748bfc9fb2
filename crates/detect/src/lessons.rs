//! What people taught about a machine's cycles: which of those beyond the limits are normal, which
//! faults are known, and which products are one. It is heeded by the same judgement live and in a
//! replay, and forgotten when it is taken back.

use model::{
    Annotation, DeviationReason, Hindsight, KnownFault, Lasting, NoticedCycle, PowerBand,
    ProductId, Remark,
};
use serde::{Deserialize, Serialize};

/// Lessons that are heeded; of more, the oldest are not.
const LESSONS_MAX: usize = 64;
/// A cycle is like one that was taught if it is no farther from it than this share of what is
/// allowed: nearer than a cycle that is well within its limits is to the usual one.
const ALIKE_SHARE: f64 = 1.0 / 3.0;
/// Lasting changes in the same direction are alike if neither is larger than the other by more than
/// this factor.
const ALIKE_CHANGE: f64 = 2.0;
/// No second and no watt-hour is told apart from none below this.
const LEAST: f64 = 1e-9;

/// One thing that was taught.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Lesson {
    /// The number of what was said.
    id: i64,
    taught: Taught,
    /// Cycles that were judged by it.
    used: u32,
}

/// What it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Taught {
    /// Such a cycle is normal.
    Normal(NoticedCycle),
    /// Such a cycle, or such a lasting change, is this fault.
    Fault(NoticedCycle, KnownFault),
    /// Such power for longer than in a usual cycle is no work.
    NoWork(PowerBand),
    /// A change that lasted is how the machine works: it was learned anew, if it still lasted.
    Change,
    /// What was made under one name was the other's.
    SameProduct {
        product: ProductId,
        earlier: ProductId,
    },
}

/// All that was taught about a machine, the newest last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub(crate) struct Lessons(Vec<Lesson>);

impl Lessons {
    /// Takes what somebody said, if it teaches anything that counts for cycles to come.
    pub(crate) fn learn(&mut self, said: &Annotation) {
        let taught = match &said.said {
            Remark::Hindsight {
                was,
                why,
                noticed: Some(noticed),
                ..
            } => match was {
                Hindsight::Wrong if noticed.lasting.is_some() => Taught::Change,
                Hindsight::Wrong => Taught::Normal(noticed.clone()),
                Hindsight::Right => {
                    let (at, why) = (said.at, why.clone());
                    Taught::Fault(noticed.clone(), KnownFault { at, why })
                }
            },
            Remark::SameProduct {
                product: Some(product),
                earlier: Some(earlier),
            } => {
                let (product, earlier) = (product.clone(), self.told_as(earlier).clone());
                if product == earlier {
                    return;
                }
                Taught::SameProduct { product, earlier }
            }
            Remark::NotProducing {
                power: Some(power), ..
            } => Taught::NoWork(*power),
            _ => return,
        };
        self.forget(said.id);
        if self.0.len() >= LESSONS_MAX {
            self.0.remove(0);
        }
        let (id, used) = (said.id, 0);
        self.0.push(Lesson { id, taught, used });
    }

    /// Heeds no longer what was taken back.
    pub(crate) fn forget(&mut self, id: i64) {
        self.0.retain(|lesson| lesson.id != id);
    }

    /// How many cycles each was used for, by its number.
    pub(crate) fn used(&self) -> impl Iterator<Item = (i64, u32)> + '_ {
        self.0.iter().map(|lesson| (lesson.id, lesson.used))
    }

    /// Whether a cycle beyond the limits is one that is normal for this product; counted.
    pub(crate) fn excuse(&mut self, product: &ProductId, reason: &DeviationReason) -> bool {
        let now = NoticedCycle::of(product, reason);
        let lesson = self.newest(|taught| match taught {
            Taught::Normal(then) => self.is_alike(then, &now, reason),
            _ => false,
        });
        self.count(lesson).is_some()
    }

    /// The known fault that looks like what was noticed now, the latest first; counted.
    pub(crate) fn recognise(
        &mut self,
        product: &ProductId,
        reason: &DeviationReason,
    ) -> Option<KnownFault> {
        let now = NoticedCycle::of(product, reason);
        let lesson = self.newest(|taught| match taught {
            Taught::Fault(then, _) => self.is_alike(then, &now, reason),
            _ => false,
        });
        match self.count(lesson)? {
            Taught::Fault(_, fault) => Some(fault.clone()),
            _ => None,
        }
    }

    fn newest(&self, is_meant: impl Fn(&Taught) -> bool) -> Option<usize> {
        self.0.iter().rposition(|lesson| is_meant(&lesson.taught))
    }

    fn count(&mut self, lesson: Option<usize>) -> Option<&Taught> {
        let lesson = self.0.get_mut(lesson?)?;
        lesson.used = lesson.used.saturating_add(1);
        Some(&lesson.taught)
    }

    /// Whether what is noticed now is like what was noticed then, of the same product: the cycle,
    /// or the lasting change.
    fn is_alike(&self, then: &NoticedCycle, now: &NoticedCycle, allowed: &DeviationReason) -> bool {
        let is_near = |one: f64, other: f64, limit: f64| {
            let apart = (one.max(LEAST) / other.max(LEAST)).ln().abs();
            apart <= ALIKE_SHARE * limit
        };
        let is_like = match (then.lasting, now.lasting) {
            (Some(then), Some(now)) => is_same_change(&then, &now),
            (None, None) => {
                let energy = match (then.energy_wh, now.energy_wh) {
                    (Some(then), Some(now)) => is_near(then, now, allowed.tolerance_energy),
                    (None, None) => true,
                    _ => false,
                };
                energy && is_near(then.duration_s, now.duration_s, allowed.tolerance_time)
            }
            _ => false,
        };
        is_like && self.told_as(&then.product) == self.told_as(&now.product)
    }

    /// The power that is no work and that this is.
    pub(crate) fn no_work(&self, watts: f64) -> Option<PowerBand> {
        let mut lessons = self.0.iter().rev();
        lessons.find_map(|lesson| match lesson.taught {
            Taught::NoWork(power) => Some(power).filter(|power| power.has(watts)),
            _ => None,
        })
    }

    /// What a product is told as.
    pub(crate) fn told_as<'a>(&'a self, product: &'a ProductId) -> &'a ProductId {
        // Each was taught with the name that the earlier one had then; that may be another by now.
        let mut name = product;
        for _ in 0..=self.0.len() {
            let same = self.0.iter().rev().find_map(|lesson| match &lesson.taught {
                Taught::SameProduct { product, earlier } if product == name => Some(earlier),
                _ => None,
            });
            match same {
                Some(earlier) => name = earlier,
                None => break,
            }
        }
        name
    }
}

/// Whether two lasting changes are of the same thing, in the same direction and of about the size.
fn is_same_change(then: &Lasting, now: &Lasting) -> bool {
    let factor = now.share / then.share;
    then.quantity == now.quantity && (1.0 / ALIKE_CHANGE..=ALIKE_CHANGE).contains(&factor)
}
