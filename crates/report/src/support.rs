//! What somebody needs to know who helps from afar. No secret is in it, no name of a person,
//! machine, device or product, no reading and no address: what is counted is told, and what kind of
//! thing it is.

use std::collections::BTreeMap;
use std::path::Path;

use app::clock;
use serde_json::{Map, Value, json};
use store::{FindingQuery, Reader, StoreError};

/// Entries of the evidence, findings and alarms that are looked at, the newest.
const NEWEST: usize = 2_000;
/// Alarms that are told one by one.
const ALARMS_TOLD: usize = 50;

/// All of it, of a data folder in which the settings lie in a file of that name.
pub fn told(data: &Path, settings_file: &str, reader: &dyn Reader) -> Value {
    json!({
        "program": {"version": env!("CARGO_PKG_VERSION"), "made_at": clock::now()},
        "computer": computer(),
        "settings": settings(&data.join(settings_file)),
        "folder": folder(data),
        "store": match stored(reader) {
            Ok(stored) => stored,
            Err(problem) => json!({"cannot_be_read": problem.to_string()}),
        },
    })
}

/// What kind of computer it is.
fn computer() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let line = |path: &str, begin: &str| {
        let text = read(path);
        let found = text.lines().find(|line| line.starts_with(begin));
        found.map(|line| line.trim_start_matches(begin).trim().to_owned())
    };
    json!({
        "system": line("/etc/os-release", "PRETTY_NAME="),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "processors": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "memory": line("/proc/meminfo", "MemTotal:"),
        "load": read("/proc/loadavg").trim(),
    })
}

/// The file of settings, with every text in it replaced by its length.
fn settings(file: &Path) -> Value {
    let Ok(text) = std::fs::read_to_string(file) else {
        return json!("there is none");
    };
    match text.parse::<toml::Table>() {
        Ok(table) => masked(&json!(table)),
        Err(problem) => {
            // Not the problem's own words: they may repeat what somebody wrote.
            let before = problem.span().and_then(|span| text.get(..span.start));
            json!({"cannot_be_read_in_line": before.map(|text| text.matches('\n').count() + 1)})
        }
    }
}

/// A value without its texts. The names of members are words of the program.
fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(format!("a text of {} letters", text.chars().count())),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (name.clone(), masked(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        plain => plain.clone(),
    }
}

/// The files of the folder: their names are the program's own, but for those it was given.
fn folder(data: &Path) -> Value {
    let own = |name: &str| {
        ["mimamori", "raw-", "lock", "ca", "console", "demo"]
            .iter()
            .any(|own| name.starts_with(own))
    };
    let mut files: BTreeMap<String, u64> = BTreeMap::new();
    for entry in std::fs::read_dir(data).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = if own(&name) {
            name
        } else {
            "others".to_owned()
        };
        *files.entry(name).or_default() += entry.metadata().map_or(0, |about| about.len());
    }
    json!(files)
}

/// What is kept, counted.
fn stored(reader: &dyn Reader) -> Result<Value, StoreError> {
    let mut points: BTreeMap<String, u32> = BTreeMap::new();
    for series in reader.series()? {
        *points.entry(series.unit).or_default() += 1;
    }
    let evidence = reader.evidence(i64::MAX, NEWEST)?.items;
    let kinds = counted(evidence.iter().map(|entry| entry.kind.as_str()));
    let findings = reader
        .findings(&FindingQuery::default(), i64::MAX, NEWEST)?
        .items;
    let findings = counted(findings.iter().map(|finding| finding.kind.code()));
    let alarms = reader.alarms(false, i64::MAX, NEWEST)?.items;
    let mut machines: Vec<String> = Vec::new();
    let told: Vec<Value> = alarms
        .iter()
        .take(ALARMS_TOLD)
        .map(|alarm| {
            let machine = alarm.machine.as_ref();
            let machine = machine.map(|m| numbered(&mut machines, m.as_str()));
            json!({"kind": alarm.kind, "machine": machine, "raised": alarm.raised_at,
                "cleared": alarm.cleared_at})
        })
        .collect();
    let refused = reader.refused_counts()?;
    let refused = refused.iter().map(|count| (count.reason.code(), count.n));
    let mut refusals: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, n) in refused {
        *refusals.entry(reason).or_default() += n;
    }
    Ok(json!({
        "storage": reader.storage()?,
        "series_by_unit": points,
        "devices": reader.devices()?.len(),
        "people": reader.people()?.len(),
        "machines": reader.settings()?.len(),
        "newest_evidence": evidence.first().map(|entry| entry.at),
        "evidence_by_kind": kinds,
        "findings_by_kind": findings,
        "newest_alarms": told,
        "refused_by_reason": refusals,
    }))
}

/// The number a name has in this file.
fn numbered(names: &mut Vec<String>, name: &str) -> usize {
    if let Some(place) = names.iter().position(|known| known == name) {
        return place + 1;
    }
    names.push(name.to_owned());
    names.len()
}

fn counted<'a>(kinds: impl Iterator<Item = &'a str>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for kind in kinds {
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_the_settings_stays() {
        let table: toml::Table = "[light]\naddress = \"10.0.0.7:10000\"\n[[machine]]\n\
            id = \"secret-press\"\nparts_per_cycle = 4\n"
            .parse()
            .unwrap();
        let told = masked(&json!(table)).to_string();
        assert!(
            !told.contains("10.0.0.7") && !told.contains("secret"),
            "{told}"
        );
        assert!(told.contains("parts_per_cycle\":4"), "{told}");
    }

    #[test]
    fn settings_that_cannot_be_read_are_told_by_their_line_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[light]\nsecret-press = 1\nsecret-press = 2\n").unwrap();
        assert_eq!(settings(file.path()), json!({"cannot_be_read_in_line": 3}));
    }
}
