//! Where cycles begin and end: by a signal if the machine gives one; else by its power rising, if
//! that is regular; else by the rhythm in its power. Without power the same by its vibration.

use model::{CycleLength, FindingKind, Time};
use serde::{Deserialize, Serialize};

use super::{CycleFacts, Outcome, Watch};
use crate::beats::{self, Beat};
use crate::level::PowerState;
use crate::meter::MeterStretch;
use crate::rhythm::Rhythm;
use crate::segment::{OpenCycle, WaitBorder};

/// From power alone, a cycle shorter than this share of the usual one is a dip, not a cycle.
const SHORTEST_SHARE: f64 = 0.3;
/// Power up to this much above the lowest usual one counts as waiting.
const WAITING_MARGIN: f64 = 1.3;
/// About equally long: within this share of the middle one.
const REGULAR: f64 = 0.10;
/// Of readings far apart, so many in a row have to show next to nothing before the machine is off.
const OFF_READINGS: u32 = 3;
/// Cycles that wait for that, at most.
const WAITING_MAX: usize = 32;
/// A start of a cycle is told when a good part of it is over; a machine that has begun none for
/// this many cycle times is no longer at it.
const CYCLES_UNTIL_IDLE: f64 = 1.9;
/// A counter that rises by more than this at once was replaced or set.
const FURTHER_MAX: f64 = 10_000.0;
/// An end that is no further than this share of the distance between readings from one of them was
/// read with it.
const ON_READING: f64 = 0.02;
/// Rises begin the cycles of a rhythm if so many of them, and this share, do, each by itself within
/// this share of a cycle.
const RISES_MIN: usize = 8;
const RISES_SHARE: f64 = 0.9;
const RISE_NEAR: f64 = 0.2;
/// Rises are soon believed in where no more than this share of readings lies at the border.
const UNCLEAR_MAX: f64 = 0.03;
/// After so many rises without a rhythm each begins a cycle, if they are that clear.
const RISES_BY_HAND: u32 = 192;
const UNCLEAR_BY_HAND: f64 = 0.01;
/// Rises that were regular and are no longer, in a row, end that.
const IRREGULAR_MAX: u32 = 24;

/// How cycles are cut where no signal does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
enum CutBy {
    /// Not known yet: rises are measured and the rhythm looked for.
    Unknown {
        maybe: Vec<Beat>,
        /// Rises since then, also those that are not kept.
        #[serde(default)]
        rises: u32,
    },
    /// By rises of power.
    Rises { irregular: u32 },
    /// Where the power repeats itself, without a signal.
    Rhythm { last: Option<Time> },
}

impl CutBy {
    fn unknown() -> Self {
        Self::Unknown {
            maybe: Vec::new(),
            rises: 0,
        }
    }
}

/// What cuts the cycles of a machine seen by power or vibration alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cut {
    by: CutBy,
    rhythm: Rhythm,
    /// What rises and has a rhythm is vibration.
    #[serde(default)]
    is_vibration: bool,
}

impl Default for Cut {
    /// Nothing is known of where cycles begin.
    fn default() -> Self {
        Self {
            by: CutBy::unknown(),
            rhythm: Rhythm::default(),
            is_vibration: false,
        }
    }
}

impl Watch {
    pub(super) fn power(&mut self, t: Time, watts: f64, out: &mut Vec<Outcome>) {
        let before = self.levels.state();
        let after = self.levels.observe(watts);
        self.observe_state(t, watts);
        let is_coarse = self.activity.is_coarse() && self.state_is_by_runs();
        if is_coarse && !self.is_coarse {
            self.tell(FindingKind::StateCoarse, t, None, out);
        }
        self.is_coarse = is_coarse;
        if self.cut.is_vibration {
            self.cut_anew(false);
        }
        if !self.has_cycle_signal {
            self.follow_rhythm(t, watts, out);
        }
        let Some(mut stretch) = self.meter.sample(t, watts) else {
            return;
        };
        self.flush_held();
        // A cycle that began after the gap, just before this sample, does not suffer from the gap.
        let begun = self
            .open
            .as_ref()
            .map(OpenCycle::start)
            .filter(|start| *start > stretch.from);
        if let Some(start) = begun.filter(|start| t.since(*start) <= self.meter.gap_s()) {
            stretch = MeterStretch {
                from: start,
                watts_from: watts,
                is_gap: false,
                ..stretch
            };
            if let Some(open) = self.open.as_mut() {
                open.late = true;
            }
        }
        if stretch.is_gap {
            self.break_cycle();
        }
        self.held = Some(stretch);
        if let Some(end) = self.pending_end.take() {
            self.end_cycle(end.max(stretch.from), out);
        }
        let rises = before != PowerState::Working && after == PowerState::Working;
        if rises && !self.has_cycle_signal && !stretch.is_gap {
            self.rising_edge(&stretch, out);
        }
    }

    /// Whether readings are so far apart that only how they follow each other tells the state.
    fn state_is_by_runs(&self) -> bool {
        self.meter.interval_s().unwrap_or(0.0) >= super::COARSE_S
    }

    /// What power alone says of the state: single readings where they come often, the way they
    /// follow each other where they are far apart.
    fn observe_state(&mut self, t: Time, watts: f64) {
        let apart_s = self.meter.interval_s().unwrap_or(0.0);
        let single = self.levels.state();
        let works = self.activity.observe(watts, apart_s);
        self.note_no_work(t, watts);
        self.off_readings = if single == PowerState::Off {
            self.off_readings.saturating_add(1)
        } else {
            0
        };
        let is_by_runs = self.state_is_by_runs();
        self.power = match works.filter(|_| is_by_runs) {
            Some(true) => PowerState::Working,
            Some(false) if self.off_readings >= OFF_READINGS => PowerState::Off,
            Some(false) => PowerState::Waiting,
            None => single,
        };
        if self.power == PowerState::Working {
            self.not_working_since = None;
        } else if self.not_working_since.is_none() {
            self.not_working_since = Some(t);
        }
    }

    /// Looks for a rhythm, or follows it, unless rises of power already are the cycles.
    pub(super) fn follow_rhythm(&mut self, t: Time, value: f64, out: &mut Vec<Outcome>) {
        if matches!(self.cut.by, CutBy::Rises { .. }) {
            return;
        }
        let mut starts = Vec::new();
        self.cut.rhythm.sample(t, value, &mut starts);
        if starts.is_empty() {
            if matches!(self.cut.by, CutBy::Rhythm { .. }) && self.cut.rhythm.cycle_s().is_none() {
                self.beats.cut_anew();
                self.cut.by = CutBy::unknown();
            }
            return;
        }
        if self.rises_begin(&starts) {
            self.cut_by_rises(1, out);
            return;
        }
        let mut last = match self.cut.by {
            CutBy::Rhythm { last } => last,
            _ => None,
        };
        for start in starts {
            if let Some(from) = last.filter(|from| *from < start) {
                let facts = self.rhythm_facts(from, start);
                self.beats.note(&facts);
                let beat = Beat {
                    facts,
                    broken: false,
                    product_changed: false,
                };
                self.beat(beat, out);
            }
            last = Some(start);
        }
        self.last_end = last;
        self.cut.by = CutBy::Rhythm { last };
        self.open = None;
    }

    /// What was measured of a cycle of the rhythm; vibration tells nothing but how long it took.
    fn rhythm_facts(&self, from: Time, to: Time) -> CycleFacts {
        let facts = CycleFacts {
            slack_s: self.apart_s(),
            ..self.cut.rhythm.facts(from, to)
        };
        if !self.cut.is_vibration {
            return facts;
        }
        CycleFacts {
            energy_wh: None,
            power: None,
            ..facts
        }
    }

    /// From power or vibration alone, a cycle runs from one rise to the next.
    pub(super) fn rising_edge(&mut self, stretch: &MeterStretch, out: &mut Vec<Outcome>) {
        if matches!(self.cut.by, CutBy::Rhythm { .. }) {
            return;
        }
        let border = match &self.vibration {
            Some(vibration) if self.cut.is_vibration => vibration.border(),
            _ => self.levels.border().map(|border| border.at),
        };
        let Some(border) = border else {
            return;
        };
        let climb = stretch.watts_to - stretch.watts_from;
        let share = if climb > 0.0 {
            (border - stretch.watts_from) / climb
        } else {
            1.0
        };
        let seconds = stretch.to.since(stretch.from) * share.clamp(0.0, 1.0);
        let at = Time::from_seconds(stretch.from.seconds() + seconds);
        let too_soon =
            self.last_end
                .zip(self.beats.shortest_s())
                .is_some_and(|(end, shortest_s)| {
                    self.open.as_ref().is_some_and(|o| !o.broken)
                        && at.since(end) < SHORTEST_SHARE * shortest_s
                });
        if !too_soon {
            self.end_cycle(at, out);
        }
    }

    pub(super) fn cycle_count(&mut self, t: Time, count: f64, out: &mut Vec<Outcome>) {
        self.use_cycle_signal();
        let before = self.counter.replace(count);
        let Some(before) = before else {
            // What the counter counts from now on was made since, the first of it begun before.
            self.open.get_or_insert_with(|| OpenCycle::unseen(t));
            return;
        };
        if count == before {
            return;
        }
        if count < before {
            out.push(Outcome::CounterJumpedBack);
        }
        let further = count - before - 1.0;
        match self.open.as_mut() {
            Some(open) if (0.0..=FURTHER_MAX).contains(&further) => open.further = further as u32,
            _ => self.break_cycle(),
        }
        self.cycle_boundary(t, out);
    }

    pub(super) fn pulse(&mut self, t: Time, level: bool, out: &mut Vec<Outcome>) {
        self.use_cycle_signal();
        let rises = level && !self.pulse;
        self.pulse = level;
        if rises {
            self.cycle_boundary(t, out);
        }
    }

    /// The first cycle signal ends segmentation by power; what that had begun is dropped.
    fn use_cycle_signal(&mut self) {
        if !self.has_cycle_signal {
            self.has_cycle_signal = true;
            self.cut_anew(false);
        }
    }

    /// From now on vibration cuts.
    pub(super) fn cut_by_vibration(&mut self) {
        if !self.cut.is_vibration {
            self.cut_anew(true);
            (self.held, self.pending_end) = (None, None);
        }
    }

    /// Nothing is known any more of where cycles begin.
    fn cut_anew(&mut self, is_vibration: bool) {
        self.open = None;
        self.look_anew(is_vibration);
    }

    /// The same, while a cycle goes on.
    fn look_anew(&mut self, is_vibration: bool) {
        let said_s = self.beats.said_s();
        self.beats.cut_anew();
        self.cut = Cut {
            by: CutBy::unknown(),
            rhythm: Rhythm::of_length(said_s),
            is_vibration,
        };
    }

    /// Goes by the length of a cycle in the settings from now on, if that is another one: what was
    /// learned of other cycles is forgotten, and alarms about them end. The next signal would too.
    pub fn heed_cycle_length(&mut self, at: Time, out: &mut Vec<Outcome>) {
        let said_s = self.settings.cycle_s;
        if said_s == self.beats.said_s() {
            return;
        }
        let was_said = self.beats.said_s().is_some();
        let mut is_other = self.beats.say(said_s);
        // Rises are joined; the part of one is looked for anew, and so is another rhythm.
        let is_rhythm = matches!(self.cut.by, CutBy::Rhythm { .. });
        let is_found_anew = match said_s {
            Some(_) => self.beats.is_to_be_split() || is_rhythm && self.beats.is_of_other_length(),
            None => was_said && !matches!(self.cut.by, CutBy::Rises { .. }),
        };
        if is_found_anew && !self.has_cycle_signal {
            is_other = true;
            self.look_anew(self.cut.is_vibration);
        }
        if !is_other || self.has_cycle_signal {
            return;
        }
        self.typical_s = None;
        let present = self.product.clone();
        for product in self.products.keys().cloned().collect::<Vec<_>>() {
            self.product = product;
            self.forget_reference();
        }
        self.product = present;
        self.end_cycle_alarms(at, out);
    }

    /// How long a cycle is; `None` where a signal tells, or before one was seen.
    pub(super) fn cycle_length(&self) -> Option<CycleLength> {
        let length = self.beats.length();
        length.filter(|_| !self.has_cycle_signal)
    }

    /// What shook until now was another sensor.
    pub(super) fn forget_strokes(&mut self) {
        if self.cut.is_vibration {
            self.cut_anew(true);
        }
    }

    /// Whether it is known where cycles begin from vibration.
    pub(super) fn strokes_are_known(&self) -> bool {
        self.cut.is_vibration && !matches!(self.cut.by, CutBy::Unknown { .. })
    }

    /// Whether cycles are cut by power, or beside it.
    pub(super) fn measures_power(&self) -> bool {
        self.meter.last().is_some() && !self.cut.is_vibration
    }

    /// The usual distance between readings of what cuts the cycles, in seconds.
    fn apart_s(&self) -> f64 {
        let interval_s = match &self.vibration {
            Some(vibration) if self.cut.is_vibration => vibration.interval_s(),
            _ => self.meter.interval_s(),
        };
        interval_s.unwrap_or(0.0)
    }

    /// A signalled end of a cycle: at once if power is known up to it, else with the next sample.
    fn cycle_boundary(&mut self, t: Time, out: &mut Vec<Outcome>) {
        if let Some(earlier) = self.pending_end.take() {
            self.close_without_sample(earlier, out);
        }
        match self.meter.last() {
            Some((last, _)) if last < t && t.since(last) <= self.meter.gap_s() => {
                self.pending_end = Some(t);
            }
            _ => self.end_cycle(t, out),
        }
    }

    /// The next sample did not come in time: the last power is taken to have lasted to the end.
    pub(super) fn close_without_sample(&mut self, end: Time, out: &mut Vec<Outcome>) {
        self.pending_end = None;
        if let Some((last, watts)) = self.meter.last().filter(|(last, _)| *last < end) {
            self.flush_held();
            let is_gap = end.since(last) > self.meter.gap_s();
            self.held = Some(MeterStretch {
                from: last,
                to: end,
                watts_from: watts,
                watts_to: watts,
                is_gap,
            });
        }
        self.end_cycle(end, out);
    }

    fn flush_held(&mut self) {
        // Where a rhythm is followed no cycle is open, and nobody asks what waiting is.
        let Some(stretch) = self.held.take().filter(|_| self.open.is_some()) else {
            return;
        };
        let border = self.waiting_border();
        if let Some(open) = self.open.as_mut() {
            open.add(&stretch, border);
        }
    }

    fn waiting_border(&self) -> Option<WaitBorder> {
        let learned = self
            .products
            .get(&self.product)
            .and_then(|m| m.reference.as_ref()?.waiting_w);
        let off_w = self.levels.off_w();
        // One that was learned off, by an older program, is none.
        let learned = learned.filter(|waiting_w| *waiting_w > off_w);
        let lowest = learned.or_else(|| self.levels.quantile(0.04))?;
        let waiting_w = lowest * WAITING_MARGIN;
        // The lowest power of a machine that was never seen at rest is that of its work.
        let waiting_w = match self.levels.border() {
            Some(border) => waiting_w.min(border.at),
            None => {
                let is_rest = |w: &f64| self.levels.quantile(0.96).is_some_and(|top| *w < top);
                Some(waiting_w).filter(is_rest)?
            }
        };
        Some(WaitBorder { waiting_w, off_w })
    }

    pub(super) fn break_cycle(&mut self) {
        if let Some(open) = self.open.as_mut() {
            open.broken = true;
        }
    }

    /// Ends the open cycle at `at` and starts the next one there.
    fn end_cycle(&mut self, at: Time, out: &mut Vec<Outcome>) {
        let border = self.waiting_border();
        let mut rest = self.held.take();
        if let (Some(stretch), Some(open)) = (rest, self.open.as_mut()) {
            if stretch.to <= at {
                open.add(&stretch, border);
                rest = None;
            } else if stretch.from < at {
                open.add(&stretch.before(at), border);
            }
        }
        self.held = rest.filter(|s| s.to > at).map(|s| s.after(at.max(s.from)));
        let slot_s = self.meter.interval_s().unwrap_or(0.0);
        let mut next = OpenCycle::new(at, slot_s);
        // What was set up for is judged from its second cycle on: in the first is the set-up.
        next.product_changed = self.changed_at == Some(at);
        let ended = self.open.replace(next);
        if self.held.is_some_and(|s| s.is_gap) {
            self.break_cycle();
        }
        self.last_end = Some(at);
        if let Some(open) = ended.filter(|open| open.start() < at) {
            self.cut_off(open, at, out);
        }
    }

    /// A cycle is cut off: concluded, or kept until it is known whether rises of power are cycles.
    fn cut_off(&mut self, open: OpenCycle, end: Time, out: &mut Vec<Outcome>) {
        let (broken, product_changed) = (open.broken, open.product_changed);
        let further = open.further;
        let apart_s = self.apart_s();
        let mut facts = open.facts(end);
        // A rise lies anywhere between two readings, a blow raises all readings of its tenth of a
        // second alike; a counter that is read with them tells of a cycle with the reading after
        // its end.
        if !self.has_cycle_signal || is_read_with(&facts, apart_s) {
            facts.slack_s = apart_s;
        }
        if further > 0 {
            self.conclude_counted(&facts, further + 1, out);
            return;
        }
        if self.has_cycle_signal {
            if !broken {
                self.note_typical(&facts);
            }
            self.conclude_flagged(facts, broken, product_changed, out);
            return;
        }
        if !broken {
            self.beats.note(&facts);
        }
        let beat = Beat {
            facts,
            broken,
            product_changed,
        };
        match &mut self.cut.by {
            CutBy::Rhythm { .. } => {}
            CutBy::Rises { .. } => self.beat(beat, out),
            CutBy::Unknown { maybe, rises } => {
                maybe.push(beat);
                *rises += 1;
                if maybe.len() > WAITING_MAX {
                    maybe.remove(0);
                }
                self.find_regular_rises(apart_s, out);
            }
        }
    }

    /// Whether the cycles of a rhythm that was just found are those that rises begin, one each.
    /// Then rises tell them at once and to the reading, however long the machine rests in between.
    fn rises_begin(&self, starts: &[Time]) -> bool {
        let (CutBy::Unknown { maybe, .. }, Some(cycle_s)) =
            (&self.cut.by, self.cut.rhythm.cycle_s())
        else {
            return false;
        };
        let settled = &maybe[unsettled(maybe)..];
        let rises: Vec<Time> = settled.iter().map(|beat| beat.facts.start).collect();
        let (Some(first), Some(last)) = (rises.first(), rises.last()) else {
            return false;
        };
        let near_s = RISE_NEAR * cycle_s;
        let seen = |start: &&Time| start.since(*first) >= -near_s && last.since(**start) >= -near_s;
        let starts: Vec<&Time> = starts.iter().filter(seen).collect();
        let near = |start: &&&Time| {
            let mut near = rises
                .iter()
                .filter(|rise| rise.since(***start).abs() <= near_s);
            near.next().is_some() && near.next().is_none()
        };
        let begun = starts.iter().filter(near).count();
        let most = starts.len().max(rises.len());
        begun >= RISES_MIN && begun as f64 >= RISES_SHARE * most as f64
    }

    /// Rises of power are what cycles are cut by, once they are regular.
    fn find_regular_rises(&mut self, apart_s: f64, out: &mut Vec<Outcome>) {
        let CutBy::Unknown { maybe, rises } = &self.cut.by else {
            return;
        };
        let unclear = self.levels.unclear_share();
        let is_clear = self.cut.is_vibration || unclear <= UNCLEAR_MAX;
        if let Some(per_cycle) = self.beats.regular(maybe, apart_s, is_clear) {
            self.cut_by_rises(per_cycle, out);
            return;
        }
        // People feed some machines as they can: work and rest are two levels, and nothing returns.
        let is_by_hand = *rises >= RISES_BY_HAND && unclear <= UNCLEAR_BY_HAND;
        if is_by_hand && beats::are_of_one_kind(maybe, apart_s) {
            self.cut_by_rises(1, out);
        }
    }

    /// From now on rises of power cut, and so did those that waited.
    fn cut_by_rises(&mut self, per_cycle: usize, out: &mut Vec<Outcome>) {
        let CutBy::Unknown { maybe, .. } = &mut self.cut.by else {
            return;
        };
        let unsettled = unsettled(maybe);
        let waiting = maybe.split_off(unsettled);
        self.cut.by = CutBy::Rises { irregular: 0 };
        self.cut.rhythm = Rhythm::default();
        if per_cycle > 1 {
            self.beats.found(&waiting, per_cycle);
        }
        for beat in waiting {
            self.beat(beat, out);
        }
    }

    /// Takes a beat; where it ends a cycle, that is concluded.
    fn beat(&mut self, beat: Beat, out: &mut Vec<Outcome>) {
        let Some(cycle) = self.beats.take(beat) else {
            return;
        };
        let typical = self.typical_s.unwrap_or(cycle.facts.duration_s);
        let is_regular = (cycle.facts.duration_s / typical - 1.0).abs() <= 2.0 * REGULAR;
        if !cycle.broken && (is_regular || !matches!(self.cut.by, CutBy::Rises { .. })) {
            self.note_typical(&cycle.facts);
        }
        if let CutBy::Rises { irregular } = &mut self.cut.by {
            *irregular = if is_regular { 0 } else { *irregular + 1 };
            if *irregular > IRREGULAR_MAX {
                self.typical_s = None;
                self.look_anew(self.cut.is_vibration);
            }
        }
        self.conclude_flagged(cycle.facts, cycle.broken, cycle.product_changed, out);
    }

    /// Whether the machine is in a cycle of its rhythm; its power says nothing of that by itself.
    pub(super) fn is_in_rhythm(&self, t: Time) -> bool {
        let CutBy::Rhythm { last: Some(start) } = self.cut.by else {
            return false;
        };
        let cycle_s = self.cut.rhythm.cycle_s().unwrap_or(0.0);
        t.since(start) <= CYCLES_UNTIL_IDLE * cycle_s
    }

    fn note_typical(&mut self, facts: &CycleFacts) {
        let typical = self.typical_s.get_or_insert(facts.duration_s);
        *typical += 0.1 * (facts.duration_s.min(2.0 * *typical) - *typical);
    }
}

/// How many of these beats come first that are much shorter than the newest: before both levels of
/// power were seen, noise rises and falls like them.
fn unsettled(beats: &[Beat]) -> usize {
    let newest = beats.iter().rev().take(RISES_MIN);
    let shortest_s = newest.fold(f64::INFINITY, |least, beat| {
        least.min(beat.facts.duration_s)
    });
    let is_short = |beat: &&Beat| beat.facts.duration_s < SHORTEST_SHARE * shortest_s;
    beats.iter().take_while(is_short).count()
}

/// Whether a cycle is as long as some readings are apart: where it begins and ends was read with
/// them and not told by itself.
fn is_read_with(facts: &CycleFacts, apart_s: f64) -> bool {
    let readings = facts.duration_s / apart_s.max(1e-6);
    (readings - readings.round()).abs() <= ON_READING
}
