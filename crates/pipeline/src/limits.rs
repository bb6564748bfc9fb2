//! The limits that people set on what is measured of a machine.

use app::views::LimitView;
use detect::{LimitWatch, StandingLimit};
use model::{MachineId, OwnLimit, Time};

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
    pub fn forget(&mut self) {
        for watch in &mut self.watches {
            *watch = LimitWatch::new(watch.limit.clone(), None);
        }
    }

    /// Looks at each at a moment of the box's clock; says whether any began or ended, and adds
    /// those that began.
    pub fn settle(&mut self, now: Time, began: &mut Vec<StandingLimit>) -> bool {
        let mut is_change = false;
        for watch in &mut self.watches {
            if watch.settle(now) {
                is_change = true;
                began.extend(watch.standing());
            }
        }
        is_change
    }

    /// Since when the first that is passed has been.
    pub fn since(&self) -> Option<Time> {
        let passed = self.watches.iter().filter_map(LimitWatch::passed);
        passed.map(|passed| passed.since).min()
    }

    /// Those that are passed.
    pub fn standing(&self) -> Vec<StandingLimit> {
        let watches = self.watches.iter();
        watches.filter_map(LimitWatch::standing).collect()
    }
}
