//! Power by the minute: what is left of readings once they are old, and what sums are made from.

use model::{GAP_MS_MAX, MachineState, Span, Time};

use crate::stretch::Stretch;

/// Power over one minute, in watts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerMinute {
    /// When it began.
    pub minute: Time,
    /// The lowest reading.
    pub min_w: f64,
    /// The mean of the readings.
    pub mean_w: f64,
    /// What follows from then on counts no more, whatever comes next; `None` if all does.
    pub counts_until: Option<Time>,
}

/// While each minute's power holds: until the next one, that of the last for so many milliseconds,
/// but over no longer gap than energy is summed up over elsewhere.
pub(crate) fn holding(
    power: &[PowerMinute],
    last_ms: i64,
) -> impl Iterator<Item = (&PowerMinute, Span)> {
    power.iter().enumerate().map(move |(i, minute)| {
        let next = power.get(i + 1).map(|next| next.minute);
        let until = next.unwrap_or(minute.minute + last_ms);
        let until = until.min(minute.minute + GAP_MS_MAX);
        let until = minute.counts_until.map_or(until, |end| until.min(end));
        (minute, Span::new(minute.minute, until))
    })
}

/// Watt-seconds used in each minute while the machine was seen and not running. In one that was
/// partly worked, rest is counted at the lowest power seen in it.
pub(crate) fn standby_ws(power: &[PowerMinute], stretches: &[Stretch]) -> Vec<f64> {
    let mut joules = Vec::with_capacity(power.len());
    let mut first = 0;
    for (minute, span) in holding(power, 60_000) {
        while stretches.get(first).is_some_and(|s| s.to <= span.from) {
            first += 1;
        }
        let (mut run_s, mut rest_s) = (0.0, 0.0);
        for stretch in stretches
            .iter()
            .skip(first)
            .take_while(|s| s.from < span.to)
        {
            match stretch.state {
                MachineState::Unknown => {}
                MachineState::Run => run_s += stretch.within(span),
                _ => rest_s += stretch.within(span),
            }
        }
        let watts = if run_s > 0.0 {
            minute.min_w
        } else {
            minute.mean_w
        };
        joules.push(rest_s * watts.max(0.0));
    }
    joules
}
