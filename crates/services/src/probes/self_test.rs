//! The self-test: four faults made on purpose, through the listener that devices use, on a machine
//! that exists only for it. Whatever judges them cannot know that they were made; the watch is
//! awake only if each was noticed in time.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use app::clock;
use app::known::Known;
use app::views::Names;
use assure::LookOutcome;
use detect::{ApprovalMode, Settings};
use model::{AlarmKind, KNOCKS_FROM, MachineId, RefusalReason, TWIN, Time};
use pipeline::MachineSettings;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::looks::{GOOD, LookResult, knock};

/// Each fault has to be noticed within this time after it was sent.
const NOTICED_WITHIN: Duration = Duration::from_secs(3);
/// Sending takes at most this long.
const SENT_WITHIN: Duration = Duration::from_secs(3);
/// How often it is looked whether a fault was noticed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// One cycle of the twin, by its own clock, and the time between two samples of its power.
const CYCLE_MS: i64 = 1_000;
const SAMPLE_MS: i64 = 100;
/// Cycles before the fault (enough to learn from), the fault, and cycles after it.
const CYCLES_BEFORE: i64 = 12;
const CYCLES_AFTER: i64 = 5;
/// What the twin draws, in watts, and how much more when it is faulty.
const POWER_W: f64 = 500.0;
const FAULTY: f64 = 1.2;
/// The wrong clock is ahead by this much.
const WRONG_CLOCK_MS: i64 = 3_600_000;
/// Twin time may run ahead of the clock by this much, when the test is asked for again and again.
const AHEAD_MS_MAX: i64 = 60_000;

/// Cycles the twin learns from: the test is not to wait.
const LEARNS: u32 = 8;

/// The machine that faults are made on, as the floor has to know it.
pub fn machine(usual: Settings) -> MachineSettings {
    let name = |name: &str| name.to_owned();
    MachineSettings {
        id: MachineId::new(TWIN).expect("a name of ours"),
        names: Names {
            ja: name("自己診断"),
            en: name("self-test"),
        },
        settings: Settings {
            learn_cycles: LEARNS,
            approval: ApprovalMode::Automatic,
            ..usual
        },
        is_rehearsal: true,
    }
}

/// Where the twin speaks, with its token, and how far its time has come.
pub struct Twin {
    /// Where it sends.
    pub mqtt: SocketAddr,
    /// What lets it in.
    pub token: String,
    /// When it last told of a fault, in milliseconds.
    pub told: AtomicI64,
}

app::opaque_debug!(Twin);

/// What was noticed when, in milliseconds after the faults were sent.
#[derive(Debug, Default)]
struct Noticed {
    unknown_device: Option<u64>,
    replayed_message: Option<u64>,
    wrong_clock: Option<u64>,
    energy: Option<u64>,
}

impl Noticed {
    fn is_all(&self) -> bool {
        let all = [
            self.unknown_device,
            self.replayed_message,
            self.wrong_clock,
            self.energy,
        ];
        all.iter().all(Option::is_some)
    }

    fn raw(&self) -> Value {
        json!({"unknown_device_ms": self.unknown_device,
            "replayed_message_ms": self.replayed_message,
            "wrong_clock_ms": self.wrong_clock, "energy_20_percent_ms": self.energy,
            "limit_ms": NOTICED_WITHIN.as_millis() as u64})
    }
}

impl Twin {
    /// Makes the faults and waits until they are noticed; `None` if it was asked for too often.
    pub(crate) async fn test(&self, known: &Known) -> Option<(LookResult, Value)> {
        let now = clock::now().ms();
        let length = (CYCLES_BEFORE + CYCLES_AFTER + 1) * CYCLE_MS;
        let begin = (now - length).max(self.told.load(Ordering::Relaxed) + CYCLE_MS);
        if begin > now + AHEAD_MS_MAX {
            return None;
        }
        self.told.store(begin + length, Ordering::Relaxed);
        let Some(before) = Refusals::read(known).await else {
            return Some(((LookOutcome::Blind, "could_not_look"), json!({})));
        };
        let began = clock::now();
        let mut payloads = cycles(begin);
        // The same message once more, and one from a clock that is wrong.
        payloads.extend(payloads.last().cloned());
        let wrong = now + WRONG_CLOCK_MS;
        payloads.push(json!({"t": wrong, "power_w": POWER_W}).to_string());
        let sent = tokio::time::timeout(SENT_WITHIN, self.send(payloads)).await;
        let knocked = knock(self.mqtt, "mimamori-stranger", "let me in").await;
        let raw = if matches!((&sent, &knocked), (Ok(Ok(())), Ok(false))) {
            let noticed = wait(known, &before, began).await;
            if noticed.is_all() {
                return Some((GOOD, noticed.raw()));
            }
            noticed.raw()
        } else {
            json!({"error": "the faults could not be sent"})
        };
        Some(((LookOutcome::Bad, "self_test_missed"), raw))
    }

    /// Sends as a device does, and waits until everything is acknowledged.
    async fn send(&self, payloads: Vec<String>) -> Result<(), String> {
        let mut options = MqttOptions::new(TWIN, self.mqtt.ip().to_string(), self.mqtt.port());
        options
            .set_credentials(TWIN, &self.token)
            .set_clean_session(true);
        let (client, mut events) = AsyncClient::new(options, payloads.len() + 1);
        let mut waiting = payloads.len();
        for payload in payloads {
            let topic = format!("mimamori/{TWIN}");
            let given = client.try_publish(topic, QoS::AtLeastOnce, false, payload);
            given.map_err(|problem| problem.to_string())?;
        }
        while waiting > 0 {
            let event = events.poll().await.map_err(|problem| problem.to_string())?;
            waiting -= usize::from(matches!(event, Event::Incoming(Packet::PubAck(_))));
        }
        client.try_disconnect().ok();
        Ok(())
    }
}

/// Cycles of the twin from a moment on, one of them with more power than the others.
fn cycles(begin: i64) -> Vec<String> {
    let mut payloads = Vec::new();
    for cycle in 0..=CYCLES_BEFORE + CYCLES_AFTER {
        let load = if cycle == CYCLES_BEFORE { FAULTY } else { 1.0 };
        let start = begin + cycle * CYCLE_MS;
        let count = start / CYCLE_MS;
        payloads.push(json!({"t": start, "cycle": count, "power_w": POWER_W * load}).to_string());
        for step in 1..CYCLE_MS / SAMPLE_MS {
            let t = start + step * SAMPLE_MS;
            payloads.push(json!({"t": t, "power_w": POWER_W * load}).to_string());
        }
    }
    payloads
}

/// How often what was refused.
#[derive(Debug, Clone, Copy)]
struct Refusals {
    strangers: u64,
    replays: u64,
    clocks: u64,
}

impl Refusals {
    async fn read(known: &Known) -> Option<Self> {
        let counts = known.read(|reader| reader.refused_counts()).await.ok()?;
        let of = |source: &str, reason: RefusalReason| -> u64 {
            let same = counts
                .iter()
                .filter(|c| c.source == source && c.reason == reason);
            same.map(|count| count.n).sum()
        };
        Some(Self {
            strangers: of(&KNOCKS_FROM.to_string(), RefusalReason::BadCredentials),
            replays: of(TWIN, RefusalReason::Duplicate),
            clocks: of(TWIN, RefusalReason::ClockAhead),
        })
    }
}

/// Waits until everything was noticed, or the time is up.
async fn wait(known: &Known, before: &Refusals, began: Time) -> Noticed {
    let (sent, mut noticed) = (Instant::now(), Noticed::default());
    while sent.elapsed() < NOTICED_WITHIN && !noticed.is_all() {
        let after = sent.elapsed().as_millis() as u64;
        let note = |at: &mut Option<u64>, is_so: bool| {
            if is_so && at.is_none() {
                *at = Some(after);
            }
        };
        if let Some(now) = Refusals::read(known).await {
            note(
                &mut noticed.unknown_device,
                now.strangers > before.strangers,
            );
            note(&mut noticed.replayed_message, now.replays > before.replays);
            note(&mut noticed.wrong_clock, now.clocks > before.clocks);
        }
        note(&mut noticed.energy, is_alarmed(known, began).await);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    noticed
}

/// Whether an alarm about the twin's energy was raised since a moment.
async fn is_alarmed(known: &Known, since: Time) -> bool {
    let Ok(twin) = MachineId::new(TWIN) else {
        return false;
    };
    let alarms = known.read(move |r| r.alarms_of(&twin, false, 5)).await;
    let alarms = alarms.unwrap_or_default();
    let is_it =
        |alarm: &model::Alarm| alarm.kind == AlarmKind::WearSuspected && alarm.raised_at >= since;
    alarms.iter().any(is_it)
}
