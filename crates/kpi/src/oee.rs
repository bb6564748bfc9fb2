//! Overall equipment effectiveness (OEE, 設備総合効率) as ISO 22400-2 has it: the planned time in
//! which a machine produced, at the speed it was meant to have, with parts that were good.

use schemars::JsonSchema;
use serde::Serialize;

use crate::account::Account;

/// What is known beside the account of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Output {
    /// Parts made.
    pub parts: f64,
    /// Parts of the days on which somebody told how many were bad; `None` if nobody did.
    pub checked: Option<f64>,
    /// Those of them that were.
    pub bad: f64,
    /// Seconds one part is to take (planned run time per item).
    pub s_per_part: Option<f64>,
    /// Seconds of planned hours in which it was not to run after all.
    pub not_to_run_s: f64,
}

/// The three factors, each as far as it is known; shares of 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, JsonSchema)]
pub struct Oee {
    /// Availability 時間稼働率: producing in planned hours ÷ planned hours, less what it was not to
    /// run. Unknown without planned hours.
    pub availability: Option<f64>,
    /// Performance 性能稼働率: parts × planned seconds per part ÷ time of producing. Unknown where
    /// nobody said what a part is to take. More than 1 where that is too generous.
    pub performance: Option<f64>,
    /// Quality 良品率: good parts ÷ parts, of the days on which somebody told how many were bad.
    /// Unknown while nobody did.
    pub quality: Option<f64>,
}

impl Oee {
    /// Of one machine.
    pub fn of(account: &Account, output: Output) -> Self {
        let Output {
            parts,
            checked,
            bad,
            s_per_part,
            not_to_run_s,
        } = output;
        let busy_s = account.planned_s().map(|s| s - not_to_run_s);
        let run_s = account.production.all_s;
        let available = |busy_s: f64| (account.production.planned_s / busy_s).min(1.0);
        Self {
            availability: busy_s.filter(|s| *s > 0.0).map(available),
            performance: s_per_part
                .filter(|_| run_s > 0.0)
                .map(|s| parts * s / run_s),
            quality: checked
                .filter(|checked| *checked > 0.0)
                .map(|checked| (checked - bad).max(0.0) / checked),
        }
    }

    /// The product of the three; unknown while one of them is.
    pub fn whole(self) -> Option<f64> {
        Some(self.availability? * self.performance? * self.quality?)
    }
}

#[cfg(test)]
mod tests {
    use model::{MachineState, Span, StateInterval, Time};

    use super::*;
    use crate::chronicle::Measured;

    #[test]
    fn the_factors_are_those_of_the_standard_and_unknown_stays_unknown() {
        let at = |s: i64| Time::from_ms(s * 1_000);
        let state = |state, from, to| StateInterval {
            state,
            from: at(from),
            to: Some(at(to)),
        };
        let states = [
            state(MachineState::Run, 0, 6_000),
            state(MachineState::Idle, 6_000, 10_000),
        ];
        let planned = [Span::new(at(0), at(10_000))];
        let measured = Measured {
            states: &states,
            planned: Some(&planned),
            ..Measured::default()
        };
        let account = Account::of(Span::new(at(0), at(10_000)), &measured);
        let known = Output {
            parts: 100.0,
            checked: Some(100.0),
            bad: 5.0,
            s_per_part: Some(54.0),
            not_to_run_s: 2_000.0,
        };
        let oee = Oee::of(&account, known);
        assert_eq!(
            (oee.availability, oee.performance, oee.quality),
            (Some(0.75), Some(0.9), Some(0.95))
        );
        assert!((oee.whole().unwrap() - 0.75 * 0.9 * 0.95).abs() < 1e-12);
        let unsaid = Output {
            checked: None,
            ..known
        };
        assert_eq!(Oee::of(&account, unsaid).whole(), None);
        // Never to run in any planned hour is no availability of 0.
        let never = Output {
            not_to_run_s: 10_000.0,
            ..known
        };
        assert_eq!(Oee::of(&account, never).availability, None);
    }
}
