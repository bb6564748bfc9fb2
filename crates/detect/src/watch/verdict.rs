//! The verdict on a finished cycle, and what it does to alarms: the tolerance as the outer limit,
//! the course of the machine inside it.

use model::{
    AlarmKind, Approval, Cycle, CycleVerdict, DeviationReason, FindingKind, Lasting, ProductId,
    Quantity, Reference, Time, UNNAMED_PRODUCT,
};

use super::{CycleFacts, Finished, HeldAlarm, OpenAlarm, Outcome, Watch};
use crate::course::{CourseEvent, JudgedCycle};
use crate::judge::{has_waited, judge};
use crate::learn::{Learning, reference_from};
use crate::settings::ApprovalMode;

/// Good cycles in a row after which an alarm about single cycles is over.
const GOOD_CYCLES_TO_CLEAR: u32 = 3;
/// A cycle is good again when it keeps within this share of the tolerance: at its limit an alarm
/// would come and go with every cycle.
const WELL_WITHIN: f64 = 2.0 / 3.0;
/// A product is learned anew this often because its machine got warm.
const WARMED_MAX: u32 = 4;
/// Shapes of products nobody names that get a number; after that the oldest number is used again.
const SHAPES_NAMED_MAX: u32 = 999;

impl Watch {
    /// Judges a finished cycle measured elsewhere: one row of a table of cycles.
    pub fn cycle(&mut self, facts: CycleFacts, out: &mut Vec<Outcome>) {
        self.conclude(facts, false, out);
    }

    /// Takes cycles that are known to be normal as the reference of the product being made.
    pub fn learn_from(&mut self, cycles: &[CycleFacts], out: &mut Vec<Outcome>) -> bool {
        let product = self.product.clone();
        let version = self.memory().versions + 1;
        let Some(reference) = reference_from(cycles, product, version, Approval::Automatic) else {
            return false;
        };
        self.adopt(reference, cycles, out);
        true
    }

    pub(super) fn conclude(&mut self, facts: CycleFacts, broken: bool, out: &mut Vec<Outcome>) {
        self.conclude_flagged(facts, broken, false, out);
    }

    pub(super) fn conclude_flagged(
        &mut self,
        facts: CycleFacts,
        broken: bool,
        product_changed: bool,
        out: &mut Vec<Outcome>,
    ) {
        self.course.saw(&facts);
        let blind = broken || self.measures_power() && facts.energy_wh.is_none();
        let (verdict, reason, judged) = if product_changed {
            (CycleVerdict::ProductChanged, None, None)
        } else if blind || self.is_doubtful(&facts, out) || self.note_power(&facts) {
            (CycleVerdict::Unknown, None, None)
        } else {
            self.verdict(&facts, out)
        };
        let cycle = self.finished(&facts, verdict);
        let end = facts.end;
        out.push(Outcome::Cycle(Box::new(Finished {
            cycle,
            reason: reason.clone(),
            oddness: judged.as_ref().map(|j| j.oddness),
            facts,
        })));
        self.settle_held(judged.as_ref(), out);
        // What lasts is told first: then nothing is told of its last cycle by itself.
        if let Some(event) = judged.and_then(|j| j.event) {
            self.course_event(event, end, reason.clone(), out);
        }
        self.alarm_from(verdict, end, reason.as_ref(), out);
    }

    /// Takes cycles that were counted together: nothing is judged by their times.
    pub(super) fn conclude_counted(
        &mut self,
        together: &CycleFacts,
        count: u32,
        out: &mut Vec<Outcome>,
    ) {
        // No two cycles begin in one millisecond.
        let most = (together.duration_s * 1_000.0) as u32;
        for facts in together.shares(count.min(most)) {
            let cycle = self.finished(&facts, CycleVerdict::Counted);
            out.push(Outcome::Cycle(Box::new(Finished {
                cycle,
                reason: None,
                oddness: None,
                facts,
            })));
        }
    }

    fn finished(&self, facts: &CycleFacts, verdict: CycleVerdict) -> Cycle {
        Cycle {
            product: self.told_product(),
            start: facts.start,
            end: facts.end,
            duration_s: facts.duration_s,
            work_s: facts.work_s,
            energy_wh: facts.energy_wh,
            verdict,
        }
    }

    /// Whether the sensor and not the machine is odd; told when that begins.
    fn is_doubtful(&mut self, facts: &CycleFacts, out: &mut Vec<Outcome>) -> bool {
        let memory = self.products.get(&self.product);
        let reference = memory.and_then(|m| m.reference.as_ref());
        let Some((doubt, is_new)) = self.quality.cycle(facts, reference) else {
            return false;
        };
        if is_new {
            self.doubt(doubt, facts.end, out);
        }
        true
    }

    fn verdict(
        &mut self,
        facts: &CycleFacts,
        out: &mut Vec<Outcome>,
    ) -> (CycleVerdict, Option<DeviationReason>, Option<JudgedCycle>) {
        let settings = self.settings;
        let memory = self.memory();
        match &memory.reference {
            Some(reference) if reference.is_approved() => {
                let (verdict, reason) = judge(facts, reference, settings.tolerance);
                if verdict.is_bad() && self.is_taught_normal(&reason) {
                    return (CycleVerdict::Good, Some(reason), None);
                }
                let (verdict, judged) = self.inside(facts, verdict, &reason, out);
                (verdict, Some(reason), judged)
            }
            Some(_) => (CycleVerdict::AwaitingApproval, None, None),
            None => {
                self.learn(facts, out);
                (CycleVerdict::Learning, None, None)
            }
        }
    }

    /// What the machine's own course says of a cycle that the outer limit has judged.
    fn inside(
        &mut self,
        facts: &CycleFacts,
        outer: CycleVerdict,
        reason: &DeviationReason,
        out: &mut Vec<Outcome>,
    ) -> (CycleVerdict, Option<JudgedCycle>) {
        // A wait is not of the machine's making and would only blur what is.
        if outer == CycleVerdict::Waiting {
            return (outer, None);
        }
        let product = self.product.clone();
        if !self.course.knows(&product) {
            self.learn_course(&product, facts, outer);
            return (outer, None);
        }
        // Another shape may be another product; so may one cycle that this machine scatters to.
        let is_energy = outer == CycleVerdict::EnergyChanged;
        let may_be_other = !self.course.is_reason_enough(&product, facts, is_energy)
            || self.course.is_strange(&product, facts);
        let judged = self.course.take(&product, facts);
        let event = judged.as_ref().and_then(|j| j.event.as_ref());
        let is_other = matches!(event, Some(CourseEvent::OtherShape { .. }));
        let is_undecided = self.course.is_undecided(&product);
        let excused = outer.is_bad() && (may_be_other || is_other || is_undecided);
        if let Some(kind) = alarm_of_verdict(outer).filter(|_| is_undecided && !may_be_other) {
            let (at, reason) = (facts.end, reason.clone());
            self.held_alarm
                .get_or_insert(HeldAlarm { kind, at, reason });
        }
        self.forecast = self
            .course
            .forecast(&product, self.settings.tolerance.energy);
        let is_odd = judged.as_ref().is_some_and(|j| j.oddness > 1.0);
        self.learn_moved(facts, outer, out);
        let verdict = match outer {
            bad if bad.is_bad() && !excused => bad,
            _ if is_odd || outer.is_bad() => CycleVerdict::Odd,
            good => good,
        };
        (verdict, judged)
    }

    /// A reference whose course is not known, from an older program or of a product not made for
    /// long: good cycles make it known again.
    fn learn_course(&mut self, product: &ProductId, facts: &CycleFacts, outer: CycleVerdict) {
        if outer != CycleVerdict::Good {
            return;
        }
        let settings = self.settings;
        let learned = self.memory().learning.gather(facts.clone(), &settings);
        if let Some(cycles) = learned {
            self.course
                .learn(product, &cycles, settings.alarms_per_month);
        }
    }

    /// What is normal has moved, said once. Unless a person approves what is learned, the coming
    /// cycles show to where.
    fn moved(&mut self, at: Time, out: &mut Vec<Outcome>) {
        let is_automatic = self.settings.approval == ApprovalMode::Automatic;
        let version = self.memory().versions;
        let told = self.memory().told_moved.replace(version);
        if is_automatic || told != Some(version) {
            self.tell(FindingKind::NormalMoved, at, None, out);
        }
        self.memory().gather_anew(is_automatic);
    }

    /// Gathers what is normal now; a fault meanwhile ends it. Tolerance goes on from the same
    /// middle, as another version that says when it was learned.
    fn learn_moved(&mut self, facts: &CycleFacts, outer: CycleVerdict, out: &mut Vec<Outcome>) {
        if !self.memory().is_moving {
            return;
        }
        if outer.is_bad() || self.course.is_changing() {
            self.memory().gather_anew(false);
            return;
        }
        let (settings, product) = (self.settings, self.product.clone());
        let memory = self.memory();
        let Some(cycles) = memory.learning.gather(facts.clone(), &settings) else {
            return;
        };
        memory.is_moving = false;
        if !self.course.learn_moved(&product, &cycles) {
            return;
        }
        let memory = self.memory();
        memory.versions += 1;
        let version = memory.versions;
        if let Some(reference) = memory.reference.as_mut() {
            reference.version = version;
            reference.learned_at = facts.end;
            out.push(Outcome::Reference(reference.clone()));
        }
    }

    fn learn(&mut self, facts: &CycleFacts, out: &mut Vec<Outcome>) {
        let (settings, product) = (self.settings, self.product.clone());
        let memory = self.memory();
        let version = memory.versions + 1;
        let learned = memory
            .learning
            .take(facts.clone(), &settings, &product, version);
        if let Some((reference, cycles)) = learned {
            self.adopt(reference, &cycles, out);
        }
    }

    fn adopt(&mut self, reference: Reference, cycles: &[CycleFacts], out: &mut Vec<Outcome>) {
        let product = self.product.clone();
        let per_month = self.settings.alarms_per_month;
        // A wait while learning is none of what the machine does by itself.
        let tolerance = self.settings.tolerance;
        let waited = |facts: &&CycleFacts| has_waited(facts, &reference, tolerance);
        let of_itself: Vec<CycleFacts> = cycles.iter().filter(|c| !waited(c)).cloned().collect();
        self.course.learn(&product, &of_itself, per_month);
        let memory = self.memory();
        memory.versions = reference.version;
        memory.reference = Some(reference.clone());
        memory.learning = Learning::default();
        self.tell(
            FindingKind::ReferenceLearned,
            reference.learned_at,
            None,
            out,
        );
        out.push(Outcome::Reference(reference));
    }

    fn course_event(
        &mut self,
        event: CourseEvent,
        at: Time,
        reason: Option<DeviationReason>,
        out: &mut Vec<Outcome>,
    ) {
        match event {
            CourseEvent::Began(lasting) if self.was_learned_cold(&lasting) => self.learn_warm(),
            CourseEvent::Began(lasting) => self.lasting(lasting, at, reason, out),
            CourseEvent::Ended(quantity) => {
                let kind = alarm_of(quantity);
                self.end_alarms(at, out, |alarm| alarm.kind == kind && alarm.lasts);
            }
            CourseEvent::OtherShape { known, cycles } if !self.names_products => {
                self.change_over(known, cycles, at, out);
            }
            CourseEvent::Moved => self.moved(at, out),
            // The product has a name and the name has not changed: its shape has.
            CourseEvent::OtherShape { cycles, .. } => {
                let time = reason.as_ref().map(DeviationReason::duration_deviation);
                let tolerated = self.settings.tolerance.time;
                let time = time.filter(|share| share.abs() > tolerated);
                let reason = reason.map(|reason| DeviationReason {
                    contrast: self
                        .course
                        .contrast(&self.product, Quantity::Shape, cycles.iter()),
                    ..reason
                });
                let lasting = Lasting {
                    quantity: time.map_or(Quantity::Shape, |_| Quantity::Time),
                    share: time.unwrap_or(1.0),
                    cycles: cycles.len() as u32,
                    since: cycles.first().map_or(at, |c| c.start),
                    is_gradual: None,
                    forecast: None,
                };
                self.lasting(lasting, at, reason, out);
            }
        }
    }

    /// Whether the reference is of a cold machine that has become warm.
    fn was_learned_cold(&mut self, lasting: &Lasting) -> bool {
        self.course.is_warming(&self.product, lasting) && self.memory().warmed < WARMED_MAX
    }

    /// What was learned cold must not judge the warm machine: the coming cycles are the next
    /// version.
    fn learn_warm(&mut self) {
        self.memory().warmed += 1;
        self.forget_reference();
    }

    fn lasting(
        &mut self,
        lasting: Lasting,
        at: Time,
        reason: Option<DeviationReason>,
        out: &mut Vec<Outcome>,
    ) {
        let kind = alarm_of(lasting.quantity);
        let forecast = self
            .forecast
            .filter(|_| lasting.quantity == Quantity::Energy);
        let lasting = Lasting {
            forecast,
            ..lasting
        };
        let cycles = self.course.latest(lasting.cycles as usize);
        let contrast = self
            .course
            .contrast(&self.product, lasting.quantity, cycles);
        let reason = reason.map(|reason| DeviationReason {
            contrast: contrast.or(reason.contrast),
            lasting: Some(lasting),
            ..reason
        });
        // What a single cycle said is confirmed: that is told anew, in the words for it.
        self.end_alarms(at, out, |alarm| alarm.kind == kind && !alarm.lasts);
        self.raise(kind, at, reason, out);
        for alarm in self.alarms.iter_mut().filter(|alarm| alarm.kind == kind) {
            alarm.lasts = true;
        }
    }

    /// The machine makes another product that nobody named.
    fn change_over(
        &mut self,
        known: Option<ProductId>,
        cycles: Vec<CycleFacts>,
        at: Time,
        out: &mut Vec<Outcome>,
    ) {
        let is_known = known.is_some();
        let before = self.told_product();
        self.product = known.unwrap_or_else(|| self.next_shape());
        self.forecast = None;
        let since = cycles.first().map_or(at, |cycle| cycle.start);
        // A product that is made in two ways is one.
        if self.told_product() != before {
            self.tell(FindingKind::ProductChanged, since, None, out);
        }
        if !is_known {
            for facts in &cycles {
                self.learn(facts, out);
            }
        }
        // What was pending was the new product and not a fault of the old one.
        self.end_cycle_alarms(at, out);
    }

    /// A name for a shape nobody named.
    fn next_shape(&mut self) -> ProductId {
        self.shapes_named = self.shapes_named % SHAPES_NAMED_MAX + 1;
        ProductId::new(&format!("{UNNAMED_PRODUCT}{}", self.shapes_named + 1))
            .unwrap_or_else(|_| ProductId::only())
    }

    fn alarm_from(
        &mut self,
        verdict: CycleVerdict,
        at: Time,
        reason: Option<&DeviationReason>,
        out: &mut Vec<Outcome>,
    ) {
        let kind = alarm_of_verdict(verdict);
        let is_judged = matches!(
            verdict,
            CycleVerdict::Good | CycleVerdict::Waiting | CycleVerdict::Odd
        );
        if kind.is_none() && !is_judged {
            return;
        }
        self.end_alarms(at, out, |alarm| {
            if alarm.kind == AlarmKind::Stopped || alarm.lasts {
                return false;
            }
            let is_good = kind.is_none() && is_well_within(alarm.kind, reason);
            alarm.good_cycles = if is_good { alarm.good_cycles + 1 } else { 0 };
            alarm.good_cycles >= GOOD_CYCLES_TO_CLEAR
        });
        if let Some(kind) = kind.filter(|kind| !self.has_alarm(*kind)) {
            let contrast = reason.and_then(|reason| {
                let this = self.course.latest(1);
                self.course.contrast(&self.product, reason.quantity(), this)
            });
            let reason = reason
                .cloned()
                .map(|reason| DeviationReason { contrast, ..reason });
            self.raise(kind, at, reason, out);
        }
    }

    /// Raises what was held back once it is decided that the product is the same, unless more is
    /// known by then.
    fn settle_held(&mut self, judged: Option<&JudgedCycle>, out: &mut Vec<Outcome>) {
        let Some(judged) = judged.filter(|_| !self.course.is_undecided(&self.product)) else {
            return;
        };
        let held = self.held_alarm.take().filter(|_| judged.event.is_none());
        if let Some(HeldAlarm { kind, at, reason }) = held {
            self.raise(kind, at, Some(reason), out);
        }
    }

    fn has_alarm(&self, kind: AlarmKind) -> bool {
        self.alarms.iter().any(|alarm| alarm.kind == kind)
    }

    pub(super) fn raise(
        &mut self,
        kind: AlarmKind,
        at: Time,
        reason: Option<DeviationReason>,
        out: &mut Vec<Outcome>,
    ) {
        if self.has_alarm(kind) {
            return;
        }
        self.alarms.push(OpenAlarm {
            kind,
            good_cycles: 0,
            lasts: false,
        });
        let reason = reason.map(|reason| self.recognised(reason));
        let finding = FindingKind::behind(kind).unwrap_or(FindingKind::Stopped);
        self.tell(finding, at, reason.clone(), out);
        out.push(Outcome::AlarmRaised(kind, at, reason));
    }
}

/// Whether a cycle is back at what an alarm of this kind is about, and not just inside its limit.
fn is_well_within(kind: AlarmKind, reason: Option<&DeviationReason>) -> bool {
    let measured = reason.and_then(|reason| match kind {
        AlarmKind::WearSuspected => Some((reason.energy_deviation()?, reason.tolerance_energy)),
        _ => Some((reason.duration_deviation(), reason.tolerance_time)),
    });
    measured.is_none_or(|(deviation, limit)| deviation.abs() <= WELL_WITHIN * limit)
}

/// The alarm that a single cycle may raise.
fn alarm_of_verdict(verdict: CycleVerdict) -> Option<AlarmKind> {
    match verdict {
        CycleVerdict::SpeedChanged => Some(AlarmKind::TamperingSuspected),
        CycleVerdict::EnergyChanged => Some(AlarmKind::WearSuspected),
        _ => None,
    }
}

/// The alarm a lasting change stands for.
fn alarm_of(quantity: Quantity) -> AlarmKind {
    match quantity {
        Quantity::Time => AlarmKind::TamperingSuspected,
        Quantity::Energy | Quantity::Shape => AlarmKind::WearSuspected,
    }
}
