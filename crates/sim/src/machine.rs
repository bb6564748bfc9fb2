//! The machines: where they are in their cycle, what they draw, what their sensors send. Time runs
//! as it does; cycles are one to two seconds long.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::device::Sender;
use crate::plan::{MachineName, Plan, PlanKind, Random};
use crate::record::{SimRecord, TrueCycle};

/// Time between two samples of power.
const STEP_MS: i64 = 50;
/// How much faster a machine runs whose speed is changed.
const FASTER: f64 = 1.2;
/// How much more it draws when its energy is changed.
const HUNGRIER: f64 = 1.2;
/// How long a pulse lasts.
const PULSE_MS: i64 = 60;
/// Period of a blinking lamp.
const BLINK_MS: i64 = 800;

/// A stretch of a cycle: its share of the whole and the power in it.
type Phase = (f64, f64);

/// What a machine's sensors can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sensors {
    CycleAndPower,
    PowerOnly,
    PulseOnly,
    LampOnly,
}

/// One machine.
pub(crate) struct SimMachine {
    name: MachineName,
    sensors: Sensors,
    plan: Arc<Plan>,
    start_ms: i64,
    t_ms: i64,
    /// Where in the cycle it is, 0 to 1.
    position: f64,
    cycle_s: f64,
    speed: f64,
    load: f64,
    wobble: f64,
    count: u64,
    /// When the running cycle's beginning was told, or would have been.
    told_s: f64,
    waiting_ms: i64,
    product: usize,
    random: Random,
    lamp: [bool; 3],
    pulse_until: Option<i64>,
}

impl SimMachine {
    pub(crate) fn new(name: MachineName, start_ms: i64, plan: Arc<Plan>) -> Self {
        let (sensors, cycle_s) = match name.id {
            "robot-1" => (Sensors::CycleAndPower, 1.5),
            "lathe-1" => (Sensors::PowerOnly, 1.7),
            "press-1" => (Sensors::PulseOnly, 1.2),
            "old-1" => (Sensors::LampOnly, 2.0),
            _ => (Sensors::CycleAndPower, 1.4),
        };
        let stream = name
            .id
            .bytes()
            .fold(7_u64, |sum, b| sum.wrapping_mul(31) + u64::from(b));
        Self {
            name,
            sensors,
            start_ms,
            t_ms: start_ms,
            position: 0.0,
            cycle_s,
            speed: 1.0,
            load: 1.0,
            wobble: 1.0,
            count: 1_000,
            told_s: 0.0,
            waiting_ms: 0,
            product: 0,
            random: Random::new(plan.seed, stream),
            lamp: [false; 3],
            pulse_until: None,
            plan,
        }
    }

    /// Runs until the record says the machines stop.
    pub(crate) async fn run(
        mut self,
        out: Sender,
        record: Arc<SimRecord>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let step = Duration::from_millis(STEP_MS as u64);
        let mut clock = interval_at(Instant::now() + step, step);
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        self.begin(&out);
        while !record.machines_are_done() {
            tokio::select! {
                _ = clock.tick() => {}
                _ = stopped.changed() => return,
            }
            self.t_ms += STEP_MS;
            match self.sensors {
                Sensors::LampOnly => self.step_lamp(&out),
                _ => self.step_cycle(&out, &record),
            }
        }
    }

    fn seconds(&self) -> f64 {
        (self.t_ms - self.start_ms) as f64 / 1000.0
    }

    fn is_silent(&self) -> bool {
        self.plan
            .active(self.name.id, PlanKind::Gap, self.seconds())
    }

    fn send(&self, out: &Sender, t_ms: i64, members: &str) {
        if !self.is_silent() {
            out.send(t_ms, members);
        }
    }

    fn begin(&mut self, out: &Sender) {
        if self.name.id == "mill-2" {
            self.send(out, self.t_ms, "\"product\":\"A-100\"");
        }
        if self.sensors == Sensors::CycleAndPower {
            self.send(out, self.t_ms, &format!("\"cycle\":{}", self.count));
        }
    }

    fn step_cycle(&mut self, out: &Sender, record: &SimRecord) {
        let length_ms = self.cycle_s * 1000.0 * self.wobble / self.speed;
        let rest_ms = ((1.0 - self.position) * length_ms).max(0.0);
        let waits = self.waiting_ms > 0;
        if waits {
            self.waiting_ms -= STEP_MS;
        } else if rest_ms <= STEP_MS as f64 {
            let end_ms = self.t_ms - STEP_MS + rest_ms.round() as i64;
            self.end_cycle(end_ms, out, record);
            self.position = (STEP_MS as f64 - rest_ms) / length_ms;
        } else {
            self.position += STEP_MS as f64 / length_ms;
        }
        if let Some(until) = self.pulse_until.filter(|until| *until <= self.t_ms) {
            self.pulse_until = None;
            self.send(out, until, "\"pulse\":false");
        }
        if self.sensors != Sensors::PulseOnly {
            let noise = 1.0 + 0.01 * self.random.normal();
            let power = self.watts() * self.load * noise;
            self.send(out, self.t_ms, &format!("\"power_w\":{power:.1}"));
        }
    }

    /// A cycle ends and the next begins; what the plan changes takes effect here.
    fn end_cycle(&mut self, end_ms: i64, out: &Sender, record: &SimRecord) {
        let id = self.name.id;
        let (begun_s, now_s) = (self.told_s, self.seconds());
        let overlaps = |event: &crate::plan::Event| {
            event.machine == id
                && event.kind == PlanKind::Gap
                && event.from_s <= now_s
                && event.to_s > begun_s
        };
        record.cycle(TrueCycle {
            machine: id,
            end_ms,
            is_seen: !self.plan.events.iter().any(overlaps),
            is_fast: self.speed > 1.0,
            is_hungry: self.load > 1.0,
        });
        self.told_s = now_s;
        self.count += 1;
        match self.sensors {
            Sensors::CycleAndPower => {
                self.send(out, end_ms, &format!("\"cycle\":{}", self.count));
            }
            Sensors::PulseOnly => {
                self.send(out, end_ms, "\"pulse\":true");
                self.pulse_until = Some(end_ms + PULSE_MS);
            }
            _ => {}
        }
        self.speed = if self.plan.active(id, PlanKind::Speed, now_s) {
            FASTER
        } else {
            1.0
        };
        self.load = if self.plan.active(id, PlanKind::Energy, now_s) {
            HUNGRIER
        } else {
            1.0
        };
        self.wobble = 1.0 + 0.004 * self.random.normal().clamp(-2.5, 2.5);
        if self.plan.active(id, PlanKind::Wait, now_s) && self.random.share() < 0.7 {
            self.waiting_ms = 1_500;
        }
        let changeovers = self.plan.changeovers(id, now_s);
        if changeovers != self.product {
            self.product = changeovers;
            let is_first = changeovers.is_multiple_of(2);
            let product = if is_first { "A-100" } else { "B-200" };
            self.cycle_s = if is_first { 1.4 } else { 1.9 };
            self.send(out, end_ms + 1, &format!("\"product\":\"{product}\""));
        }
    }

    fn watts(&self) -> f64 {
        if self.waiting_ms > 0 {
            return self.phases().last().map_or(0.0, |(_, watts)| *watts);
        }
        let mut passed = 0.0;
        for (share, watts) in self.phases() {
            passed += share;
            if self.position < passed {
                return *watts;
            }
        }
        self.phases().last().map_or(0.0, |(_, watts)| *watts)
    }

    fn phases(&self) -> &'static [Phase] {
        match (self.name.id, self.product % 2) {
            ("robot-1", _) => &[(0.25, 620.0), (0.15, 480.0), (0.40, 910.0), (0.20, 130.0)],
            ("lathe-1", _) => &[
                (0.10, 1_400.0),
                (0.60, 1_050.0),
                (0.08, 900.0),
                (0.22, 180.0),
            ],
            (_, 0) => &[(0.30, 700.0), (0.45, 1_250.0), (0.25, 210.0)],
            _ => &[(0.20, 800.0), (0.62, 1_600.0), (0.18, 210.0)],
        }
    }

    /// The old machine shows green while it works, blinks yellow while it waits, red when stopped.
    fn step_lamp(&mut self, out: &Sender) {
        let s = self.seconds();
        let waits = (s % 40.0) > 30.0 && (s % 40.0) < 36.0;
        let blink_on = (self.t_ms - self.start_ms) / (BLINK_MS / 2) % 2 == 0;
        let wanted = if self.plan.active(self.name.id, PlanKind::Stop, s) {
            [true, false, false]
        } else if waits {
            [false, blink_on, false]
        } else {
            [false, false, true]
        };
        if wanted != self.lamp {
            self.lamp = wanted;
            let [red, yellow, green] = wanted;
            let members = format!("\"red\":{red},\"yellow\":{yellow},\"green\":{green}");
            self.send(out, self.t_ms, &members);
        }
    }
}
