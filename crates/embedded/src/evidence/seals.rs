//! Sealed readings against the evidence: every seal of every month's file must hold exactly what
//! its entry says, no file may be missing unless an entry says that it was dropped, and nothing may
//! be there that no entry knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use data_encoding::HEXLOWER;
use model::Time;
use rusqlite::Connection;
use serde_json::Value;
use store::{Break, ChainVerdict};
use strum::VariantArray as _;

use crate::error::EngineError;
use crate::logs;
use crate::telemetry::{self, CoverBucket, CoverKind, Covered, State};

/// What the entries say of sealed readings.
#[derive(Debug, Default)]
pub(super) struct Seals {
    /// By file and seal: how many chunks, and the hash over them.
    files: BTreeMap<String, BTreeMap<i64, (u64, String)>>,
    open_sha256: Option<String>,
    last: i64,
    /// Log lines, by their first and last number: how many, and the hash over them.
    logs: BTreeMap<(i64, i64), (u64, String)>,
}

/// What the entries say of cycles, states and sums of days.
#[derive(Debug, Default)]
pub(super) struct CoveredHistory(BTreeMap<CoverBucket, Covered>);

impl CoveredHistory {
    /// Takes up an entry; what is told again counts as it is told last.
    pub(super) fn note(&mut self, body: &Value) {
        self.0.extend(telemetry::said(body));
    }

    /// Compares every hour and day that is not marked as changed since: its rows are those it was
    /// told with, and none are where nothing was told.
    pub(super) fn check(
        &self,
        main: &Connection,
        verdict: &mut ChainVerdict,
    ) -> Result<(), EngineError> {
        let unsaid = telemetry::unsaid(main)?;
        for kind in CoverKind::VARIANTS {
            let found = telemetry::cover_all(main, *kind)?;
            let told = self.0.iter();
            let told = told.filter(|(at, said)| at.kind == *kind && said.rows > 0);
            let all: BTreeSet<CoverBucket> = found
                .keys()
                .chain(told.map(|(at, _)| at))
                .copied()
                .collect();
            for bucket in all.difference(&unsaid) {
                if found.get(bucket) != self.0.get(bucket) {
                    let row = Time::from_ms(bucket.at).to_string();
                    verdict.found(Break::Row {
                        table: bucket.kind.into(),
                        row,
                    });
                }
            }
        }
        Ok(())
    }
}

impl Seals {
    /// Takes up an entry about a seal.
    pub(super) fn sealed(&mut self, body: &Value) {
        self.last = body["number"].as_i64().unwrap_or(0);
        self.open_sha256 = body["open_sha256"].as_str().map(str::to_owned);
        for (name, said) in body["files"].as_object().into_iter().flatten() {
            let sha256 = said["sha256"].as_str().unwrap_or_default().to_owned();
            let chunks = said["chunks"].as_u64().unwrap_or(0);
            let seals = self.files.entry(name.clone()).or_default();
            seals.insert(self.last, (chunks, sha256));
        }
    }

    /// Takes up an entry about a file that was dropped.
    pub(super) fn dropped(&mut self, body: &Value) {
        self.files.remove(body["file"].as_str().unwrap_or_default());
    }

    /// Takes up an entry about log lines.
    pub(super) fn logs_sealed(&mut self, body: &Value) {
        let number = |name: &str| body[name].as_i64().unwrap_or(0);
        let sha256 = body["sha256"].as_str().unwrap_or_default().to_owned();
        let span = (number("from"), number("upto"));
        self.logs
            .insert(span, (number("count").unsigned_abs(), sha256));
    }

    /// Takes up an entry about log lines that were dropped: what is left of a stretch that lost
    /// some can no longer be compared.
    pub(super) fn logs_dropped(&mut self, body: &Value) {
        let upto = body["upto"].as_i64().unwrap_or(0);
        self.logs.retain(|(from, _), _| *from > upto);
    }

    /// Compares log lines.
    fn check_logs(&self, main: &Connection, verdict: &mut ChainVerdict) -> Result<(), EngineError> {
        for (span, said) in &self.logs {
            if logs::digest(main, span.0, span.1)? != *said {
                let row = format!("{}–{}", span.0, span.1);
                verdict.found(Break::Row { table: "log", row });
            }
        }
        Ok(())
    }

    /// Compares.
    pub(super) fn check(
        &self,
        folder: &Path,
        main: &Connection,
        verdict: &mut ChainVerdict,
    ) -> Result<(), EngineError> {
        self.check_logs(main, verdict)?;
        let state = State::read(main)?;
        if state.number != self.last {
            let row = format!("{} ≠ {}", state.number, self.last);
            verdict.found(Break::Row {
                table: "sealed",
                row,
            });
        }
        let said = self.open_sha256.as_ref();
        if said
            .is_some_and(|said| telemetry::open_digest(main, self.last).ok().as_ref() != Some(said))
        {
            let row = "open_chunk".to_owned();
            verdict.found(Break::Row {
                table: "sealed",
                row,
            });
        }
        let known = telemetry::month_files(main)?;
        let told: BTreeSet<String> = self.files.keys().cloned().collect();
        for name in known.symmetric_difference(&told) {
            verdict.found(Break::Row {
                table: "month_file",
                row: name.clone(),
            });
        }
        for name in told {
            if self.file(&folder.join(&name), &name, verdict).is_err() {
                verdict.found(Break::MonthFile { file: name });
            }
        }
        Ok(())
    }

    fn file(&self, path: &Path, name: &str, verdict: &mut ChainVerdict) -> Result<(), EngineError> {
        let connection = telemetry::read_month(path)?;
        let there = telemetry::seals_in(&connection, self.last)?;
        let none = BTreeMap::new();
        let said = self.files.get(name).unwrap_or(&none);
        let all: BTreeSet<i64> = said.keys().copied().chain(there).collect();
        for seal in all {
            let written = telemetry::describe(&connection, seal)?;
            let found = (written.chunks, HEXLOWER.encode(&written.digest));
            let expected = said.get(&seal);
            let is_so = expected == Some(&found) || (expected.is_none() && written.chunks == 0);
            if is_so {
                verdict.readings += written.rows;
            } else {
                let file = name.to_owned();
                verdict.found(Break::Sealed { file, seal });
            }
        }
        Ok(())
    }
}
