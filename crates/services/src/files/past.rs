//! What was before anybody watched: states and cycles told from recorded readings by the same watch
//! that judges live, one that knows nothing else and is forgotten afterwards. What it would have
//! learned or raised is not kept: nobody acts on an alarm of last year.

use app::keeping::PastEvent;
use detect::{Outcome, Settings, Signal, Watch};
use model::{FindingKind, SeriesId, Span};
use pipeline::signal_of;
use sources::{Row, RowValue};

/// What recorded readings tell of their machine, by time.
pub(crate) fn told(settings: Settings, rows: &[Row]) -> Vec<PastEvent> {
    let mut watch = Watch::new(settings);
    let (mut outcomes, mut events) = (Vec::new(), Vec::new());
    for row in rows {
        if let Some(signal) = signal_in(row) {
            watch.skip_to(row.t, &mut outcomes);
            watch.feed(row.t, row.t, &signal, &mut outcomes);
            events.extend(outcomes.drain(..).filter_map(event));
        }
    }
    if let Some(last) = rows.last() {
        watch.resume(last.t + 1, &mut outcomes);
        events.extend(outcomes.drain(..).filter_map(event));
    }
    events
}

fn signal_in(row: &Row) -> Option<Signal> {
    match &row.value {
        RowValue::Number(value) => {
            let of = SeriesId(row.point.into());
            signal_of(row.role, of, *value, None)
        }
        RowValue::Product(product) => Some(Signal::Product(product.clone())),
    }
}

fn event(outcome: Outcome) -> Option<PastEvent> {
    match outcome {
        Outcome::State(state, at) => Some(PastEvent::State(state, at)),
        Outcome::Cycle(finished) => Some(PastEvent::Cycle(finished.cycle, finished.reason)),
        // Set-up is told from changes of product.
        Outcome::Finding(finding) if finding.kind == FindingKind::ProductChanged => {
            Some(PastEvent::Finding(finding))
        }
        _ => None,
    }
}

/// How many cycles are among events.
pub(crate) fn cycles(events: &[PastEvent]) -> u64 {
    let cycles = events.iter().filter(|e| matches!(e, PastEvent::Cycle(..)));
    cycles.count() as u64
}

/// The first and the last moment of readings.
pub(crate) fn span(rows: &[Row]) -> Option<Span> {
    Some(Span::new(rows.first()?.t, rows.last()?.t))
}

#[cfg(test)]
mod tests {
    use model::{MachineState, Time};
    use sources::PointRole;

    use super::*;

    /// Power of a machine that works ten seconds and waits five, a reading a second.
    fn working(from_s: i64, cycles: i64) -> impl Iterator<Item = Row> {
        (0..cycles * 15).map(move |s| Row {
            point: 0,
            role: PointRole::Power,
            t: Time::from_ms((from_s + s) * 1000),
            has_own_time: true,
            value: RowValue::Number(if s % 15 < 10 { 900.0 } else { 150.0 }),
        })
    }

    #[test]
    fn cycles_are_found_and_a_night_without_readings_is_not_work() {
        let night = 10 * 3600;
        let rows: Vec<Row> = working(0, 40).chain(working(night, 40)).collect();
        let events = told(Settings::default(), &rows);
        let found = cycles(&events);
        assert!((70..=80).contains(&found), "{found} cycles");
        let unknown = events.iter().filter_map(|event| match event {
            PastEvent::State(MachineState::Unknown, at) => Some(at.ms() / 1000),
            _ => None,
        });
        let unknown: Vec<i64> = unknown.collect();
        // Soon after the last reading of the evening, and at the end.
        assert_eq!(unknown.len(), 2, "{unknown:?}");
        assert!((600..630).contains(&unknown[0]), "{unknown:?}");
        assert_eq!(unknown[1], night + 599);
    }
}
