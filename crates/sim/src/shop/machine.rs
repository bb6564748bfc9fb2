//! One machine of the workshop: where it is in its cycle, when it stands still and why, what its
//! sensors send.

use std::fmt::Write as _;

use super::{WorkSensors, Workplace};
use crate::plan::Random;

/// Time between two readings, by day and by night.
const STEP_MS: i64 = 2_000;
/// How often a contact tells its level although it has not changed.
const LEVEL_EVERY_MS: i64 = 30_000;
/// How long a pulse lasts.
const PULSE_MS: i64 = 200;
const MINUTE_MS: i64 = 60_000;
/// A shift that begins this long after the one before begins a new day.
const NIGHT_MS: i64 = 4 * 3_600_000;
/// How much faster the lathe ran while its program was changed.
const FASTER: f64 = 1.22;
/// How much more a machining centre draws with each shift since its tool is worn.
const WEAR_A_SHIFT: f64 = 0.013;
/// Shifts before now in which the tool wore.
const WEAR_SHIFTS: usize = 8;
/// The shift before now in which the program was changed, and when in it.
const CHANGED_SHIFTS_AGO: usize = 6;
const CHANGED_MS: (i64, i64) = (80 * MINUTE_MS, 115 * MINUTE_MS);

/// What one row of the table says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ShopRow {
    t_ms: i64,
    power_w: Option<f64>,
    cycle: Option<u64>,
    pulse: Option<bool>,
    product: Option<&'static str>,
    lamp: Option<[bool; 3]>,
}

impl ShopRow {
    pub(super) fn write(&self, table: &mut String) {
        let [red, yellow, green] = match self.lamp {
            Some(lamp) => lamp.map(|is_lit| is_lit.to_string()),
            None => Default::default(),
        };
        let or_nothing = |text: Option<String>| text.unwrap_or_default();
        let power = or_nothing(self.power_w.map(|watts| format!("{watts:.1}")));
        let cycle = or_nothing(self.cycle.map(|n| n.to_string()));
        let pulse = or_nothing(self.pulse.map(|is_on| is_on.to_string()));
        let product = self.product.unwrap_or_default();
        let t = self.t_ms;
        writeln!(
            table,
            "{t},{power},{cycle},{pulse},{product},{red},{yellow},{green}"
        )
        .ok();
    }
}

/// A long stop, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TrueStop {
    pub(super) at_ms: i64,
    pub(super) reason: &'static str,
}

/// Bad parts of a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TrueScrap {
    pub(super) at_ms: i64,
    pub(super) parts: f64,
}

/// What the machine is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StationState {
    Off,
    Working,
    /// It stands still until then; with a red lamp if it is broken.
    Standing {
        until_ms: i64,
        is_broken: bool,
    },
}

/// One machine.
pub(super) struct Workstation {
    place: &'static Workplace,
    random: Random,
    t_ms: i64,
    doing: StationState,
    /// Where in the cycle it is, 0 to 1.
    position: f64,
    cycle_s: f64,
    count: u64,
    product: usize,
    /// The lamp as it was told last.
    lamp: Option<[bool; 3]>,
    pulse_until: Option<i64>,
    /// The shift it worked in last.
    shift: Option<usize>,
    stops: Vec<TrueStop>,
    scrap: Vec<TrueScrap>,
}

impl Workstation {
    pub(super) fn new(place: &'static Workplace, from_ms: i64, seed: u64) -> Self {
        let id = place.name.id;
        let stream = id
            .bytes()
            .fold(11_u64, |sum, b| sum.wrapping_mul(31) + u64::from(b));
        Self {
            place,
            random: Random::new(seed, stream),
            t_ms: from_ms - MINUTE_MS,
            doing: StationState::Off,
            position: 0.0,
            cycle_s: place.s_per_part,
            count: 20_000,
            product: 0,
            lamp: None,
            pulse_until: None,
            shift: None,
            stops: Vec::new(),
            scrap: Vec::new(),
        }
    }

    pub(super) fn id(&self) -> &'static str {
        self.place.name.id
    }

    /// Up to when it has been played.
    pub(super) fn now(&self) -> i64 {
        self.t_ms
    }

    pub(super) fn take_stops(&mut self) -> Vec<TrueStop> {
        std::mem::take(&mut self.stops)
    }

    pub(super) fn take_scrap(&mut self) -> Vec<TrueScrap> {
        std::mem::take(&mut self.scrap)
    }

    /// Plays on to a moment.
    pub(super) fn until(&mut self, to_ms: i64, shifts: &[(i64, i64)], rows: &mut Vec<ShopRow>) {
        self.some(usize::MAX, to_ms, shifts, rows);
    }

    /// Plays on to a moment, or until so many rows are there.
    pub(super) fn some(
        &mut self,
        limit: usize,
        to_ms: i64,
        shifts: &[(i64, i64)],
        rows: &mut Vec<ShopRow>,
    ) {
        while rows.len() < limit {
            let shift = shifts
                .iter()
                .position(|(from, to)| (*from..*to).contains(&self.t_ms));
            if self.t_ms + STEP_MS > to_ms {
                return;
            }
            self.t_ms += STEP_MS;
            self.begin_or_end(shift, shifts);
            self.step(shift, shifts, rows);
        }
    }

    /// People come and go.
    fn begin_or_end(&mut self, shift: Option<usize>, shifts: &[(i64, i64)]) {
        if shift == self.shift {
            return;
        }
        let at = |shift: Option<usize>| shift.and_then(|n| shifts.get(n));
        let before = self.shift.filter(|_| shift.is_some());
        let rest = at(shift)
            .zip(at(before))
            .map(|(now, before)| now.0 - before.1);
        if let Some((from, _)) = at(shift) {
            let is_new_day = rest.is_none_or(|rest| rest > NIGHT_MS);
            // The first part of a day comes a few minutes after people do.
            let late = if is_new_day {
                4.0 + 6.0 * self.random.share()
            } else {
                self.random.share()
            };
            self.stand((late * MINUTE_MS as f64) as i64, false);
            if is_new_day && late > 5.0 {
                self.stops.push(TrueStop {
                    at_ms: *from + STEP_MS,
                    reason: "cleaning",
                });
            }
            if let Some((_, ended)) = at(before).filter(|_| is_new_day) {
                let parts = (self.random.share() * 4.0).floor();
                self.scrap.push(TrueScrap {
                    at_ms: *ended - MINUTE_MS,
                    parts,
                });
            }
            self.shift = shift;
        }
    }

    fn stand(&mut self, length_ms: i64, is_broken: bool) {
        let until_ms = self.t_ms + length_ms;
        self.doing = StationState::Standing {
            until_ms,
            is_broken,
        };
    }

    fn step(&mut self, shift: Option<usize>, shifts: &[(i64, i64)], rows: &mut Vec<ShopRow>) {
        match self.doing {
            StationState::Standing { until_ms, .. } if self.t_ms >= until_ms => {
                self.doing = StationState::Working;
            }
            _ => {}
        }
        let is_between = self.position == 0.0;
        if shift.is_none() && is_between && self.doing != StationState::Off {
            self.doing = StationState::Off;
        }
        let mut row = self.row();
        if let Some(until) = self.pulse_until.take() {
            rows.push(ShopRow {
                t_ms: until,
                pulse: Some(false),
                ..ShopRow::default()
            });
        }
        if self.doing == StationState::Working {
            // A cycle that was begun is finished, also when people go.
            self.work(shift, shifts, &mut row);
        }
        // What nobody hears of for long is away: levels are told again.
        let is_due = self.t_ms % LEVEL_EVERY_MS < STEP_MS;
        match self.place.sensors {
            WorkSensors::Power(watts) => {
                let noise = 1.0 + 0.012 * self.random.normal();
                row.power_w = Some(self.watts(watts, shifts) * noise);
            }
            WorkSensors::Contact => {
                if row.pulse.is_none() && is_due {
                    row.pulse = Some(false);
                }
            }
            WorkSensors::Lamp => {
                let lamp = self.lamp_now();
                if self.lamp != Some(lamp) || is_due {
                    self.lamp = Some(lamp);
                    row.lamp = Some(lamp);
                }
            }
        }
        if row != self.row() {
            rows.push(row);
        }
    }

    fn row(&self) -> ShopRow {
        ShopRow {
            t_ms: self.t_ms,
            ..ShopRow::default()
        }
    }

    fn work(&mut self, shift: Option<usize>, shifts: &[(i64, i64)], row: &mut ShopRow) {
        let speed = if self.is_changed(shift, shifts) {
            FASTER
        } else {
            1.0
        };
        let step_s = STEP_MS as f64 / 1_000.0;
        self.position += step_s * speed / self.cycle_s;
        if self.position < 1.0 {
            return;
        }
        self.position = 0.0;
        self.count += 1;
        self.cycle_s = self.usual_s() * (1.0 + 0.006 * self.random.normal().clamp(-2.5, 2.5));
        match self.place.sensors {
            WorkSensors::Power(_) => row.cycle = Some(self.count),
            WorkSensors::Contact => {
                row.pulse = Some(true);
                self.pulse_until = Some(self.t_ms + PULSE_MS);
            }
            WorkSensors::Lamp => {}
        }
        self.rest(row);
    }

    /// Between two cycles: a short stop, a long one, another product.
    fn rest(&mut self, row: &mut ShopRow) {
        let hours = self.cycle_s / 3_600.0;
        let mut happens = |times_an_hour: f64| self.random.share() < times_an_hour * hours;
        let (is_short, is_long, is_other) = (happens(1.1), happens(0.16), happens(0.1));
        if is_other && self.place.has_two_products {
            let before_s = self.usual_s();
            self.product += 1;
            self.cycle_s *= self.usual_s() / before_s;
            row.product = Some(if self.product.is_multiple_of(2) {
                "A-100"
            } else {
                "B-200"
            });
            let minutes = 11.0 + 9.0 * self.random.share();
            self.stand((minutes * MINUTE_MS as f64) as i64, false);
        } else if is_long {
            let minutes = 6.0 + 22.0 * self.random.share() * self.random.share();
            let reason = self.reason();
            self.stops.push(TrueStop {
                at_ms: self.t_ms + STEP_MS,
                reason,
            });
            self.stand((minutes * MINUTE_MS as f64) as i64, reason == "breakdown");
        } else if is_short {
            let seconds = 25.0 + 170.0 * self.random.share() * self.random.share();
            self.stand((seconds * 1_000.0) as i64, false);
        }
    }

    fn reason(&mut self) -> &'static str {
        let drawn = self.random.share();
        match drawn {
            ..0.34 => "material",
            ..0.55 => "tool",
            ..0.72 => "breakdown",
            ..0.86 => "quality",
            _ => "staff",
        }
    }

    fn usual_s(&self) -> f64 {
        let is_second = !self.product.is_multiple_of(2);
        self.place.s_per_part * if is_second { 1.18 } else { 0.98 }
    }

    /// Whether somebody has changed the program of the lathe.
    fn is_changed(&self, shift: Option<usize>, shifts: &[(i64, i64)]) -> bool {
        let changed = shifts.len().checked_sub(CHANGED_SHIFTS_AGO);
        let begun = shift
            .filter(|n| Some(*n) == changed)
            .and_then(|n| shifts.get(n));
        let is_then = |from: i64| (CHANGED_MS.0..CHANGED_MS.1).contains(&(self.t_ms - from));
        self.id() == "lathe-1" && begun.is_some_and(|(from, _)| is_then(*from))
    }

    fn watts(&self, [idle, phases @ ..]: [f64; 5], shifts: &[(i64, i64)]) -> f64 {
        let part = (self.position * phases.len() as f64) as usize;
        match self.doing {
            StationState::Off => 0.0,
            StationState::Standing { .. } => idle,
            StationState::Working => phases.get(part).copied().unwrap_or(idle) * self.worn(shifts),
        }
    }

    /// How much more the worn tool takes.
    fn worn(&self, shifts: &[(i64, i64)]) -> f64 {
        let first = shifts.len().saturating_sub(WEAR_SHIFTS);
        let worn = self.shift.map_or(0, |shift| shift.saturating_sub(first));
        if self.id() == "mill-1" {
            1.0 + WEAR_A_SHIFT * worn as f64
        } else {
            1.0
        }
    }

    /// Green while it works, yellow while it waits, red while it is broken, dark at night.
    fn lamp_now(&self) -> [bool; 3] {
        match self.doing {
            StationState::Off => [false; 3],
            StationState::Working => [false, false, true],
            StationState::Standing { is_broken, .. } => [is_broken, !is_broken, false],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::WORKPLACES;
    use super::*;

    /// Two mornings, told at once or a little at a time.
    fn play(place: usize, limit: usize) -> (Vec<ShopRow>, Workstation) {
        let hour = 3_600_000;
        let shifts = [(24 * hour, 28 * hour), (48 * hour, 52 * hour)];
        let mut station = Workstation::new(&WORKPLACES[place], 24 * hour, 7);
        let mut rows = Vec::new();
        loop {
            let mut more = Vec::new();
            station.some(limit, 72 * hour, &shifts, &mut more);
            if more.is_empty() {
                return (rows, station);
            }
            rows.append(&mut more);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_shop_however_it_is_asked() {
        for place in 0..WORKPLACES.len() {
            assert_eq!(play(place, 500).0, play(place, usize::MAX).0);
        }
    }

    #[test]
    fn people_make_about_what_they_are_to_make_and_nothing_at_night() {
        let (rows, station) = play(1, usize::MAX);
        let parts = rows.iter().filter(|row| row.cycle.is_some()).count() as f64;
        let planned = f64::from(WORKPLACES[1].parts_per_day.unwrap());
        assert!((0.6 * planned..1.2 * planned).contains(&parts), "{parts}");
        let hour = 3_600_000;
        let night = rows
            .iter()
            .filter(|row| (29 * hour..48 * hour).contains(&row.t_ms));
        assert!(night.clone().count() > 1_000);
        assert!(
            night
                .clone()
                .all(|row| row.power_w == Some(0.0) && row.cycle.is_none())
        );
        assert!(!station.stops.is_empty() && station.scrap.len() == 1);
        assert!(rows.windows(2).all(|pair| pair[0].t_ms <= pair[1].t_ms));
    }
}
