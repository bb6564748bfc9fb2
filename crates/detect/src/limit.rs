//! Whether what is measured is beyond a limit that people set, and for how long.

use model::{OwnLimit, Time};

/// A limit, and how what it is about stands to it.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitWatch {
    /// What people set.
    pub limit: OwnLimit,
    /// Since when it is watched.
    begun: Time,
    /// When a value came last.
    heard: Option<Time>,
    /// Since when values are beyond it, and the last of them.
    beyond: Option<(Time, f64)>,
}

/// How a limit is passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PassedLimit {
    /// Since when.
    pub since: Time,
    /// The value that is beyond it; `None` where nothing comes any more.
    pub value: Option<f64>,
}

impl LimitWatch {
    /// Watches a limit from now on.
    pub fn new(limit: OwnLimit, begun: Time) -> Self {
        Self {
            limit,
            begun,
            heard: None,
            beyond: None,
        }
    }

    /// Takes a value.
    pub fn observe(&mut self, t: Time, value: f64) {
        self.heard = Some(t);
        let since = self.beyond.map_or(t, |(since, _)| since);
        self.beyond = self.limit.is_beyond(value).then_some((since, value));
    }

    /// Whether a value has come since it is watched.
    pub fn is_known(&self) -> bool {
        self.heard.is_some()
    }

    /// Whether it is passed at a moment. While its alarm lasts every value beyond it counts at
    /// once: a restart does not end what has not ended.
    pub fn passed(&self, now: Time, is_alarmed: bool) -> Option<PassedLimit> {
        let beyond = self
            .beyond
            .filter(|(since, _)| is_alarmed || now.since(*since) >= self.limit.for_s);
        if let Some((since, value)) = beyond {
            let value = Some(value);
            return Some(PassedLimit { since, value });
        }
        let heard = self.heard.unwrap_or(self.begun);
        let is_silent = self.limit.silent_s.is_some_and(|s| now.since(heard) >= s);
        is_silent.then_some(PassedLimit {
            since: heard,
            value: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(more: &str) -> LimitWatch {
        let json = format!(r#"{{"machine":"oven","point":"temperature_c",{more}}}"#);
        LimitWatch::new(serde_json::from_str(&json).unwrap(), at(0))
    }

    fn at(s: i64) -> Time {
        Time::from_ms(s * 1_000)
    }

    #[test]
    fn a_limit_is_passed_once_values_are_beyond_it_for_so_long() {
        let mut oven = watch(r#""above":60,"for_s":300"#);
        for (s, value) in [(10, 59.0), (20, 61.0), (200, 62.0)] {
            oven.observe(at(s), value);
        }
        assert_eq!(oven.passed(at(319), false), None);
        let passed = oven.passed(at(320), false).unwrap();
        assert_eq!((passed.since, passed.value), (at(20), Some(62.0)));
        // One value within it begins the time anew.
        oven.observe(at(330), 60.0);
        oven.observe(at(340), 61.0);
        assert_eq!(oven.passed(at(400), false), None);
        assert!(
            oven.passed(at(400), true).is_some(),
            "while its alarm lasts"
        );
    }

    #[test]
    fn silence_counts_from_the_last_value_or_from_the_beginning() {
        let mut oven = watch(r#""silent_s":600"#);
        assert!(!oven.is_known() && oven.passed(at(599), false).is_none());
        assert_eq!(oven.passed(at(600), false).unwrap().value, None);
        oven.observe(at(700), 20.0);
        assert_eq!(oven.passed(at(1_299), true), None, "any value ends it");
        assert_eq!(oven.passed(at(1_300), false).unwrap().since, at(700));
    }
}
