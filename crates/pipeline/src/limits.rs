//! The limits that people set on what is measured of a machine: one alarm while any is passed, and
//! an entry in the evidence for each.

use app::views::LimitView;
use detect::{LimitWatch, Outcome, StandingLimit};
use model::{AlarmKind, EventKind, MachineId, OwnLimit, Time};
use serde_json::json;
use store::{BOX, Batch, Entry, Record};

use crate::machine::Machine;

/// The names under which what is passed is kept begin so; a machine's identifier follows.
pub(crate) const LIMITS_PASSED: &str = "limits_passed/";

/// The limits of one machine.
#[derive(Debug, Default)]
pub struct MachineLimits {
    watches: Vec<LimitWatch>,
}

impl MachineLimits {
    /// Watches those of these that are about a machine; one that was watched before goes on.
    pub fn set(&mut self, limits: &[OwnLimit], machine: &MachineId) {
        let before = std::mem::take(&mut self.watches);
        let own = limits.iter().filter(|limit| limit.machine == *machine);
        let watched = own.map(|limit| {
            let known = before.iter().find(|watch| watch.limit == *limit);
            known
                .cloned()
                .unwrap_or_else(|| LimitWatch::new(limit.clone(), None))
        });
        self.watches = watched.collect();
    }

    /// Recalls which were passed when the program ended.
    pub fn recall(&mut self, json: &str) -> serde_json::Result<()> {
        let kept: Vec<StandingLimit> = serde_json::from_str(json)?;
        let watches = kept
            .into_iter()
            .map(|kept| LimitWatch::new(kept.limit, Some(kept.passed)));
        self.watches = watches.collect();
        Ok(())
    }

    /// Holds a value of a point against them, measured at `t` and come at `came`; says whether
    /// there is one on that point.
    pub fn observe(&mut self, point: &str, value: f64, t: Time, came: Time) -> bool {
        let own = self.watches.iter_mut();
        let mut own = own
            .filter(|watch| watch.limit.point.as_str() == point)
            .peekable();
        let is_any = own.peek().is_some();
        own.for_each(|watch| watch.observe(t, came, value));
        is_any
    }

    /// Whether nobody set one.
    pub fn is_empty(&self) -> bool {
        self.watches.is_empty()
    }

    /// The box's clock was set, or the box did not look for a while.
    pub fn begin_anew(&mut self, now: Time) {
        for watch in &mut self.watches {
            watch.begin_anew(now);
        }
    }

    /// Those that are passed, as pages show them.
    pub fn passed(&self) -> Vec<LimitView> {
        let view = |standing: StandingLimit| LimitView {
            limit: standing.limit,
            since: standing.passed.since,
            value: standing.passed.value,
        };
        self.standing().into_iter().map(view).collect()
    }

    /// Nobody waits for what is measured of a machine that is gone from the board.
    fn forget(&mut self) {
        for watch in &mut self.watches {
            *watch = LimitWatch::new(watch.limit.clone(), None);
        }
    }

    /// Looks at each; gives those that are passed since this look.
    fn settle(&mut self, now: Time) -> Vec<StandingLimit> {
        let watches = self.watches.iter_mut();
        let began = watches.filter_map(|watch| {
            let was_passed = watch.passed().is_some();
            watch.settle(now);
            watch.standing().filter(|_| !was_passed)
        });
        began.collect()
    }

    fn standing(&self) -> Vec<StandingLimit> {
        let watches = self.watches.iter();
        watches.filter_map(LimitWatch::standing).collect()
    }
}

impl Machine {
    /// Looks at the limits: raises the alarm with the first that is passed and ends it with the
    /// last.
    pub fn settle_limits(&mut self, now: Time, batch: &mut Batch) {
        let is_alarmed = self.alarms.contains(&AlarmKind::LimitPassed);
        if self.limits.watches.is_empty() && !is_alarmed {
            return;
        }
        if self.nameplate.is_archived {
            self.limits.forget();
        }
        let before = self.limits.standing().len();
        let began = self.limits.settle(now);
        for kept in &began {
            let about = json!({"machine": self.id, "limit": kept.limit,
                "value": kept.passed.value, "since": kept.passed.since});
            let entry = Entry::new(now, BOX, EventKind::LimitPassed, about);
            batch.records.push(Record::Evidence(entry));
        }
        let passed = self.limits.standing();
        let outcome = match passed.iter().map(|kept| kept.passed.since).min() {
            Some(since) if !is_alarmed => {
                Some(Outcome::AlarmRaised(AlarmKind::LimitPassed, since, None))
            }
            None if is_alarmed => {
                let at = now - self.skew_ms;
                Some(Outcome::AlarmCleared(AlarmKind::LimitPassed, at))
            }
            _ => None,
        };
        let is_same = outcome.is_none() && began.is_empty() && before == passed.len();
        if let Ok(json) = serde_json::to_string(&passed)
            && !is_same
        {
            let name = format!("{LIMITS_PASSED}{}", self.id);
            batch.records.push(Record::Kept(name.into(), json));
        }
        self.conclude(&mut outcome.into_iter().collect(), now, batch);
    }
}
