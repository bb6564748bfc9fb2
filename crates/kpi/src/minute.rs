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
}

/// Watt-seconds used in each minute while the machine was seen and not running. In one that was
/// partly worked, rest is counted at the lowest power seen in it.
pub(crate) fn standby_ws(power: &[PowerMinute], stretches: &[Stretch]) -> Vec<f64> {
    let mut joules = Vec::with_capacity(power.len());
    let mut first = 0;
    for (i, minute) in power.iter().enumerate() {
        // Until the next one, but over no longer gap than energy is summed up over elsewhere.
        let until = minute.minute + GAP_MS_MAX;
        let until = power
            .get(i + 1)
            .map_or(minute.minute + 60_000, |next| next.minute.min(until));
        let span = Span::new(minute.minute, until);
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
