//! The power cut: nothing acknowledged is lost or there twice, the reference stays as it was, an
//! open alarm stays open, a gap stays a gap. `MIMAMORI_KILLS` sets how often (50 unless said).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use embedded::Embedded;
use serde_json::Value;
use store::Engine as _;

use super::house::{House, until};
use super::publisher::Publisher;

/// A machine whose device keeps its own time: cycles of ten samples.
struct Machine {
    t_ms: i64,
    cycle: u64,
}

impl Machine {
    /// Payloads of some cycles; `load` multiplies the power.
    fn cycles(&mut self, n: usize, load: f64) -> Vec<String> {
        let mut out = Vec::new();
        for _ in 0..n {
            self.cycle += 1;
            let (t, cycle) = (self.t_ms, self.cycle);
            out.push(format!(
                "{{\"t\":{t:015},\"cycle\":{cycle},\"power_w\":{:.1}}}",
                600.0 * load
            ));
            for step in 1..10 {
                let watts = if step < 8 { 900.0 * load } else { 150.0 };
                out.push(format!(
                    "{{\"t\":{:015},\"power_w\":{watts:.1}}}",
                    t + step * 100
                ));
            }
            self.t_ms += 1_000;
        }
        // JSON allows no leading zeros; they were only there to sort by time.
        out.iter().map(|p| p.replacen(":00", ":", 1)).collect()
    }
}

fn stored(house: &House) -> BTreeMap<(String, String), usize> {
    let mut count = BTreeMap::new();
    for row in
        house.get_all("machines/m1/readings?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z")
    {
        let key = (
            row["point"].as_str().unwrap().to_owned(),
            row["t"].as_str().unwrap().to_owned(),
        );
        *count.entry(key).or_insert(0) += 1;
    }
    count
}

/// Kills the program again and again while the publisher works.
fn kill_often(house: &mut House, publisher: &mut Publisher, kills: usize, seed: &mut u64) {
    for _ in 0..kills {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let dice = *seed >> 33;
        // Now and then it lives long enough for readings to leave the journal.
        let extra = if dice.is_multiple_of(8) { 1_500 } else { 0 };
        let live_for = Duration::from_millis(20 + extra + dice % 180);
        let start = Instant::now();
        while start.elapsed() < live_for {
            publisher.work();
        }
        house.kill_and_restart();
    }
}

fn reference(house: &House) -> Vec<Value> {
    house.get("machines/m1/reference")["items"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

fn open_alarms(house: &House) -> Vec<Value> {
    house.get("alarms?open=true")["items"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// The only open alarm, once the change lasts: a single cycle raises one, whose place it takes.
fn lasting_alarm(house: &House) -> Vec<Value> {
    until("the alarm", || {
        let open = open_alarms(house);
        open.len() == 1 && !open[0]["reason"]["lasting"].is_null()
    });
    open_alarms(house)
}

#[test]
fn nothing_acknowledged_is_lost_at_any_kill() {
    let kills = std::env::var("MIMAMORI_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(50);
    let mut seed = std::process::id().into();
    // Readings leave the journal all the time, so that kills fall between its two files as well.
    let mut house = House::with_config("[factory]\nlearn_cycles = 10\n[store]\nseal_every_s = 1\n");
    assert!(house.has_own_folder());
    let token = house.device("m1", &[]);
    let now_ms = 1_000 * i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let mut machine = Machine {
        t_ms: now_ms - 10 * 24 * 3_600_000,
        cycle: 0,
    };
    let mut publisher = Publisher::new("m1", &token, house.mqtt);

    // During learning.
    publisher.queue(machine.cycles(12, 1.0));
    kill_often(&mut house, &mut publisher, kills / 5, &mut seed);
    publisher.finish();
    publisher.queue(machine.cycles(5, 1.0));
    publisher.finish();
    until("a reference", || reference(&house).len() == 1);
    let learned = reference(&house);
    assert_eq!(learned[0]["version"], 1);

    // While judging.
    publisher.queue(machine.cycles(kills * 40, 1.0));
    kill_often(&mut house, &mut publisher, kills * 2 / 5, &mut seed);
    publisher.finish();
    assert!(open_alarms(&house).is_empty(), "{:?}", open_alarms(&house));

    // With an open alarm.
    publisher.queue(machine.cycles(40, 1.3));
    publisher.finish();
    let alarm = lasting_alarm(&house);
    assert_eq!(alarm[0]["kind"], "wear_suspected");
    publisher.queue(machine.cycles(kills * 40, 1.3));
    kill_often(&mut house, &mut publisher, kills * 2 / 5, &mut seed);
    publisher.finish();
    assert_eq!(open_alarms(&house), alarm, "the same alarm is still open");
    assert_eq!(reference(&house), learned, "nothing was learned anew");

    // A silence of a minute: a gap, not an alarm.
    machine.t_ms += 60_000;
    let before = house.get_all("machines/m1/cycles").len();
    publisher.queue(machine.cycles(3, 1.3));
    publisher.finish();
    until("the cycles behind the gap", || {
        house.get_all("machines/m1/cycles").len() >= before + 2
    });
    let cycles = house.get_all("machines/m1/cycles");
    assert!(
        cycles.iter().take(5).any(|c| c["verdict"] == "unknown"),
        "the gap is drawn as a gap"
    );

    let stored = stored(&house);
    let twice: Vec<_> = stored.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "stored twice: {twice:?}");
    let expected: usize = publisher
        .acked
        .iter()
        .map(|p| p.matches("\":").count() - 1)
        .sum();
    assert_eq!(
        stored.len(),
        expected,
        "acknowledged readings and stored readings"
    );
    assert_eq!(
        house.end_by("-HUP"),
        Some(0),
        "a closed terminal is an orderly end"
    );
    let verdict = Embedded.verify(&house.data, None, None).unwrap();
    assert!(verdict.is_sound(), "{:?}", verdict.breaks);
    let storage = Embedded.reader(&house.data).storage().unwrap();
    assert!(storage.sealed > 0, "readings left the journal meanwhile");
}
