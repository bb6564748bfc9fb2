//! The course of a machine over its cycles: what is normal for each product, a lasting change of
//! speed, of energy or of shape told apart, and a changeover recognised by the shape of the power.

use std::collections::{BTreeMap, VecDeque};

use model::{Contrast, Forecast, Lasting, PowerBand, ProductId, Quantity, Time};
use serde::{Deserialize, Serialize};

use crate::chart::{Chart, Side};
use crate::contrast::contrast;
use crate::judge::CycleFacts;
use crate::normal::{COMMON_CYCLES, Distance, Normal};
use crate::recording::Recording;
use crate::scale::Scale;
use crate::trend::Trend;
use crate::warmup::{Warmth, Warmup};

/// Products whose normal is remembered; the one unused longest goes first.
const NORMALS_MAX: usize = 8;
/// The last cycles whose shape decides whether the product has changed.
const SHAPE_CYCLES: usize = 7;
/// Of those, so many strange ones mean another product.
const SHAPE_MAJORITY: usize = 5;
/// A shape this strange is another one;
const STRANGE: f64 = 1.15;
/// while a change lasts, which moves the shape a little too, it has to be stranger by this.
const STRANGER: f64 = 1.5;
/// A change that began no longer ago came at once.
const JUMP_CYCLES: u32 = 20;
/// Usual cycles after which a lasting change is over; an unusual one takes back some of them.
const QUIET_CYCLES: u32 = 12;
const QUIET_LOST: u32 = 4;
/// Charts begin once so many cycles are known: fewer do not show how far a machine scatters by
/// itself.
const CHART_CYCLES: usize = 50;
/// Until then odd cycles are set apart, so many at most: if there are more, that is how the
/// machine works.
const SET_APART_MAX: u32 = 100;
/// Smallest spreads of the charts, as shares; wider where a cycle has few readings, by this share
/// of one of them.
const CHART_SPREAD_MIN: f64 = 0.005;
const READING_SHARE: f64 = 0.3;
/// Values that scatter less than this share of what readings at any place would make of them have
/// theirs at one.
const LOCKED: f64 = 0.6;
/// A chart of time this near its limit takes a change of energy for its own.
const CHANGING: f64 = 0.4;
/// Cycles this far from the middle while learning, as a share, strayed: a limit of 15 % suits
/// machines that keep well within it.
const STRAYED: f64 = 0.075;
/// A reference is young for so many cycles;
const YOUNG_CYCLES: u32 = 1_000;
/// a change came little by little if the average over many cycles has followed the one over a few
/// by this share.
const GRADUAL: f64 = 0.45;
const FAST: f64 = 0.3;
const SLOW: f64 = 0.05;
/// A drift is told from this share of the chart's limit on.
const FORECAST_FROM: f64 = 0.6;
/// Of the last cycles, as many odd ones as this are a lasting change of shape.
const ODD_WINDOW: usize = 12;
const ODD_MAX: usize = 8;

/// Where this share of the cycles is odd, averaged over about a hundred, for so many cycles, and
/// those are odd by no more than this, what is normal has moved. Four times the budget is more than
/// chance makes of it; a fault is either most cycles, or farther from normal, or over sooner.
const MOVED_SHARE: std::ops::Range<f64> = 0.08..0.5;
const MOVED_NEW: f64 = 0.01;
const MOVED_CYCLES: u32 = 300;
const MOVED_ODDNESS: f64 = 1.5;

/// What one cycle led to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JudgedCycle {
    /// How far from normal.
    pub(crate) distance: Distance,
    /// Beyond 1 it is odd by itself.
    pub(crate) oddness: f64,
    /// What began or ended with it.
    pub(crate) event: Option<CourseEvent>,
}

/// What began or ended with a cycle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CourseEvent {
    /// A change lasts.
    Began(Lasting),
    /// The change is over.
    Ended(Quantity),
    /// The last cycles are of another shape: of a known product, or of one to be learned from them.
    OtherShape {
        /// The product whose normal they fit.
        known: Option<ProductId>,
        /// The last ones, which fit that and no longer what is made, oldest first.
        cycles: Vec<CycleFacts>,
    },
    /// Cycles are odd too often while time and energy are as ever: what is normal has moved.
    Moved,
}

/// What is normal for one product, and what is being watched against it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watched {
    normal: Normal,
    charts: Charts,
    drift: Trend,
    /// Whether single cycles strayed while it was learned.
    strays: bool,
    used: u64,
    /// Cycles in the charts since it was learned.
    #[serde(default)]
    charted: u32,
    /// Logarithm of energy, averaged over a few cycles and over many.
    #[serde(default)]
    averages: Option<(f64, f64)>,
    /// How often and how far cycles are odd without being a fault.
    #[serde(default)]
    moved: MovedNormal,
}

/// How often and how far cycles are odd while time and energy are as ever.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
struct MovedNormal {
    /// The share of odd cycles lately.
    share: f64,
    /// How odd these were.
    oddness: f64,
    /// Cycles since when both say so.
    cycles: u32,
}

impl MovedNormal {
    /// Takes a cycle; tells whether what is normal has moved, and begins anew then.
    fn take(&mut self, oddness: f64) -> bool {
        let is_odd = oddness > 1.0;
        self.share += MOVED_NEW * (f64::from(u8::from(is_odd)) - self.share);
        if is_odd {
            let new = if self.oddness == 0.0 { 1.0 } else { FAST };
            self.oddness += new * (oddness - self.oddness);
        }
        let says_so = MOVED_SHARE.contains(&self.share) && self.oddness <= MOVED_ODDNESS;
        self.cycles = if says_so { self.cycles + 1 } else { 0 };
        let has_moved = self.cycles >= MOVED_CYCLES;
        if has_moved {
            *self = Self::default();
        }
        has_moved
    }
}

/// The charts of time and energy, once enough cycles are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
enum Charts {
    /// Logarithms of time and energy of the cycles so far.
    Gathering {
        durations: Vec<f64>,
        energies: Vec<f64>,
        least_spread: f64,
        /// How far energy may lie elsewhere for long, because readings and cycles keep in step.
        #[serde(default)]
        energy_in_step: f64,
        per_cycle: f64,
        /// Odd cycles that were not gathered.
        #[serde(default)]
        set_apart: u32,
    },
    /// Both run.
    Running {
        duration: Chart,
        energy: Option<Chart>,
    },
}

impl Charts {
    /// Whether an odd cycle is set apart: faults say nothing of how far a machine scatters when all
    /// is well.
    fn sets_apart(&mut self) -> bool {
        let Self::Gathering { set_apart, .. } = self else {
            return false;
        };
        *set_apart += 1;
        *set_apart <= SET_APART_MAX
    }

    /// Takes a cycle; tells the sides on which time and energy cross their limits.
    fn take(&mut self, duration: f64, energy: Option<f64>) -> (Option<Side>, Option<Side>) {
        match self {
            Self::Gathering {
                durations,
                energies,
                ..
            } => {
                durations.push(duration);
                energies.extend(energy);
                self.start_if_enough();
                (None, None)
            }
            Self::Running {
                duration: time,
                energy: load,
            } => (
                time.take(duration),
                load.as_mut()
                    .zip(energy)
                    .and_then(|(chart, value)| chart.take(value)),
            ),
        }
    }

    fn start_if_enough(&mut self) {
        let Self::Gathering {
            durations,
            energies,
            least_spread,
            energy_in_step,
            per_cycle,
            ..
        } = self
        else {
            return;
        };
        if durations.len() < CHART_CYCLES {
            return;
        }
        let calibrated = |values: &[f64]| Chart::calibrated(values, *least_spread, *per_cycle);
        if let Some(duration) = calibrated(durations) {
            let energy = calibrated(energies).map(|chart| chart.bearing(*energy_in_step));
            *self = Self::Running { duration, energy };
        }
    }

    fn duration(&self) -> Option<&Chart> {
        match self {
            Self::Running { duration, .. } => Some(duration),
            Self::Gathering { .. } => None,
        }
    }

    fn energy(&self) -> Option<&Chart> {
        match self {
            Self::Running { energy, .. } => energy.as_ref(),
            Self::Gathering { .. } => None,
        }
    }

    fn reset(&mut self) {
        if let Self::Running { duration, energy } = self {
            duration.reset();
            energy.iter_mut().for_each(Chart::reset);
        }
    }
}

/// A machine's course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub(crate) struct Course {
    watched: BTreeMap<ProductId, Watched>,
    recent: VecDeque<(f64, CycleFacts)>,
    odd: VecDeque<bool>,
    change: Option<Quantity>,
    quiet: u32,
    cycles: u64,
    #[serde(default)]
    warmup: Warmup,
    /// Cycles in a row whose time or energy is odd.
    #[serde(default)]
    jumped: u32,
}

impl Course {
    /// Learns what is normal for a product; false if there is nothing to learn from. Chance may
    /// raise `alarms_per_month` alarms in a month of running.
    pub(crate) fn learn(
        &mut self,
        product: &ProductId,
        cycles: &[CycleFacts],
        alarms_per_month: f64,
    ) -> bool {
        let Some(watched) = Watched::learn(cycles, alarms_per_month, self.cycles) else {
            return false;
        };
        if self.watched.len() >= NORMALS_MAX && !self.watched.contains_key(product) {
            let oldest = self.watched.iter().min_by_key(|(_, w)| w.used);
            let oldest = oldest.map(|(product, _)| product.clone());
            oldest.and_then(|product| self.watched.remove(&product));
        }
        self.watched.insert(product.clone(), watched);
        self.begin_anew();
        true
    }

    /// Whether anything is known of a product.
    pub(crate) fn knows(&self, product: &ProductId) -> bool {
        self.watched.contains_key(product)
    }

    /// What is normal for a product has moved: these cycles are so now. Its charts of time and
    /// energy stay where they are, so that no drift becomes normal little by little.
    pub(crate) fn learn_moved(&mut self, product: &ProductId, cycles: &[CycleFacts]) -> bool {
        let watched = self.watched.get_mut(product);
        let Some((watched, normal)) = watched.zip(Normal::learn(cycles)) else {
            return false;
        };
        watched.normal = normal;
        watched.moved = MovedNormal::default();
        self.odd.clear();
        true
    }

    /// Forgets what is normal for a product; gives it, if anything was known.
    pub(crate) fn forget(&mut self, product: &ProductId) -> Option<Watched> {
        let known = self.watched.remove(product);
        self.warmup.forget();
        self.begin_anew();
        known
    }

    /// Takes as normal for a product what was so before.
    pub(crate) fn put_back(&mut self, product: &ProductId, known: Watched) {
        self.watched.insert(product.clone(), known);
        self.begin_anew();
    }

    /// Another product is made from now on; what was pending belongs to the one before.
    pub(crate) fn begin_anew(&mut self) {
        self.recent.clear();
        self.odd.clear();
        self.change = None;
        self.quiet = 0;
        self.jumped = 0;
        for watched in self.watched.values_mut() {
            watched.reset();
        }
    }

    /// Whether a change is a machine that was learned cold and gets warm: it needs less and less
    /// energy, little by little, soon after it was learned.
    pub(crate) fn is_warming(&self, product: &ProductId, change: &Lasting) -> bool {
        let watched = self.watched.get(product);
        change.share < 0.0
            && change.is_gradual == Some(true)
            && watched.is_some_and(|w| w.charted <= YOUNG_CYCLES)
    }

    /// When energy per cycle of this product reaches `limit` (a share), if it drifts there.
    pub(crate) fn forecast(&self, product: &ProductId, limit: f64) -> Option<Forecast> {
        let watched = self.watched.get(product)?;
        let chart = watched.charts.energy()?;
        if self.change != Some(Quantity::Energy) && chart.nearness() < FORECAST_FROM {
            return None;
        }
        let limit = match chart.leaning()? {
            Side::Up => (1.0 + limit).ln(),
            Side::Down => (1.0 - limit).max(0.01).ln(),
        };
        watched
            .drift
            .forecast(chart.centre(), chart.spread(), limit)
    }

    /// Whether one cycle beyond the tolerance, in its energy or else in its time, is a reason for
    /// an alarm: it has to be farther than this machine scatters. Where cycles strayed while it was
    /// learned, only a change that lasts is.
    pub(crate) fn is_reason_enough(
        &self,
        product: &ProductId,
        cycle: &CycleFacts,
        is_energy: bool,
    ) -> bool {
        let Some(watched) = self.watched.get(product) else {
            return true;
        };
        let measured = if is_energy {
            watched.charts.energy().zip(cycle.log_energy())
        } else {
            watched.charts.duration().zip(Some(cycle.log_duration()))
        };
        let is_far = measured.is_none_or(|(chart, value)| chart.is_beyond_scatter(value));
        is_far && !watched.strays
    }

    /// Whether the shape of a cycle's power is another one than usual.
    pub(crate) fn is_strange(&self, product: &ProductId, cycle: &CycleFacts) -> bool {
        let watched = self.watched.get(product).zip(cycle.power.as_ref());
        watched.is_some_and(|(w, power)| w.normal.strangeness(power) > STRANGE)
    }

    /// Whether a change lasts.
    pub(crate) fn is_changing(&self) -> bool {
        self.change.is_some()
    }

    /// Where in the cycle of this product a change of `quantity` lies, seen in the latest of
    /// `cycles`; none where power is not known.
    pub(crate) fn contrast<'a>(
        &self,
        product: &ProductId,
        quantity: Quantity,
        cycles: impl Iterator<Item = &'a CycleFacts>,
    ) -> Option<Contrast> {
        let usual = self.watched.get(product)?.normal.usual_power();
        let seen: Vec<&Recording> = cycles.filter_map(|cycle| cycle.power.as_ref()).collect();
        contrast(usual, &seen, quantity)
    }

    /// How long a usual cycle draws such power without a break, in seconds; `None` where it does so
    /// for as good as the whole of it, or its power is not known.
    pub(crate) fn longest_within(&self, product: &ProductId, power: PowerBand) -> Option<f64> {
        let watched = self.watched.get(product)?;
        watched.normal.usual_power().longest_within(power)
    }

    /// The last so many cycles that were judged, the latest last.
    pub(crate) fn latest(&self, cycles: usize) -> impl Iterator<Item = &CycleFacts> {
        let skipped = self.recent.len().saturating_sub(cycles);
        self.recent.iter().skip(skipped).map(|(_, facts)| facts)
    }

    /// Notes a finished cycle, whichever it is: after a rest the machine is cold.
    pub(crate) fn saw(&mut self, cycle: &CycleFacts) {
        self.warmup.saw(cycle);
    }

    /// Judges one finished cycle of a product; none if nothing is known of it.
    pub(crate) fn take(&mut self, product: &ProductId, cycle: &CycleFacts) -> Option<JudgedCycle> {
        self.cycles += 1;
        let watched = self.watched.get_mut(product)?;
        watched.used = self.cycles;
        let distance = watched.normal.distance(cycle);
        let oddness = watched.normal.oddness(&distance);
        let is_odd_shape =
            watched.normal.is_sure_of_shape() && watched.normal.oddness_of_shape(&distance) > 1.0;
        let power = cycle.power.as_ref();
        let strangeness = power.map_or(0.0, |p| watched.normal.strangeness(p));
        self.recent.push_back((strangeness, cycle.clone()));
        if self.recent.len() > SHAPE_CYCLES {
            self.recent.pop_front();
        }
        let has_jumped = watched.normal.is_at_other_level(&distance);
        self.jumped = if has_jumped { self.jumped + 1 } else { 0 };
        let event = if self.is_other_shape(product) {
            Some(self.other_shape(product))
        } else if strangeness <= STRANGE || self.change.is_some() {
            match self.chart(product, cycle, oddness, is_odd_shape) {
                Some(CourseEvent::Began(change)) if self.is_jump_of_all(product, &change) => {
                    Some(self.other_shape(product))
                }
                event => event,
            }
        } else {
            None
        };
        let event = event.or_else(|| self.moved(product, oddness));
        Some(JudgedCycle {
            distance,
            oddness,
            event,
        })
    }

    /// Whether time or energy have just jumped and the cycles since are too few to tell a fault
    /// from another product.
    pub(crate) fn is_undecided(&self, product: &ProductId) -> bool {
        let watched = self.watched.get(product);
        let is_few = (1..COMMON_CYCLES).contains(&(self.jumped as usize));
        is_few && self.change.is_none() && watched.is_some_and(|w| w.normal.is_shape_blurred())
    }

    /// Whether what is normal has moved, now that this cycle was so odd.
    fn moved(&mut self, product: &ProductId, oddness: f64) -> Option<CourseEvent> {
        let is_quiet = self.change.is_none() && self.jumped == 0;
        let watched = self.watched.get_mut(product)?;
        if !is_quiet || !watched.is_calm() {
            watched.moved = MovedNormal::default();
            return None;
        }
        watched.moved.take(oddness).then_some(CourseEvent::Moved)
    }

    fn is_other_shape(&self, product: &ProductId) -> bool {
        let least = if self.change.is_some() {
            STRANGER * STRANGE
        } else {
            STRANGE
        };
        let strange = self.recent.iter().filter(|(s, _)| *s > least).count();
        let is_seen_in_each = self.recent.len() == SHAPE_CYCLES && strange >= SHAPE_MAJORITY;
        let has_jumped = self.jumped as usize >= COMMON_CYCLES;
        is_seen_in_each || has_jumped && self.is_seen_in_several(product, least)
    }

    /// Whether with time or energy the shape has jumped too, which no fault does.
    fn is_jump_of_all(&self, product: &ProductId, change: &Lasting) -> bool {
        change.quantity != Quantity::Shape
            && change.cycles <= JUMP_CYCLES
            && self.is_seen_in_several(product, STRANGE)
    }

    /// Whether what the last cycles have in common is another shape, where single ones scatter too
    /// much to show it.
    fn is_seen_in_several(&self, product: &ProductId, least: f64) -> bool {
        let watched = self.watched.get(product);
        let Some(watched) = watched.filter(|w| w.normal.is_shape_blurred()) else {
            return false;
        };
        let latest = self.latest(COMMON_CYCLES);
        let power: Vec<Recording> = latest.filter_map(|c| c.power.clone()).collect();
        watched.normal.strangeness_of_several(&power) > least
    }

    fn other_shape(&mut self, product: &ProductId) -> CourseEvent {
        let mut cycles: Vec<CycleFacts> = self.recent.drain(..).map(|(_, cycle)| cycle).collect();
        let seen: Vec<Recording> = cycles.iter().filter_map(|c| c.power.clone()).collect();
        let fits = |watched: &Watched| {
            let normal = &watched.normal;
            if normal.is_shape_blurred() {
                return normal.strangeness_of_several(&seen) <= STRANGE;
            }
            let fitting = seen.iter().filter(|r| normal.strangeness(r) <= STRANGE);
            fitting.count() >= SHAPE_MAJORITY
        };
        let mut others = self.watched.iter().filter(|(name, _)| *name != product);
        let known = others.find(|(_, w)| fits(w)).map(|(name, _)| name.clone());
        // What the last ones have in common tells which of those before are of it too.
        if let Some(watched) = self.watched.get(product) {
            let is_of_it = |own: &Recording| watched.normal.is_nearer_to(&seen, own);
            cycles.retain(|cycle| cycle.power.as_ref().is_some_and(is_of_it));
        }
        self.begin_anew();
        CourseEvent::OtherShape { known, cycles }
    }

    /// Takes the cycle into the charts of its product.
    fn chart(
        &mut self,
        product: &ProductId,
        cycle: &CycleFacts,
        oddness: f64,
        is_odd_shape: bool,
    ) -> Option<CourseEvent> {
        let is_undecided = self.is_undecided(product);
        let watched = self.watched.get_mut(product)?;
        let end = cycle.end;
        let (duration, energy) = (cycle.log_duration(), cycle.log_energy());
        let distance = watched.distance_from_centres(duration, energy);
        let (duration, energy) = match self.warmup.take(end, distance) {
            Warmth::Warm => (duration, energy),
            Warmth::Unknown => return None,
            Warmth::Warming {
                duration: slower,
                energy: more,
            } => (duration - slower, energy.map(|value| value - more)),
        };
        if let Some(value) = energy {
            watched.drift.take(end, value);
            let (fast, slow) = watched.averages.get_or_insert((value, value));
            *fast += FAST * (value - *fast);
            *slow += SLOW * (value - *slow);
        }
        watched.charted = watched.charted.saturating_add(1);
        let (speed, load) = if oddness > 1.0 && watched.charts.sets_apart() {
            (None, None)
        } else {
            watched.charts.take(duration, energy)
        };
        self.odd.push_back(is_odd_shape);
        if self.odd.len() > ODD_WINDOW {
            self.odd.pop_front();
        }
        if let Some(change) = self.change {
            let usual = watched.is_usual(duration, energy) && oddness <= 1.0;
            self.quiet = if usual {
                self.quiet + 1
            } else {
                self.quiet.saturating_sub(QUIET_LOST)
            };
            if self.quiet < QUIET_CYCLES {
                return None;
            }
            self.change = None;
            watched.reset();
            self.odd.clear();
            return Some(CourseEvent::Ended(change));
        }
        if is_undecided {
            return None;
        }
        let odd = self.odd.iter().filter(|odd| **odd).count();
        let lasting = watched.change(speed, load, end).or_else(|| {
            (odd >= ODD_MAX && watched.is_calm()).then(|| Lasting {
                quantity: Quantity::Shape,
                share: oddness,
                cycles: odd as u32,
                since: before(end, odd as u32, cycle.duration_s),
                is_gradual: None,
                forecast: None,
            })
        })?;
        self.change = Some(lasting.quantity);
        self.quiet = 0;
        Some(CourseEvent::Began(lasting))
    }
}

/// How far values may lie elsewhere for long, where readings scatter them by `chance`: values that
/// scatter less have their readings at one place of the cycle; one day those will be at another,
/// and stay there.
fn range_in_step(values: &[f64], chance: f64) -> f64 {
    let seen = Scale::of(values.iter().copied(), 0.0).map_or(0.0, |scale| scale.spread);
    if seen < LOCKED * chance {
        chance * f64::sqrt(12.0)
    } else {
        0.0
    }
}

/// The moment so many cycles ago.
fn before(end: Time, cycles: u32, duration_s: f64) -> Time {
    Time::from_seconds(end.seconds() - f64::from(cycles) * duration_s)
}

impl Watched {
    fn learn(cycles: &[CycleFacts], alarms_per_month: f64, now: u64) -> Option<Self> {
        let normal = Normal::learn(cycles)?;
        let per_month = 30.0 * 86_400.0 / normal.duration.centre.exp();
        let durations: Vec<f64> = cycles.iter().map(CycleFacts::log_duration).collect();
        let energies: Vec<f64> = cycles.iter().filter_map(CycleFacts::log_energy).collect();
        let strays = |values: &[f64]| {
            let middle = crate::band::robust_band(values.iter().copied());
            middle.is_some_and(|m| {
                values
                    .iter()
                    .any(|v| (v - m.median).exp_m1().abs() > STRAYED)
            })
        };
        let readings = cycles
            .iter()
            .filter_map(|c| Some(c.power.as_ref()?.readings()));
        let coarse = readings
            .min()
            .map_or(0.0, |n| READING_SHARE / n.max(1) as f64);
        let chance = cycles.iter().map(CycleFacts::energy_chance);
        let energy_in_step = range_in_step(&energies, chance.fold(0.0, f64::max));
        let strays = strays(&durations) || strays(&energies);
        let mut charts = Charts::Gathering {
            durations,
            energies,
            least_spread: CHART_SPREAD_MIN.max(coarse),
            energy_in_step,
            per_cycle: alarms_per_month / per_month,
            set_apart: 0,
        };
        charts.start_if_enough();
        Some(Self {
            normal,
            charts,
            drift: Trend::default(),
            strays,
            used: now,
            charted: 0,
            averages: None,
            moved: MovedNormal::default(),
        })
    }

    fn reset(&mut self) {
        self.charts.reset();
    }

    /// How far logarithms of time and energy are from the centres of the charts, if those run.
    fn distance_from_centres(&self, duration: f64, energy: Option<f64>) -> Option<(f64, f64)> {
        let load = self.charts.energy().zip(energy);
        let load = load.map_or(0.0, |(chart, value)| value - chart.centre());
        Some((duration - self.charts.duration()?.centre(), load))
    }

    /// Whether energy went to where it is little by little: then the average over many cycles has
    /// followed the one over a few.
    fn is_gradual(&self) -> Option<bool> {
        let ((fast, slow), chart) = self.averages.zip(self.charts.energy())?;
        let (fast, slow) = (fast - chart.centre(), slow - chart.centre());
        Some(fast * slow > 0.0 && slow.abs() >= GRADUAL * fast.abs())
    }

    /// Whether neither time nor energy is on its way to another level.
    fn is_calm(&self) -> bool {
        let charts = self
            .charts
            .duration()
            .into_iter()
            .chain(self.charts.energy());
        charts.map(Chart::nearness).fold(0.0, f64::max) < CHANGING
    }

    fn is_usual(&self, duration: f64, energy: Option<f64>) -> bool {
        let time = self
            .charts
            .duration()
            .is_none_or(|chart| chart.is_usual(duration));
        let load = self.charts.energy().zip(energy);
        time && load.is_none_or(|(chart, value)| chart.is_usual(value))
    }

    /// The change that lasts, by the charts.
    fn change(&self, speed: Option<Side>, load: Option<Side>, end: Time) -> Option<Lasting> {
        let (quantity, chart, side) = match (speed, load) {
            (Some(side), _) => (Quantity::Time, self.charts.duration()?, side),
            (None, Some(side)) if self.charts.duration()?.nearness() < CHANGING => {
                (Quantity::Energy, self.charts.energy()?, side)
            }
            _ => return None,
        };
        let cycles = chart.cycles_since(side);
        let duration_s = self.normal.duration.centre.exp();
        Some(Lasting {
            quantity,
            share: chart.mean_change(side).exp() - 1.0,
            cycles,
            since: before(end, cycles, duration_s),
            is_gradual: (quantity == Quantity::Energy)
                .then(|| self.is_gradual())
                .flatten(),
            forecast: None,
        })
    }
}
