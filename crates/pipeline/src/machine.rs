//! One machine of the floor: what judges it, and what pages show of it.

use app::views::{LearningView, LessonView, MachineView, MaintenanceView, Names, Shown};
use detect::{LampShows, LearningState, Outcome, Watch};
use model::{
    Alarm, AlarmKind, Cycle, DeviationReason, EventKind, LeftOut, MachineId, Nameplate, Span,
    Standstill, Time, Title,
};
use serde_json::json;
use store::{BOX, Batch, CountedHistory as _, Entry, Reader, Record, StoreError};

use crate::day::Tally;
use crate::limits::{LIMITS_PASSED, MachineLimits};
use crate::settings::MachineSettings;

/// What the recorder holds of one machine: its watch, its alarms, its day so far.
#[derive(Debug)]
pub struct Machine {
    pub id: MachineId,
    pub names: MachineNames,
    /// Faults are made on it on purpose: nobody is told of them.
    pub is_rehearsal: bool,
    pub watch: Watch,
    pub tally: Tally,
    pub last_cycle: Option<(Cycle, Option<DeviationReason>)>,
    pub alarms: Vec<AlarmKind>,
    /// The limits that people set on what is measured of it.
    pub limits: MachineLimits,
    /// When it is looked after, now and later.
    maintenance: Vec<MaintenanceView>,
    /// By how much the box's clock is ahead of the device's.
    pub skew_ms: i64,
    pub last_t: Option<Time>,
    /// What its standstill contact said.
    pub standstill: Standstill,
    pub is_dirty: bool,
    /// The journal entry up to which what is known of it is durable.
    pub stored_seq: i64,
    /// What is known of it goes with the next commit.
    pub is_written: bool,
    /// When a file told of it last: until it ends, its time goes on with the file's, not with the
    /// clock.
    pub retold: Option<Time>,
}

/// What a machine is called.
#[derive(Debug)]
pub struct MachineNames {
    /// By the file of settings.
    written: Names,
    /// By people since.
    pub said: Nameplate,
    /// Its photo, by its hash.
    photo: Option<String>,
}

impl MachineNames {
    /// Takes up which photo it has, as it is kept.
    pub fn recall_photo(&mut self, json: &str) -> serde_json::Result<()> {
        self.photo = serde_json::from_str(json)?;
        Ok(())
    }

    /// What it is called: as people said, else as the file of settings says.
    fn called(&self) -> Names {
        let said = |title: &Option<Title>| title.as_ref().map(|title| title.as_str().to_owned());
        let ja = said(&self.said.ja);
        let en = said(&self.said.en).or_else(|| ja.clone());
        Names {
            ja: ja.unwrap_or_else(|| self.written.ja.clone()),
            en: en.unwrap_or_else(|| self.written.en.clone()),
        }
    }
}

impl Machine {
    /// A machine nothing is known of.
    pub fn new(settings: MachineSettings, day_start: Time) -> Self {
        Self {
            id: settings.id,
            names: MachineNames {
                written: settings.names,
                said: Nameplate::default(),
                photo: None,
            },
            is_rehearsal: settings.is_rehearsal,
            watch: Watch::new(settings.settings),
            tally: Tally::from_history(day_start, &[], 0),
            last_cycle: None,
            alarms: Vec::new(),
            limits: MachineLimits::default(),
            maintenance: Vec::new(),
            skew_ms: 0,
            last_t: None,
            standstill: Standstill::default(),
            is_dirty: false,
            stored_seq: 0,
            is_written: false,
            retold: None,
        }
    }

    /// A file ended that told of it: from its last reading on nothing is known, until more comes.
    pub fn rest(&mut self, outcomes: &mut Vec<Outcome>, now: Time, batch: &mut Batch) {
        if let Some(last) = self.last_t {
            // Behind the last change of state, which may be of that very moment.
            self.watch.resume(last + 1, outcomes);
            self.conclude(outcomes, now, batch);
        }
        // Time goes on by the box's clock: no device's is known.
        (self.skew_ms, self.retold) = (0, None);
        self.is_dirty = true;
    }

    /// Turns outcomes into records, and remembers what pages show.
    pub fn conclude(&mut self, outcomes: &mut Vec<Outcome>, now: Time, batch: &mut Batch) {
        let id = || self.id.clone();
        for outcome in outcomes.drain(..) {
            let record = match outcome {
                Outcome::State(state, at) => {
                    self.tally.change(state, at);
                    Record::State(id(), state, at)
                }
                Outcome::SeenAfterAll(at) => {
                    self.tally.seen_after_all(at);
                    Record::SeenAfterAll(id(), at)
                }
                Outcome::Cycle(finished) => {
                    let (cycle, reason) = (finished.cycle, finished.reason);
                    self.tally.cycle(cycle.start);
                    self.last_cycle = Some((cycle.clone(), reason.clone()));
                    Record::Cycle(id(), cycle, reason)
                }
                Outcome::Finding(finding) => Record::Finding(id(), finding),
                Outcome::Reference(reference) => Record::Reference(id(), reference),
                Outcome::AlarmRaised(kind, since, reason) => {
                    self.alarms.push(kind);
                    Record::AlarmRaised(Alarm {
                        id: 0,
                        machine: Some(id()),
                        kind,
                        since,
                        raised_at: now,
                        cleared_at: None,
                        acknowledged_at: None,
                        acknowledged_by: None,
                        reason,
                    })
                }
                Outcome::AlarmCleared(kind, at) => {
                    self.alarms.retain(|open| *open != kind);
                    Record::AlarmCleared(Some(id()), kind, at)
                }
                Outcome::CounterJumpedBack => continue,
            };
            batch.records.push(record);
        }
    }

    /// Looks at the limits: one alarm while any is passed, and an entry in the evidence for each.
    pub fn settle_limits(&mut self, now: Time, batch: &mut Batch) {
        let is_alarmed = self.alarms.contains(&AlarmKind::LimitPassed);
        if self.limits.is_empty() && !is_alarmed {
            return;
        }
        if self.names.said.is_archived {
            self.limits.forget();
        }
        let mut began = Vec::new();
        let is_change = self.limits.settle(now, &mut began);
        for limit in began {
            let about = json!({"machine": self.id, "limit": limit.limit,
                "value": limit.passed.value, "since": limit.passed.since});
            let entry = Entry::new(now, BOX, EventKind::LimitPassed, about);
            batch.records.push(Record::Evidence(entry));
        }
        let outcome = match self.limits.since() {
            Some(since) if !is_alarmed => {
                Some(Outcome::AlarmRaised(AlarmKind::LimitPassed, since, None))
            }
            None if is_alarmed => {
                let at = now - self.skew_ms;
                Some(Outcome::AlarmCleared(AlarmKind::LimitPassed, at))
            }
            _ => None,
        };
        if (is_change || outcome.is_some())
            && let Ok(json) = serde_json::to_string(&self.limits.standing())
        {
            let name = format!("{LIMITS_PASSED}{}", self.id);
            batch.records.push(Record::Kept(name.into(), json));
        }
        self.conclude(&mut outcome.into_iter().collect(), now, batch);
    }

    /// Takes up what is kept of its day, and what people say of stretches of its time: when it is
    /// looked after, and what of the day does not count. Says when its state changed last.
    pub fn heed(
        &mut self,
        reader: &dyn Reader,
        day_start: Time,
        now: Time,
    ) -> Result<Option<Time>, StoreError> {
        let since = Span::new(day_start.min(now), Time::from_ms(i64::MAX));
        let said = reader.lasting(Some(&self.id), since)?;
        let windows = said.iter().filter_map(MaintenanceView::of);
        self.maintenance = windows.filter(|window| window.until > now).collect();
        let left_out = LeftOut::of(&said);
        let cycles = reader.counted_cycles(&self.id, day_start, &left_out)?;
        let states = reader.states(&self.id, Span::new(day_start, now))?;
        let changed = states.last().map(|state| state.from);
        let states = left_out.states(states);
        self.tally = Tally::from_history(day_start, &states, cycles).without(left_out);
        Ok(changed)
    }

    /// The maintenance that it is in at a moment.
    pub fn maintained(&self, now: Time) -> Option<MaintenanceView> {
        let mut windows = self.maintenance.iter();
        windows.find(|window| window.holds(now)).copied()
    }

    /// Whether the cause of an alarm lasts that people are told of: while it is looked after, they
    /// are not.
    pub fn is_alarmed(&self, now: Time) -> bool {
        !self.alarms.is_empty() && self.maintained(now).is_none()
    }

    /// The machine as pages show it.
    pub fn view(&self, now: Time) -> MachineView {
        let snapshot = self.watch.snapshot();
        MachineView {
            id: self.id.clone(),
            names: self.names.called(),
            nameplate: self.names.said.clone(),
            state: snapshot.state,
            since: snapshot.since,
            product: snapshot.product.as_str().to_owned(),
            learning: match snapshot.learning {
                LearningState::Learning { have, want } => LearningView::Learning { have, want },
                LearningState::AwaitingApproval => LearningView::AwaitingApproval,
                LearningState::Judging => LearningView::Judging,
            },
            reference: snapshot.reference,
            tolerance: snapshot.settings.tolerance,
            alarms_per_month: snapshot.settings.alarms_per_month,
            is_coarse: snapshot.is_coarse,
            cycle_length: snapshot.cycle_length,
            lessons: self
                .watch
                .lessons_used()
                .map(|(said, used)| LessonView { said, used })
                .collect(),
            last_cycle: self.last_cycle.as_ref().map(|(cycle, _)| cycle.clone()),
            last_reason: self
                .last_cycle
                .as_ref()
                .and_then(|(_, reason)| reason.clone()),
            forecast: snapshot.forecast,
            power_w: self.watch.power_w(now - self.skew_ms),
            is_judged: self.watch.is_judged(),
            lamp: self
                .watch
                .lamp(now - self.skew_ms)
                .map(|tiers| tiers.map(shown)),
            day: self.tally.view(now - self.skew_ms),
            alarms: self.alarms.clone(),
            is_unconfirmed: self
                .alarms
                .first()
                .is_some_and(|kind| self.watch.is_unconfirmed(*kind)),
            limits_passed: self.limits.passed(),
            photo: self.names.photo.clone(),
            maintenance: self.maintained(now),
            left_out: self.tally.left_out().clone(),
            standstill: self.standstill,
            values: Vec::new(),
        }
    }
}

fn shown(shows: LampShows) -> Shown {
    match shows {
        LampShows::Off => Shown::Off,
        LampShows::Steady => Shown::On,
        LampShows::Blink => Shown::Flash,
    }
}
