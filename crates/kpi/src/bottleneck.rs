//! The bottleneck of a line, by the active period method (Roser, Nakano, Tanaka 2002, "Shifting
//! bottleneck detection"): a machine that waits for nobody is what the others wait for, so at each
//! moment the machine that has been active longest without a wait is the bottleneck. Where the
//! waits decide nothing, the slowest machine per part is named.

use model::{Span, Time};

use crate::stretch::total;

/// Less than this, in seconds, of a line at work says nothing.
const SEEN_S_MIN: f64 = 600.0;
/// The first machine has to be the bottleneck for this much more of the time than the second.
const LEAD: f64 = 0.10;

/// A machine of a line, as its account tells.
#[derive(Debug, Clone, Copy)]
pub struct Station<'a> {
    /// When it was at it without a wait, in order.
    pub active: &'a [Span],
    /// What it usually works on one part, in seconds; `None` without cycles.
    pub s_per_part: Option<f64>,
}

/// A stretch of time in which one machine of the line was the bottleneck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Where it stands in the line.
    pub station: usize,
    /// From when.
    pub from: Time,
    /// Until when.
    pub to: Time,
}

/// What the naming rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// It waited least: the others wait for it.
    Waits,
    /// The waits decide nothing; it takes longest for a part.
    CycleTime,
}

impl By {
    /// The word used in the API and in files.
    pub fn code(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::CycleTime => "cycle_time",
        }
    }
}

/// The bottleneck of a line over a stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Bottleneck {
    /// Where the machine stands in the line, and how that is known; `None` while too little was
    /// seen.
    pub named: Option<(usize, By)>,
    /// For each machine the share of the line's active time in which it was the bottleneck.
    pub shares: Vec<f64>,
    /// Who was the bottleneck when, in order.
    pub turns: Vec<Turn>,
}

impl Bottleneck {
    /// Finds the bottleneck of the machines of a line.
    pub fn of(line: &[Station<'_>]) -> Self {
        let turns = turns(line);
        let seconds = |turn: &Turn| turn.to.since(turn.from);
        let total_s = total(turns.iter().map(seconds));
        let shares: Vec<f64> = (0..line.len())
            .map(|station| {
                let own = turns.iter().filter(|turn| turn.station == station);
                total(own.map(seconds)) / total_s.max(1.0)
            })
            .collect();
        let named = (total_s >= SEEN_S_MIN)
            .then(|| named(line, &shares))
            .flatten();
        Self {
            named,
            shares,
            turns,
        }
    }
}

fn named(line: &[Station<'_>], shares: &[f64]) -> Option<(usize, By)> {
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| share(shares, *b).total_cmp(&share(shares, *a)));
    let (first, second) = (*order.first()?, *order.get(1)?);
    if share(shares, first) >= share(shares, second) + LEAD {
        return Some((first, By::Waits));
    }
    let timed = line
        .iter()
        .enumerate()
        .filter_map(|(i, s)| Some((i, s.s_per_part?)));
    let slowest = timed.max_by(|a, b| a.1.total_cmp(&b.1));
    slowest.map(|(station, _)| (station, By::CycleTime))
}

fn share(shares: &[f64], station: usize) -> f64 {
    shares.get(station).copied().unwrap_or(0.0)
}

/// At each moment the machine whose active period around it is the longest.
fn turns(line: &[Station<'_>]) -> Vec<Turn> {
    let periods: Vec<&[Span]> = line.iter().map(|s| s.active).collect();
    let mut edges: Vec<Time> = periods
        .iter()
        .flat_map(|own| own.iter())
        .flat_map(|span| [span.from, span.to])
        .collect();
    edges.sort_unstable();
    edges.dedup();
    let mut next = vec![0; periods.len()];
    let mut turns: Vec<Turn> = Vec::new();
    for pair in edges.windows(2) {
        let &[from, to] = pair else { continue };
        let mut longest: Option<(i64, usize)> = None;
        for (station, (own, next)) in periods.iter().zip(&mut next).enumerate() {
            while own.get(*next).is_some_and(|span| span.to <= from) {
                *next += 1;
            }
            let around = own.get(*next).filter(|span| span.from <= from);
            let ms = around.map(|span| span.to.ms() - span.from.ms());
            if let Some(ms) = ms.filter(|ms| longest.is_none_or(|(most, _)| *ms > most)) {
                longest = Some((ms, station));
            }
        }
        let Some((_, station)) = longest else {
            continue;
        };
        match turns.last_mut() {
            Some(last) if last.station == station && last.to == from => last.to = to,
            _ => turns.push(Turn { station, from, to }),
        }
    }
    turns
}
