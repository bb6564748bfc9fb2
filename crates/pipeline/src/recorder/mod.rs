//! The recorder: one thread that takes arrivals, judges them, makes everything durable in one
//! commit and only then tells anybody: the device its acknowledgement, the light, the page.

mod gather;
mod heed;
mod obey;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use act::{Light, LightReport, Tier};
use app::clock;
use app::commands::{Command, Order, OrderError};
use app::setting_changes::SettingChanges;
use app::views::BoardView;
use kpi::Factory;
use model::{Alarm, AlarmKind, EventKind, LogLine, Refused, Time};
use serde_json::json;
use sources::{Arrival, DeviceRegister};
use store::{BOX, Batch, Damage, PastChanges, Reader, Record, StoreError, Writer};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::aside::Aside;
use crate::floor::Floor;
use crate::light::{light_view, tier};
use crate::own::{damage_entry, is_low, own_alarm};
use crate::own_clock::OwnClock;
use crate::pace::{ArrivalRate, Pace};
use crate::replies::{Replies, Reply, is_of_somebody};
use crate::sealing::Sealing;

/// Where the evidence chain stands is signed this often.
const ATTEST_EVERY: Duration = Duration::from_secs(3600);
/// The next log lines are covered this soon, where there are many.
const MORE_LOGS_AFTER: Duration = Duration::from_millis(100);
/// Arrivals taken into one commit at most.
const ARRIVALS_PER_COMMIT_MAX: usize = 2_048;
/// Log lines taken into one commit at most.
const LOG_LINES_PER_COMMIT_MAX: usize = 256;
/// The recorder wakes at least this often, to notice silence.
const TICK: Duration = Duration::from_millis(100);
/// A new board is shown this often.
const BOARD_EVERY: Duration = Duration::from_millis(250);
/// And this soon after an alarm has changed.
const BOARD_SOON: Duration = Duration::from_millis(50);
/// What is known about machines is written down this often.
const WRITE_DOWN_EVERY: Duration = Duration::from_secs(5);
/// Machines written down with one commit, so that none takes long.
const WRITE_DOWN_AT_ONCE: usize = 4;
/// How often it is looked how much room the disk has.
const LOOK_FOR_ROOM_EVERY: Duration = Duration::from_secs(60);
/// Records of a seal in one commit, so that none takes long.
const LANDING_AT_ONCE: usize = 8;
/// Records that wait for a full disk beside the batch that found it full; what is told beyond them
/// is lost, but for the log.
const WAITING_RECORDS_MAX: usize = 10_000;
/// A batch that could not be stored is tried again after this time.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// What the recorder listens to.
pub struct Inputs {
    /// What devices sent, in the order of its numbers.
    pub arrivals: mpsc::Receiver<Arrival>,
    /// What strangers sent.
    pub refusals: mpsc::Receiver<Refused>,
    /// Log lines of devices.
    pub logs: mpsc::Receiver<LogLine>,
    /// What people and services want changed.
    pub orders: mpsc::Receiver<Order>,
    /// What the stack light says of itself.
    pub light: watch::Receiver<LightReport>,
    /// Whether to make everything durable and end.
    pub stop: watch::Receiver<bool>,
}

/// Publishes a payload to a topic.
pub type Publish = Box<dyn Fn(&str, &[u8]) + Send>;
/// Reads named counters.
pub type Counters = Box<dyn Fn() -> Vec<(&'static str, u64)> + Send>;
app::opaque_debug!(Inputs, Outputs, RecorderParts, Recorder);

/// Whom the recorder tells.
pub struct Outputs {
    /// The number up to which every arrival is durable.
    pub durable: watch::Sender<u64>,
    /// The present, for whoever shows it.
    pub board: watch::Sender<Arc<BoardView>>,
    /// What the stack light is to show.
    pub light: watch::Sender<Light>,
    /// Publishes a message to MQTT subscribers.
    pub publish: Publish,
    /// Counters of the broker.
    pub counters: Counters,
    /// What changes of the past.
    pub changes: Arc<PastChanges>,
}

/// The recorder with all it holds.
pub struct Recorder {
    store: Box<dyn Writer>,
    reader: Arc<dyn Reader>,
    floor: Floor,
    /// What people say of the factory as a whole.
    factory: Arc<Factory>,
    changes: SettingChanges,
    register: Arc<DeviceRegister>,
    inputs: Inputs,
    outputs: Outputs,
    has_light: bool,
    sealing: Sealing,
    /// What is still to be committed of the last seal.
    landing: VecDeque<Record>,
    runtime: Handle,
    pending: Batch,
    replies: Replies,
    ticket: u64,
    open_alarms: Vec<Alarm>,
    /// The open alarms have to be read again.
    alarms_changed: bool,
    /// Since when the disk has not taken data.
    store_full: Option<Time>,
    /// An arrival was dropped because the program stops: devices send it again.
    has_given_up: bool,
    arrival_rate: ArrivalRate,
    pace: Pace,
    version: u64,
    board_at: Instant,
    written_down_at: Instant,
    attested_at: Instant,
    attest_again: Duration,
    ticked_at: Instant,
    own_clock: OwnClock,
    room_looked_at: Instant,
    commits: u64,
    stored: u64,
}

/// What the recorder is made of.
pub struct RecorderParts {
    /// The writer of the main file.
    pub store: Box<dyn Writer>,
    /// What is kept, to be read.
    pub reader: Arc<dyn Reader>,
    /// The machines and devices.
    pub floor: Floor,
    /// What people say of the factory as a whole.
    pub factory: Factory,
    /// Where its changes are kept, and those of machines.
    pub changes: SettingChanges,
    /// The devices that may speak.
    pub register: Arc<DeviceRegister>,
    /// Whether there is a stack light.
    pub has_light: bool,
    /// What has readings leave the journal.
    pub sealing: Sealing,
    /// How the recorder and the sockets share the processor.
    pub pace: Pace,
    /// What taking up the work led to; committed first.
    pub pending: Batch,
}

impl Recorder {
    /// A recorder ready to run.
    pub fn new(parts: RecorderParts, inputs: Inputs, outputs: Outputs, runtime: Handle) -> Self {
        let now = Instant::now();
        Self {
            store: parts.store,
            reader: parts.reader,
            floor: parts.floor,
            factory: Arc::new(parts.factory),
            changes: parts.changes,
            register: parts.register,
            inputs,
            outputs,
            has_light: parts.has_light,
            sealing: parts.sealing,
            landing: VecDeque::new(),
            runtime,
            pending: parts.pending,
            replies: Replies::default(),
            ticket: 0,
            open_alarms: Vec::new(),
            alarms_changed: false,
            store_full: None,
            has_given_up: false,
            pace: parts.pace,
            arrival_rate: ArrivalRate::start(),
            version: 0,
            board_at: now,
            written_down_at: now,
            attested_at: now,
            attest_again: ATTEST_EVERY,
            ticked_at: now,
            own_clock: OwnClock::start(),
            // At the first look, so that a disk that is nearly full is told at once.
            room_looked_at: now.checked_sub(LOOK_FOR_ROOM_EVERY).unwrap_or(now),
            commits: 0,
            stored: 0,
        }
    }

    /// Runs until told to stop and everything that arrived is durable.
    pub fn run(mut self) {
        self.alarms_changed = true;
        self.floor.set_limits(&self.factory.limits);
        let version = json!({"version": env!("CARGO_PKG_VERSION")});
        self.note(EventKind::ProgramStarted, BOX, clock::now(), version);
        self.show_board();
        let mut arrivals = Vec::new();
        loop {
            let stopping = *self.inputs.stop.borrow();
            let began = Instant::now();
            self.wait(&mut arrivals, stopping);
            self.notice_own_clock(began.elapsed());
            if stopping && arrivals.is_empty() {
                break;
            }
            let mut taken = self.take_all(&mut arrivals);
            if taken > 0 && self.is_busy() {
                taken += self.gather(&mut arrivals, taken);
            }
            self.arrival_rate.add(taken);
            self.pace.set_busy(self.is_busy());
            self.take_the_rest();
            self.land();
            self.commit();
            let wait = if self.alarms_changed {
                BOARD_SOON
            } else {
                BOARD_EVERY
            };
            if self.board_at.elapsed() >= wait {
                self.show_board();
            }
        }
        self.finish();
    }

    /// Takes note of what happened to the box's own clock while it waited for so long.
    fn notice_own_clock(&mut self, waited: Duration) {
        let noticed = self.own_clock.look(waited);
        if noticed.was_set {
            self.floor.forget_clocks(clock::now());
        }
        if let Some(slept) = noticed.slept {
            self.floor.sleep(slept, &mut self.pending);
        }
    }

    fn take(&mut self, arrival: Arrival) {
        // Behind one that was given up nothing may be acknowledged.
        if self.has_given_up {
            return;
        }
        while let Err(problem) = self.floor.introduce(&arrival, &mut *self.store) {
            if !self.wait_out(&problem) {
                self.has_given_up = true;
                return;
            }
        }
        // What is acknowledged is everything up to a ticket: one out of turn would be acknowledged
        // before it is durable.
        assert!(arrival.ticket > self.ticket, "tickets come in order");
        self.ticket = arrival.ticket;
        self.pending.arrived = arrival.at;
        self.floor.take(arrival, &*self.reader, &mut self.pending);
    }

    /// Refusals, orders, the light and the passing of time.
    fn take_the_rest(&mut self) {
        let now = clock::now();
        if self.pending.readings.is_empty() {
            self.pending.arrived = now;
        }
        while let Ok(refused) = self.inputs.refusals.try_recv() {
            self.floor.list_refusal(refused, &mut self.pending);
        }
        for _ in 0..LOG_LINES_PER_COMMIT_MAX {
            let Ok(line) = self.inputs.logs.try_recv() else {
                break;
            };
            self.pending.records.push(Record::Log(line));
        }
        while let Ok(order) = self.inputs.orders.try_recv() {
            let reply = self.take_order(order, now);
            self.replies.push(reply);
        }
        if self.inputs.light.has_changed().unwrap_or(false) {
            self.note_light(now);
        }
        if self.ticked_at.elapsed() >= TICK {
            self.ticked_at = Instant::now();
            self.floor.tick(now, &mut self.pending);
            let is_doubted = self.floor.doubts_own_clock(now);
            self.own_alarm(AlarmKind::ClockDoubted, is_doubted, now);
            self.seal(now);
        }
        if self.room_looked_at.elapsed() >= LOOK_FOR_ROOM_EVERY {
            self.room_looked_at = Instant::now();
            let is_low = self.store.room().is_some_and(is_low);
            self.own_alarm(AlarmKind::DiskLow, is_low, now);
        }
        let every = WRITE_DOWN_EVERY.min(self.sealing.every());
        if self.written_down_at.elapsed() >= every {
            self.written_down_at = Instant::now() - every + Duration::from_millis(100);
            let before = self.pending.records.len();
            self.write_down(WRITE_DOWN_AT_ONCE);
            if self.pending.records.len() == before {
                self.written_down_at = Instant::now();
            }
        }
    }

    fn take_order(&mut self, order: Order, now: Time) -> Reply {
        let first = self.pending.records.len();
        let is_kept_alone = matches!(
            order.command,
            Command::Keep(_) | Command::Report { .. } | Command::Acknowledge(_)
        );
        let answer = self.obey(order.command, &order.by, now);
        Reply {
            to: order.answer,
            answer,
            records: first..self.pending.records.len(),
            is_records_alone: is_kept_alone && !order.has_happened,
            is_whole: self.pending.records.iter().skip(first).any(is_of_somebody),
        }
    }

    /// Has readings leave the journal when it is time, and takes up what came of it.
    fn seal(&mut self, now: Time) {
        let (newest, waiting) = self.store.unsealed();
        match self.sealing.outcome(now, waiting) {
            Some(Ok(sealed)) => {
                self.own_alarm(AlarmKind::SealFailed, false, now);
                if let Some(sealed) = sealed {
                    self.note_damage(&sealed.damaged, now);
                    self.landing.extend(sealed.steps);
                }
            }
            Some(Err(problem)) => {
                error!(%problem, "readings could not be sealed; they stay in the journal");
                self.own_alarm(AlarmKind::SealFailed, true, now);
            }
            // The next seal builds on this one.
            None if !self.landing.is_empty() => {}
            None => self.sealing.wake(now, self.floor.settled(newest), waiting),
        }
    }

    /// What can no longer be read is told: the evidence says which minutes, an alarm asks a person
    /// to look.
    fn note_damage(&mut self, damaged: &[Damage], now: Time) {
        if damaged.is_empty() {
            return;
        }
        error!(?damaged, "kept readings can no longer be read");
        let entry = damage_entry(damaged, now);
        self.pending.records.push(Record::Evidence(entry));
        self.own_alarm(AlarmKind::DataDamaged, true, now);
    }

    fn write_down(&mut self, count: usize) {
        if let Err(problem) = self.floor.write_down(count, &mut self.pending) {
            error!(%problem, "what is known about a machine could not be written");
        }
    }

    /// What the light shows is evidence; that it does not answer is an alarm of its own.
    fn note_light(&mut self, now: Time) {
        let report = *self.inputs.light.borrow_and_update();
        self.own_alarm(AlarmKind::LampSilent, report == LightReport::Silent, now);
        if let LightReport::Answers { .. } = report {
            self.note(EventKind::LightTold, BOX, now, json!(light_view(report)));
        }
    }

    /// Whether an alarm of this kind lasts.
    fn is_open(&self, kind: AlarmKind) -> bool {
        self.open_alarms.iter().any(|alarm| alarm.kind == kind)
    }

    /// Whether an alarm about Mimamori itself begins or ends with what is to be kept next.
    fn waiting_alarm(&self, kind: AlarmKind) -> Option<bool> {
        let mut records = self.pending.records.iter().rev();
        records.find_map(|record| match record {
            Record::AlarmRaised(alarm) if alarm.machine.is_none() && alarm.kind == kind => {
                Some(true)
            }
            Record::AlarmCleared(None, of, _) if *of == kind => Some(false),
            _ => None,
        })
    }

    /// Raises or clears an alarm about Mimamori itself, if that is a change.
    fn own_alarm(&mut self, kind: AlarmKind, lasts: bool, now: Time) {
        let open = self.waiting_alarm(kind);
        let open = open.unwrap_or_else(|| self.is_open(kind));
        if lasts && !open {
            self.pending
                .records
                .push(Record::AlarmRaised(own_alarm(kind, now)));
        } else if !lasts && open {
            self.pending
                .records
                .push(Record::AlarmCleared(None, kind, now));
        }
    }

    /// Signs where the evidence chain stands.
    fn attest(&mut self, now: Time) -> Result<(), StoreError> {
        let seal = self.reader.log_seal()?;
        // What is left of many lines comes with the next rounds.
        self.attest_again = if seal.is_some() {
            MORE_LOGS_AFTER
        } else {
            ATTEST_EVERY
        };
        if let Some(seal) = seal {
            let records = vec![Record::LogsSealed(seal)];
            self.store.commit(&Batch {
                records,
                arrived: now,
                ..Batch::default()
            })?;
        }
        self.attested_at = Instant::now();
        if let Some(checkpoint) = self.store.attest(now)? {
            info!(entry = checkpoint.seq, "checkpoint of the evidence signed");
        }
        Ok(())
    }

    /// Takes a few records of the last seal into the batch, in their order.
    fn land(&mut self) {
        let some = self.landing.len().min(LANDING_AT_ONCE);
        self.pending.records.extend(self.landing.drain(..some));
    }

    /// Makes the pending batch durable, then tells whom it concerns.
    fn commit(&mut self) {
        let has_something = !self.pending.is_empty();
        if has_something {
            let seq = loop {
                match self.store.commit(&self.pending) {
                    Ok(seq) => break seq,
                    Err(problem) if problem.is_of_content() && self.leave_out() => {}
                    Err(problem) if self.wait_out(&problem) => {}
                    Err(_) => return,
                }
            };
            self.outputs.changes.note(&self.pending);
            self.floor.written(seq);
            self.commits += 1;
            self.stored += self.pending.readings.len() as u64;
        }
        self.outputs
            .durable
            .send_if_modified(|durable| std::mem::replace(durable, self.ticket) != self.ticket);
        self.heed();
        self.replies.answer();
        self.announce();
        self.pace.call();
        self.pending.clear();
        if has_something {
            self.note_recovery();
        }
        if self.attested_at.elapsed() >= self.attest_again
            && let Err(problem) = self.attest(clock::now())
        {
            warn!(%problem, "no checkpoint of the evidence could be signed");
        }
        if let Err(problem) = self.store.forget_sealed() {
            warn!(%problem, "sealed readings could not be removed from the journal");
        }
    }

    /// Sets aside what of the pending batch the store refuses for what is in it, so that the rest
    /// is not kept from being durable; says whether there was anything.
    fn leave_out(&mut self) -> bool {
        let unsound = match self.store.unsound(&self.pending) {
            Ok(unsound) if !unsound.is_empty() => unsound,
            _ => return false,
        };
        let mut aside = Aside::default();
        let problems: BTreeMap<usize, StoreError> = unsound.into_iter().collect();
        let gone = self.replies.with_whole_orders(problems.keys().copied());
        for place in gone.into_iter().rev() {
            let record = self.pending.records.remove(place);
            if let Record::SealStep(_) = record {
                // Of a seal that is not whole nothing counts.
                self.landing.clear();
                self.sealing.back_off();
            }
            self.replies.forget(place);
            if let Some(problem) = problems.get(&place) {
                aside.refuse(&record, problem);
            }
        }
        let is_alarmed = self.is_open(AlarmKind::SetAside);
        aside.give(&mut self.pending, is_alarmed, clock::now());
        true
    }

    /// Log, light, subscribers and page learn of alarms once they are durable.
    fn announce(&mut self) {
        for record in &self.pending.records {
            match record {
                Record::AlarmRaised(alarm) if self.floor.is_rehearsal(alarm.machine.as_ref()) => {}
                Record::AlarmCleared(machine, ..) if self.floor.is_rehearsal(machine.as_ref()) => {}
                Record::AlarmRaised(alarm) => {
                    self.alarms_changed = true;
                    let machine = alarm.machine.as_ref().map_or("mimamori", |m| m.as_str());
                    let kind = alarm.kind.code();
                    warn!(machine, kind, reason = ?alarm.reason, "alarm");
                    self.publish_alarm(machine, alarm);
                }
                Record::AlarmCleared(machine, kind, _) => {
                    self.alarms_changed = true;
                    let machine = machine.as_ref().map_or("mimamori", |m| m.as_str());
                    info!(machine, kind = kind.code(), "alarm over");
                    (self.outputs.publish)(&format!("mimamori/$alarm/{machine}"), b"{}");
                }
                Record::AlarmAcknowledged(..) => self.alarms_changed = true,
                _ => {}
            }
        }
        if self.alarms_changed {
            self.set_light();
        }
    }

    fn publish_alarm(&self, machine: &str, alarm: &Alarm) {
        match serde_json::to_vec(alarm) {
            Ok(body) => (self.outputs.publish)(&format!("mimamori/$alarm/{machine}"), &body),
            Err(problem) => error!(%problem, "an alarm could not be published"),
        }
    }

    fn load_alarms(&self) -> Vec<Alarm> {
        match self.reader.alarms(true, i64::MAX, 1_000) {
            Ok(page) => page.items,
            Err(problem) => {
                error!(%problem, "the open alarms could not be read");
                self.open_alarms.clone()
            }
        }
    }

    /// The disk does not take data: nothing is acknowledged, a person is told, it is tried again.
    /// Says whether to try; a program told to stop gives up, and devices send again what it has
    /// not acknowledged.
    fn wait_out(&mut self, problem: &StoreError) -> bool {
        if self.store_full.is_none() {
            error!(%problem, "data cannot be stored; nothing is acknowledged until it can");
            self.store_full = Some(clock::now());
            self.set_light();
            self.show_board();
        }
        self.give_up_orders();
        if self.pending.is_empty() {
            // Whether the disk takes data again is found by giving it some.
            let tried = clock::now().ms().to_string();
            let tried = Record::Kept("disk/tried".into(), tried);
            self.pending.records.push(tried);
        }
        self.runtime
            .block_on(async { tokio::time::sleep(RETRY_AFTER).await });
        if !problem.may_pass() {
            error!(%problem, "the store refused a batch");
        }
        !*self.inputs.stop.borrow()
    }

    /// Nobody waits for a disk that is full. Who is told that it was not done may give the order
    /// again: it must not be done later. What has happened stays to be kept.
    fn give_up_orders(&mut self) {
        self.replies.give_up(&mut self.pending.records);
        while let Ok(order) = self.inputs.orders.try_recv() {
            let has_room = self.pending.records.len() < WAITING_RECORDS_MAX;
            // Who reports looks at the board, which knows nothing of what waits: once is enough.
            let is_news = match &order.command {
                Command::Keep(_) => true,
                Command::Report { alarm, .. } => self.waiting_alarm(alarm.0) != Some(alarm.1),
                _ => false,
            };
            if order.has_happened && is_news && has_room {
                let reply = self.take_order(order, clock::now());
                reply.to.send(Err(OrderError::Delayed)).ok();
            } else {
                order.answer.send(Err(OrderError::NotDurable)).ok();
            }
        }
    }

    /// The disk takes data again: the time without it becomes part of the record.
    fn note_recovery(&mut self) {
        if let Some(since) = self.store_full.take() {
            info!("data can be stored again");
            let kind = AlarmKind::StoreFull;
            self.pending
                .records
                .push(Record::AlarmRaised(own_alarm(kind, since)));
            self.pending
                .records
                .push(Record::AlarmCleared(None, kind, clock::now()));
        }
    }

    /// Red while any cause of an alarm lasts, green otherwise.
    fn set_light(&self) {
        // A fault made on purpose is nothing to run to.
        let mut real = self.floor.machines.iter().filter(|m| !m.is_rehearsal);
        let now = clock::now();
        let alarmed = self.store_full.is_some() || real.any(|machine| machine.is_alarmed(now));
        let wanted = Light {
            red: tier(alarmed),
            amber: Tier::Off,
            green: tier(!alarmed),
        };
        self.outputs
            .light
            .send_if_modified(|l| std::mem::replace(l, wanted) != wanted);
    }

    fn show_board(&mut self) {
        let now = clock::now();
        self.board_at = Instant::now();
        if std::mem::take(&mut self.alarms_changed) {
            self.open_alarms = self.load_alarms();
            self.version += 1;
        }
        let own = self
            .store_full
            .map(|since| own_alarm(AlarmKind::StoreFull, since));
        let open_alarms: Vec<Alarm> = own.into_iter().chain(self.open_alarms.clone()).collect();
        self.floor.meet(&self.register);
        self.set_light();
        let mut counters = (self.outputs.counters)();
        counters.extend([
            ("commits", self.commits),
            ("readings_stored", self.stored),
            ("readings_taken", self.floor.readings()),
            ("refusals_unlisted", self.floor.refusals_unlisted),
        ]);
        let mut machines = self.floor.machine_views(now);
        machines.sort_by(|a, b| {
            let order = a.nameplate.order().cmp(&b.nameplate.order());
            order.then_with(|| a.id.cmp(&b.id))
        });
        let (archived, machines) = machines
            .into_iter()
            .partition(|machine| machine.nameplate.is_archived);
        self.outputs.board.send_replace(Arc::new(BoardView {
            at: now,
            machines,
            archived,
            devices: self.floor.device_views(&self.register),
            light: self
                .has_light
                .then(|| light_view(*self.inputs.light.borrow())),
            open_alarms,
            factory: Arc::clone(&self.factory),
            counters,
            version: self.version,
        }));
    }

    fn finish(mut self) {
        self.write_down(usize::MAX);
        self.note(EventKind::ProgramStopped, BOX, clock::now(), json!({}));
        self.commit();
        if let Err(problem) = self.attest(clock::now()) {
            warn!(%problem, "no checkpoint of the evidence could be signed");
        }
        if let Err(problem) = self.store.settle() {
            warn!(%problem, "the log could not be moved into the file");
        }
        info!("everything that arrived is on disk");
    }
}
