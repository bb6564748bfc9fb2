//! The scorecard: the simulator's record beside what the product's API says.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::api::Api;
use crate::plan::{Event, MACHINES, Plan, PlanKind};
use crate::record::SimRecord;

/// From the end of the bad cycle to API and light, in milliseconds.
const ALARM_MS_MAX: i64 = 1_000;
/// Further bad cycles that may pass before the alarm.
const CYCLES_LATE_MAX: usize = 1;
/// A cycle in progress at either end of the run, and, from power alone, the ones before the levels
/// of power are known, cannot be found.
const CYCLES_MISSED_MAX: usize = 3;
/// How far the product's end of a cycle may be from the true one.
const END_SLACK_MS: i64 = 400;
/// An alarm belongs to an event if its cause lies within it or this much behind it.
const AFTER_MS: i64 = 3_000;

/// What was promised and what happened.
#[derive(Debug, Serialize)]
pub(crate) struct Scorecard {
    seed: u64,
    seconds: i64,
    machines: Vec<Value>,
    events: Vec<Value>,
    false_alarms: usize,
    false_alarm_list: Vec<Value>,
    readings_sent: usize,
    readings_stored: usize,
    readings_lost: usize,
    readings_twice: usize,
    references_kept: bool,
    /// What was cut, and when the lamps of the proofs changed.
    proofs: Vec<Value>,
    pub(crate) ok: bool,
}

impl Scorecard {
    /// Adds what was cut, if anything was.
    pub(crate) fn add_proofs(&mut self, cut: Option<Value>) {
        self.ok &= cut.as_ref().is_none_or(|cut| cut["ok"] == true);
        self.proofs.extend(cut);
    }
}

/// An alarm as the API tells it.
struct AlarmLine {
    id: i64,
    machine: String,
    kind: String,
    since_ms: i64,
    raw: Value,
}

/// What the API says of all machines.
struct SeenState {
    machines: Vec<Value>,
    stored: Vec<Value>,
    states: BTreeMap<&'static str, Vec<Value>>,
    references_kept: bool,
    cycles_fit: bool,
}

async fn gather(
    record: &SimRecord,
    api: &Api,
    start_ms: i64,
    end_ms: i64,
) -> anyhow::Result<SeenState> {
    let mut seen = SeenState {
        machines: Vec::new(),
        stored: Vec::new(),
        states: BTreeMap::new(),
        references_kept: true,
        cycles_fit: true,
    };
    let span = format!(
        "from={}&to={}",
        rfc3339(start_ms - 60_000),
        rfc3339(end_ms + 60_000)
    );
    for name in MACHINES {
        let id = name.id;
        let found = api.get_all(&format!("machines/{id}/cycles")).await?;
        let judged = found
            .iter()
            // Of these not all was seen, or only how many there were.
            .filter(|cycle| cycle["verdict"] != "unknown" && cycle["verdict"] != "counted")
            .count();
        // The first cycle's start was before anybody looked.
        let truth = record
            .cycles(id)
            .iter()
            .skip(1)
            .filter(|cycle| cycle.is_seen)
            .count();
        seen.cycles_fit &= judged <= truth && truth - judged <= CYCLES_MISSED_MAX;
        seen.machines
            .push(json!({"id": id, "cycles_true": truth, "cycles_found": judged}));
        let readings = format!("machines/{id}/readings?{span}");
        seen.stored.extend(api.get_all(&readings).await?);
        let states = format!("machines/{id}/states?{span}");
        seen.states.insert(id, api.get_all(&states).await?);
        let references = api.get_all(&format!("machines/{id}/reference")).await?;
        seen.references_kept &= references.iter().all(|reference| reference["version"] == 1);
    }
    Ok(seen)
}

/// Compares the record with the API.
pub(crate) async fn judge(
    plan: &Plan,
    record: &SimRecord,
    api: &Api,
    start_ms: i64,
    end_ms: i64,
) -> anyhow::Result<Scorecard> {
    let alarms: Vec<AlarmLine> = api
        .get_all("alarms")
        .await?
        .into_iter()
        .filter_map(alarm_of)
        .collect();
    let findings = api.get_all("findings").await?;
    let seen = gather(record, api, start_ms, end_ms).await?;
    let SeenState {
        machines,
        stored,
        states,
        references_kept,
        cycles_fit,
    } = seen;
    let mut ok = cycles_fit;
    let (lost, twice) = compare_readings(record, &stored);
    let sent = record.readings().len();
    let context = Context {
        record,
        alarms: &alarms,
        findings: &findings,
        states: &states,
        start_ms,
    };
    let events: Vec<Value> = plan
        .events
        .iter()
        .map(|event| context.event(event))
        .collect();
    ok &= events.iter().all(|event| event["ok"] == true);
    let false_alarms: Vec<Value> = alarms
        .iter()
        .filter(|alarm| {
            !plan
                .events
                .iter()
                .any(|event| explains(event, alarm, start_ms))
        })
        .map(|alarm| alarm.raw.clone())
        .collect();
    ok &= false_alarms.is_empty() && lost == 0 && twice == 0 && references_kept;
    Ok(Scorecard {
        seed: plan.seed,
        seconds: (end_ms - start_ms) / 1000,
        machines,
        events,
        false_alarms: false_alarms.len(),
        false_alarm_list: false_alarms,
        readings_sent: sent,
        readings_stored: stored.len(),
        readings_lost: lost,
        readings_twice: twice,
        references_kept,
        proofs: Vec::new(),
        ok,
    })
}

fn alarm_of(raw: Value) -> Option<AlarmLine> {
    Some(AlarmLine {
        id: raw["id"].as_i64()?,
        machine: raw["machine"].as_str().unwrap_or_default().to_owned(),
        kind: raw["kind"].as_str()?.to_owned(),
        since_ms: parse_ms(raw["since"].as_str()?)?,
        raw,
    })
}

/// How many acknowledged readings are missing, and how many are there more than once.
fn compare_readings(record: &SimRecord, stored: &[Value]) -> (usize, usize) {
    let mut count: BTreeMap<(String, i64), usize> = BTreeMap::new();
    for row in stored {
        let t_ms = row["t"].as_str().and_then(parse_ms).unwrap_or_default();
        *count
            .entry((row["point"].as_str().unwrap_or_default().to_owned(), t_ms))
            .or_default() += 1;
    }
    let missing = |(device, point, t_ms): &(&str, String, i64)| {
        !count.contains_key(&(format!("{device}/{point}"), *t_ms))
    };
    let lost = record
        .readings()
        .iter()
        .filter(|reading| missing(reading))
        .count();
    (lost, count.values().filter(|n| **n > 1).count())
}

fn expected_kind(kind: PlanKind) -> Option<&'static str> {
    match kind {
        PlanKind::Speed => Some("tampering_suspected"),
        PlanKind::Energy => Some("wear_suspected"),
        PlanKind::Stop => Some("stopped"),
        PlanKind::Changeover | PlanKind::Gap | PlanKind::Wait => None,
    }
}

fn span_ms(event: &Event, start_ms: i64) -> (i64, i64) {
    let at = |seconds: f64| start_ms + (seconds * 1000.0) as i64;
    (at(event.from_s), at(event.to_s))
}

fn explains(event: &Event, alarm: &AlarmLine, start_ms: i64) -> bool {
    let (from_ms, to_ms) = span_ms(event, start_ms);
    expected_kind(event.kind) == Some(alarm.kind.as_str())
        && event.machine == alarm.machine
        && (from_ms..to_ms + AFTER_MS).contains(&alarm.since_ms)
}

struct Context<'a> {
    record: &'a SimRecord,
    alarms: &'a [AlarmLine],
    findings: &'a [Value],
    states: &'a BTreeMap<&'static str, Vec<Value>>,
    start_ms: i64,
}

impl Context<'_> {
    fn event(&self, event: &Event) -> Value {
        match event.kind {
            PlanKind::Speed | PlanKind::Energy | PlanKind::Stop => self.alarmed(event),
            PlanKind::Changeover | PlanKind::Gap | PlanKind::Wait => self.quiet(event),
        }
    }

    /// An event that must raise its alarm, in time, in the API and on the light.
    fn alarmed(&self, event: &Event) -> Value {
        let (from_ms, _) = span_ms(event, self.start_ms);
        let alarm = self
            .alarms
            .iter()
            .find(|alarm| explains(event, alarm, self.start_ms));
        let bad: Vec<i64> = self
            .record
            .cycles(event.machine)
            .iter()
            .filter(|cycle| cycle.end_ms > from_ms)
            .filter(|c| {
                event.kind == PlanKind::Speed && c.is_fast
                    || event.kind == PlanKind::Energy && c.is_hungry
            })
            .map(|cycle| cycle.end_ms)
            .collect();
        let since_ms = alarm.map_or(0, |alarm| alarm.since_ms);
        let late = bad
            .iter()
            .filter(|end_ms| **end_ms < since_ms - END_SLACK_MS)
            .count();
        // A press of the lamp has no cycle: its start counts.
        let due_ms = bad
            .iter()
            .find(|end| (**end - since_ms).abs() <= END_SLACK_MS);
        let due_ms = due_ms.copied().unwrap_or(from_ms).max(since_ms);
        let seen_ms = alarm.and_then(|alarm| self.record.alarm_seen_at(alarm.id));
        let red_ms = self.record.red_after(due_ms);
        let in_time = |ms: Option<i64>| ms.is_some_and(|ms| ms - due_ms <= ALARM_MS_MAX);
        let ok = alarm.is_some() && late <= CYCLES_LATE_MAX && in_time(seen_ms) && in_time(red_ms);
        json!({
            "kind": event.kind.code(),
            "machine": event.machine,
            "at": rfc3339(from_ms),
            "alarmed_at": seen_ms.map(rfc3339),
            "cycles_late": late,
            "verdict": alarm.map(|alarm| alarm.kind.clone()),
            "page_ms": seen_ms.map(|ms| ms - due_ms),
            "lamp_ms": red_ms.map(|ms| ms - due_ms),
            "lamp": if in_time(red_ms) { "red" } else { "dark" },
            "ok": ok,
        })
    }

    /// An event that must be noticed without an alarm.
    fn quiet(&self, event: &Event) -> Value {
        let (from_ms, to_ms) = span_ms(event, self.start_ms);
        let inside = |t: &Value| {
            let ms = t.as_str().and_then(parse_ms).unwrap_or_default();
            (from_ms - 500..to_ms + AFTER_MS).contains(&ms)
        };
        let alarm = self.alarms.iter().find(|alarm| {
            alarm.machine == event.machine && (from_ms..to_ms + AFTER_MS).contains(&alarm.since_ms)
        });
        let noticed = match event.kind {
            PlanKind::Changeover => self.findings.iter().any(|finding| {
                finding["kind"] == "product_changed"
                    && finding["machine"] == event.machine
                    && inside(&finding["at"])
            }),
            PlanKind::Gap => self
                .states
                .get(event.machine)
                .into_iter()
                .flatten()
                .any(|state| state["state"] == "unknown" && inside(&state["from"])),
            _ => true,
        };
        json!({
            "kind": event.kind.code(),
            "machine": event.machine,
            "at": rfc3339(from_ms),
            "alarmed_at": alarm.map(|alarm| alarm.raw["raised_at"].clone()),
            "noticed": noticed,
            "ok": alarm.is_none() && noticed,
        })
    }
}

/// Milliseconds as RFC 3339 in UTC (Howard Hinnant's civil-from-days).
fn rfc3339(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (s, milli) = (in_day / 1000, in_day % 1000);
    let (hour, minute, second) = (s / 3600, s / 60 % 60, s % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// The other way round.
fn parse_ms(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let milli = if text.get(19..20) == Some(".") {
        number(20, 23)?
    } else {
        0
    };
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    let days = era * 146_097 + of_era - 719_468;
    Some((days * 86_400 + seconds) * 1000 + milli)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        assert_eq!(rfc3339(1_732_200_000_123), "2024-11-21T14:40:00.123Z");
        for ms in [0, 951_782_400_000, 1_732_200_000_123, 4_102_444_799_999] {
            assert_eq!(parse_ms(&rfc3339(ms)), Some(ms));
        }
    }

    #[test]
    fn a_plan_fits_into_its_time_and_is_the_same_for_a_seed() {
        let plan = Plan::new(7, Some(90));
        assert_eq!(plan.events, Plan::new(7, Some(90)).events);
        assert_ne!(plan.events, Plan::new(8, Some(90)).events);
        assert_eq!(plan.events.len(), 6);
        assert!(plan.events.iter().all(|event| event.to_s < 90.0));
        assert!(Plan::new(7, Some(30)).events.len() < 6);
    }
}
