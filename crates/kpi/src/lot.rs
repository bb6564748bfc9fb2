//! Lots on their way through the machines: from what people scan when a lot comes to a machine, the
//! stretch of time in which each machine worked on it.

use model::{MachineId, Time, Title};

/// What was scanned: a lot came to a machine, or the machine was done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotMark {
    /// Where.
    pub machine: MachineId,
    /// When.
    pub at: Time,
    /// The number that was scanned.
    pub lot: Title,
    /// It came; otherwise it was done.
    pub is_begin: bool,
}

/// A machine at work on a lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotRun {
    /// The number of what is worked on.
    pub lot: Title,
    /// Where.
    pub machine: MachineId,
    /// From when on.
    pub from: Time,
    /// Until when; `None` while it lasts.
    pub until: Option<Time>,
}

impl LotRun {
    /// The stretches that marks, in any order, come to; by their beginnings.
    ///
    /// A lot is in one place, and a machine works on one lot: one that comes ends what was there,
    /// and has left where it was. Scanned twice it goes on, done twice it is done.
    pub fn all(mut marks: Vec<LotMark>) -> Vec<Self> {
        marks.sort_by_key(|mark| mark.at);
        let mut over: Vec<Self> = Vec::new();
        // At most one for each machine.
        let mut open: Vec<Self> = Vec::new();
        for mark in marks {
            let goes_on = |run: &Self| run.lot == mark.lot && run.machine == mark.machine;
            if mark.is_begin && open.iter().any(goes_on) {
                continue;
            }
            let is_ended = |run: &mut Self| {
                let makes_room = run.lot == mark.lot || run.machine == mark.machine;
                goes_on(run) || mark.is_begin && makes_room
            };
            let ended = open.extract_if(.., is_ended);
            over.extend(ended.map(|run| Self {
                until: Some(mark.at),
                ..run
            }));
            if mark.is_begin {
                open.push(Self {
                    lot: mark.lot,
                    machine: mark.machine,
                    from: mark.at,
                    until: None,
                });
            }
        }
        over.extend(open);
        over.retain(|run| run.until != Some(run.from));
        over.sort_by_key(|run| run.from);
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(at: i64, machine: &str, lot: &str, is_begin: bool) -> LotMark {
        LotMark {
            machine: MachineId::new(machine).unwrap(),
            at: Time::from_ms(at),
            lot: Title::new(lot).unwrap(),
            is_begin,
        }
    }

    fn runs(marks: &[LotMark]) -> Vec<String> {
        let told = LotRun::all(marks.to_vec());
        let told = told.iter().map(|run| {
            let until = run
                .until
                .map_or("…".to_owned(), |until| until.ms().to_string());
            let (lot, machine) = (run.lot.as_str(), run.machine.as_str());
            format!("{lot} {machine} {}-{until}", run.from.ms())
        });
        told.collect()
    }

    #[test]
    fn a_lot_is_in_one_place_and_a_machine_works_on_one_lot() {
        let marks = [
            mark(10, "saw", "A", true),
            mark(20, "press", "A", true),
            mark(25, "saw", "B", true),
            mark(30, "press", "C", true),
            mark(40, "saw", "B", false),
        ];
        let wanted = [
            "A saw 10-20",
            "A press 20-30",
            "B saw 25-40",
            "C press 30-…",
        ];
        assert_eq!(runs(&marks), wanted);
        let mut late = marks.to_vec();
        late.reverse();
        assert_eq!(runs(&late), wanted, "whatever is told later");
    }

    #[test]
    fn scanned_twice_it_goes_on_and_done_twice_it_is_done() {
        let marks = [
            mark(10, "saw", "A", true),
            mark(15, "saw", "A", true),
            mark(20, "saw", "A", false),
            mark(22, "saw", "A", false),
            mark(23, "press", "A", false),
            mark(30, "saw", "A", true),
        ];
        assert_eq!(runs(&marks), ["A saw 10-20", "A saw 30-…"]);
    }

    #[test]
    fn a_wrong_machine_that_was_put_right_at_once_is_no_step() {
        let marks = [mark(10, "saw", "A", true), mark(10, "press", "A", true)];
        assert_eq!(runs(&marks), ["A press 10-…"]);
    }
}
