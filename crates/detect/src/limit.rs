//! Whether what is measured is beyond a limit that people set, and for how long.
//!
//! How long is the longer of two: between values by the clock of their device, and since the first
//! of them came by the box's own. So values that come late and together count with the time
//! between them, and two devices' clocks are never held against each other.

use model::{OwnLimit, Time};
use serde::{Deserialize, Serialize};

/// For so many seconds values must be within a limit again until it is no longer passed.
const WITHIN_S: f64 = 30.0;

/// A limit, and how what it is about stands to it.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitWatch {
    /// What people set.
    pub limit: OwnLimit,
    /// Since when nothing has come, by the box's clock: since the last value or the first look.
    quiet: Option<Time>,
    /// Values on one side of it, without one on the other.
    run: Option<Run>,
    passed: Option<PassedLimit>,
    /// A value came after the silence that is told.
    is_heard_again: bool,
}

/// Values on one side of a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    is_beyond: bool,
    /// When the first was measured, by its device's clock, and when it came.
    first: Time,
    came: Time,
    /// When the last was measured.
    last: Time,
    value: f64,
}

impl Run {
    fn lasts(&self, now: Time) -> f64 {
        now.since(self.came).max(self.last.since(self.first))
    }
}

/// How a limit is passed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PassedLimit {
    /// Since when.
    pub since: Time,
    /// The value that is beyond it; `None` where nothing comes any more.
    pub value: Option<f64>,
}

/// A limit that is passed, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StandingLimit {
    /// What people set.
    pub limit: OwnLimit,
    /// How it is passed.
    pub passed: PassedLimit,
}

impl LimitWatch {
    /// Watches a limit from the next look on; `passed` is how it was passed when the program ended.
    pub fn new(limit: OwnLimit, passed: Option<PassedLimit>) -> Self {
        Self {
            limit,
            quiet: None,
            run: None,
            passed,
            is_heard_again: false,
        }
    }

    /// Takes a value that was measured at `t` and came at `came`.
    pub fn observe(&mut self, t: Time, came: Time, value: f64) {
        self.quiet = Some(came);
        let is_beyond = self.limit.is_beyond(value);
        let run = self.run.filter(|run| run.is_beyond == is_beyond);
        let begun = Run {
            is_beyond,
            first: t,
            came,
            last: t,
            value,
        };
        let run = run.unwrap_or(begun);
        self.run = Some(Run {
            last: t,
            value,
            ..run
        });
        match self.passed.as_mut() {
            Some(passed) if passed.value.is_none() => self.is_heard_again = true,
            Some(passed) if is_beyond => passed.value = Some(value),
            _ => {}
        }
    }

    /// Looks at a moment of the box's clock whether it is passed; says whether that has changed. It
    /// stays passed until values have been within it for half a minute; silence ends with any
    /// value. A limit that was passed when the program ended stays so until something is heard.
    pub fn settle(&mut self, now: Time) -> bool {
        let before = self.passed.is_some();
        let quiet = *self.quiet.get_or_insert(now);
        if std::mem::take(&mut self.is_heard_again) || self.is_kept(now) {
            self.passed = None;
        }
        if self.passed.is_none() {
            let beyond = self.lasting(true, self.limit.for_s, now);
            let is_silent = self.limit.silent_s.is_some_and(|s| now.since(quiet) >= s);
            self.passed = beyond
                .map(|run| PassedLimit {
                    since: run.first,
                    value: Some(run.value),
                })
                .or(is_silent.then_some(PassedLimit {
                    since: quiet,
                    value: None,
                }));
        }
        before != self.passed.is_some()
    }

    /// Whether values that were beyond it have been within it for long enough.
    fn is_kept(&self, now: Time) -> bool {
        let is_of_value = self.passed.is_some_and(|passed| passed.value.is_some());
        is_of_value && self.lasting(false, WITHIN_S, now).is_some()
    }

    /// The values on one side of it, if they have lasted for so many seconds.
    fn lasting(&self, is_beyond: bool, seconds: f64, now: Time) -> Option<Run> {
        self.run
            .filter(|run| run.is_beyond == is_beyond && run.lasts(now) >= seconds)
    }

    /// How it was passed at the last look.
    pub fn passed(&self) -> Option<PassedLimit> {
        self.passed
    }

    /// The limit with how it was passed at the last look, if it was.
    pub fn standing(&self) -> Option<StandingLimit> {
        let passed = self.passed?;
        let limit = self.limit.clone();
        Some(StandingLimit { limit, passed })
    }

    /// The box's clock was set, or the box did not look for a while: what lasts counts from now.
    pub fn begin_anew(&mut self, now: Time) {
        self.quiet = Some(now);
        self.run = self.run.map(|run| Run { came: now, ..run });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(more: &str) -> LimitWatch {
        let json = format!(r#"{{"machine":"oven","point":"temperature_c",{more}}}"#);
        LimitWatch::new(serde_json::from_str(&json).unwrap(), None)
    }

    fn at(s: i64) -> Time {
        Time::from_ms(s * 1_000)
    }

    impl LimitWatch {
        /// Takes a value the moment it is measured, and looks.
        fn told(&mut self, s: i64, value: f64) -> Option<PassedLimit> {
            self.observe(at(s), at(s), value);
            self.looked(s)
        }

        fn looked(&mut self, s: i64) -> Option<PassedLimit> {
            self.settle(at(s));
            self.passed()
        }
    }

    #[test]
    fn a_limit_is_passed_once_values_are_beyond_it_for_so_long() {
        let mut oven = watch(r#""above":60,"for_s":300"#);
        for (s, value) in [(10, 59.0), (20, 61.0), (200, 62.0)] {
            assert_eq!(oven.told(s, value), None);
        }
        assert_eq!(oven.looked(319), None);
        let passed = oven.looked(320).unwrap();
        assert_eq!((passed.since, passed.value), (at(20), Some(62.0)));
    }

    #[test]
    fn one_value_within_it_begins_the_time_anew() {
        let mut oven = watch(r#""above":60,"for_s":300"#);
        oven.told(20, 61.0);
        oven.told(310, 60.0);
        oven.told(320, 61.0);
        assert_eq!(oven.looked(619), None);
        assert!(oven.looked(620).is_some());
    }

    #[test]
    fn what_swings_about_it_is_one_passing_and_not_many() {
        let mut oven = watch(r#""above":60"#);
        assert!(oven.told(0, 60.1).is_some());
        for s in 1..1_000 {
            let value = if s % 20 == 0 { 60.2 } else { 59.9 };
            assert!(oven.told(s, value).is_some(), "{s}");
        }
        assert!(oven.told(1_009, 59.9).is_some());
        assert_eq!(oven.told(1_011, 59.9), None);
    }

    #[test]
    fn values_that_come_together_count_with_the_time_between_them() {
        let mut oven = watch(r#""above":60,"for_s":300"#);
        oven.observe(at(0), at(5_000), 61.0);
        oven.observe(at(299), at(5_000), 61.0);
        assert_eq!(oven.looked(5_000), None);
        oven.observe(at(300), at(5_001), 61.0);
        assert_eq!(oven.looked(5_001).unwrap().since, at(0));
    }

    #[test]
    fn silence_counts_from_the_last_value_or_from_the_first_look() {
        let mut oven = watch(r#""silent_s":600"#);
        assert_eq!(oven.looked(5_000), None);
        assert_eq!(oven.looked(5_599), None);
        assert_eq!(oven.looked(5_600).unwrap().value, None);
        assert_eq!(oven.told(5_700, 20.0), None, "any value ends it");
        // A device whose clock is an hour behind is no silent one.
        oven.observe(at(3_000), at(6_200), 20.0);
        assert_eq!(oven.looked(6_799), None);
        assert_eq!(oven.looked(6_800).unwrap().since, at(6_200));
    }

    #[test]
    fn neither_a_clock_that_is_set_nor_a_restart_begins_or_ends_it() {
        let mut oven = watch(r#""above":60,"for_s":300,"silent_s":600"#);
        oven.told(0, 61.0);
        oven.begin_anew(at(90_000));
        assert_eq!(oven.looked(90_299), None);
        let mut silent = watch(r#""silent_s":600"#);
        silent.told(0, 20.0);
        assert!(silent.looked(600).is_some());
        silent.begin_anew(at(90_000));
        assert!(silent.looked(90_001).is_some(), "nothing has come");
        assert_eq!(silent.told(90_002, 20.0), None);
        let passed = oven.looked(90_300).unwrap();
        let mut after = LimitWatch::new(oven.limit.clone(), Some(passed));
        assert_eq!(after.looked(90_400), Some(passed), "nothing has come yet");
        assert!(after.told(90_401, 60.0).is_some());
        assert_eq!(after.looked(90_431), None);
    }
}
