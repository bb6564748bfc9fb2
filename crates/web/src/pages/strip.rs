//! A stretch of time as a strip of states: told apart by height as well as by colour.

use maud::{Markup, html};
use model::{MachineState, Span, StateInterval, Time};

/// How high a state's piece of a strip is, of four.
fn height_of(state: MachineState) -> f64 {
    match state {
        MachineState::Run | MachineState::Stop | MachineState::Setup => 4.0,
        MachineState::Idle => 2.6,
        MachineState::Off => 0.9,
        MachineState::Unknown => 0.0,
    }
}

/// A stretch of time as a strip of so many columns; what was not observed stays empty.
pub(super) fn strip_svg(states: &[StateInterval], span: Span, count: usize) -> Markup {
    html! {
        svg.strip viewBox={ "0 0 " (count) " 4" } preserveAspectRatio="none" aria-hidden="true" {
            @for (start, length, state) in runs(&columns(states, span, count)) {
                @let height = height_of(state);
                rect.{ "f-" (state.code()) } x=(start) y=(4.0 - height) width=(length)
                    height=(height) {}
            }
        }
    }
}

/// The state that lasted longest in each column; none where nothing was observed. The work grows
/// with the columns and the intervals, not with their product.
pub(super) fn columns(
    states: &[StateInterval],
    span: Span,
    count: usize,
) -> Vec<Option<MachineState>> {
    let (from, to) = (span.from.ms(), span.to.ms().max(span.from.ms() + 1));
    let width = (to - from) as f64 / count.max(1) as f64;
    let mut lasted = vec![[0.0; MachineState::ALL.len()]; count];
    for interval in states {
        let begin = interval.from.ms().max(from);
        let end = interval.to.map_or(to, Time::ms).min(to);
        let kind = MachineState::ALL.iter().position(|s| *s == interval.state);
        let (Some(kind), true) = (kind, begin < end) else {
            continue;
        };
        let (begin, end) = ((begin - from) as f64 / width, (end - from) as f64 / width);
        let touched = lasted.iter_mut().enumerate().skip(begin as usize);
        for (n, column) in touched.take_while(|(n, _)| (*n as f64) < end) {
            let inside = end.min(n as f64 + 1.0) - begin.max(n as f64);
            if let Some(lasted) = column.get_mut(kind) {
                *lasted += inside;
            }
        }
    }
    let longest = lasted.iter().map(|column| {
        let states = column.iter().zip(MachineState::ALL);
        let (lasted, state) = states.max_by(|a, b| a.0.total_cmp(b.0))?;
        (*lasted > 0.0).then_some(*state)
    });
    longest.collect()
}

/// Columns of equal state joined: start, length, state.
fn runs(columns: &[Option<MachineState>]) -> Vec<(usize, usize, MachineState)> {
    let mut at = 0;
    let mut runs = Vec::new();
    for alike in columns.chunk_by(|a, b| a == b) {
        if let Some(Some(state)) = alike.first() {
            runs.push((at, alike.len(), *state));
        }
        at += alike.len();
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(state: MachineState, from: i64, to: Option<i64>) -> StateInterval {
        StateInterval {
            state,
            from: Time::from_ms(from),
            to: to.map(Time::from_ms),
        }
    }

    #[test]
    fn columns_show_what_lasted_longest_and_nothing_where_nothing_was_seen() {
        let states = [
            interval(MachineState::Idle, -500, Some(270)),
            interval(MachineState::Run, 270, Some(300)),
            interval(MachineState::Stop, 300, Some(360)),
            interval(MachineState::Run, 700, None),
        ];
        let span = Span::new(Time::from_ms(0), Time::from_ms(1_000));
        let found = columns(&states, span, 10);
        let (idle, stop, run) = (MachineState::Idle, MachineState::Stop, MachineState::Run);
        assert_eq!(found[..4], [Some(idle), Some(idle), Some(idle), Some(stop)]);
        assert_eq!(found[4..7], [None; 3]);
        assert_eq!(found[7..], [Some(run); 3]);
        assert_eq!(
            runs(&found),
            [(0, 3, idle), (3, 1, stop), (7, 3, run)],
            "columns alike are joined"
        );
        assert_eq!(columns(&[], span, 3), [None; 3]);
        let nothing = Span::new(Time::from_ms(5), Time::from_ms(5));
        assert_eq!(columns(&states, nothing, 2).len(), 2);
    }
}
