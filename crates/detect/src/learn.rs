//! Learning a reference: the median and the median absolute deviation of the first good cycles,
//! so that a few odd ones among them do not move it.

use model::{Approval, ProductId, Reference, Span, Time};
use serde::{Deserialize, Serialize};

use crate::band::robust_band;
use crate::judge::CycleFacts;
use crate::normal::BINS;
use crate::quality::movement;
use crate::settings::{ApprovalMode, Settings};

/// Share of learning cycles that must lie near their median before it is called a reference.
const STEADY_SHARE: f64 = 0.6;
/// The newest learning cycles keep their recordings of power.
const RECORDINGS_MAX: usize = 40;

/// A reference from a set of cycles that are known to be normal.
pub fn reference_from(
    cycles: &[CycleFacts],
    product: ProductId,
    version: u32,
    approval: Approval,
) -> Option<Reference> {
    let energies: Vec<f64> = cycles.iter().filter_map(|c| c.energy_wh).collect();
    let enough_energy = energies.len() * 2 > cycles.len();
    Some(Reference {
        product,
        version,
        cycles: cycles.len() as u32,
        duration_s: robust_band(cycles.iter().map(|c| c.duration_s))?,
        work_s: robust_band(cycles.iter().map(|c| c.work_s))?,
        energy_wh: if enough_energy {
            robust_band(energies.into_iter())
        } else {
            None
        },
        waiting_w: robust_band(cycles.iter().filter_map(|c| c.waiting_w)).map(|b| b.median),
        moves_share: robust_band(cycles.iter().filter_map(moves)).map(|b| b.median),
        learned_at: cycles.last().map_or(Time::default(), |c| c.end),
        approval,
    })
}

/// How much power moves over a cycle.
fn moves(cycle: &CycleFacts) -> Option<f64> {
    let power = cycle.power.as_ref()?;
    let bins = power.bins(BINS);
    (bins > 1).then(|| movement(&power.profile(bins)))
}

/// Cycles gathered so far for one product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Learning {
    cycles: Vec<CycleFacts>,
}

impl Learning {
    /// How many cycles have been gathered.
    pub fn len(&self) -> usize {
        self.cycles.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.cycles.is_empty()
    }

    /// Lets go of the cycles of a stretch of time in which nothing was made.
    pub(crate) fn forget(&mut self, span: Span) {
        self.cycles.retain(|cycle| !span.has(cycle.end));
    }

    /// Takes one good cycle; gives the reference and its cycles when there are enough and they
    /// agree. If they do not agree the oldest are let go and learning goes on.
    pub(crate) fn take(
        &mut self,
        facts: CycleFacts,
        settings: &Settings,
        product: &ProductId,
        version: u32,
    ) -> Option<(Reference, Vec<CycleFacts>)> {
        self.keep(facts);
        let wanted = settings.learn_cycles as usize;
        if self.cycles.len() < wanted {
            return None;
        }
        let approval = match settings.approval {
            ApprovalMode::Automatic => Approval::Automatic,
            ApprovalMode::Person => Approval::Awaited,
        };
        let reference = reference_from(&self.cycles, product.clone(), version, approval)?;
        if self.agrees(&reference, settings.tolerance.time) {
            return Some((reference, std::mem::take(&mut self.cycles)));
        }
        self.cycles.drain(..(wanted / 3).max(1));
        None
    }

    fn keep(&mut self, facts: CycleFacts) {
        self.cycles.push(facts);
        if let Some(old) = self.cycles.len().checked_sub(RECORDINGS_MAX + 1) {
            self.cycles[old].power = None;
        }
    }

    /// Takes one cycle that was judged good; gives them all when there are enough.
    pub(crate) fn gather(
        &mut self,
        facts: CycleFacts,
        settings: &Settings,
    ) -> Option<Vec<CycleFacts>> {
        self.keep(facts);
        let enough = self.cycles.len() >= settings.learn_cycles as usize;
        enough.then(|| std::mem::take(&mut self.cycles))
    }

    fn agrees(&self, reference: &Reference, tolerance: f64) -> bool {
        let near = |value: f64, median: f64| (value / median - 1.0).abs() <= tolerance;
        let steady = self
            .cycles
            .iter()
            .filter(|c| {
                near(c.duration_s, reference.duration_s.median)
                    || near(c.work_s, reference.work_s.median)
            })
            .count();
        steady as f64 >= STEADY_SHARE * self.cycles.len() as f64
    }
}
