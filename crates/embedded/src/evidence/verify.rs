//! Checks the whole chain: every hash, every signed checkpoint, and every stored finding, alarm,
//! reference and setting against what the chain says of it. Reads beside a running program.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use data_encoding::HEXLOWER;
use model::{Alarm, DeviationReason, EventKind, Finding, Reference, Time};
use rusqlite::{Connection, OpenFlags, params};
use serde::Deserialize as _;
use serde_json::Value;
use store::{Break, ChainVerdict, Checkpoint};

use super::rows::ToldRows;
use super::seals::{CoveredHistory, Seals};
use super::{ChainLink, Hash, Head, inner_hash};
use crate::error::EngineError;
use crate::last::LastCommit;
use crate::schema;
use crate::sql::TO_READ;

/// Checks the evidence of a data folder; `outside` is a checkpoint kept elsewhere, `key` the
/// fingerprint every checkpoint must have. An error means there is nothing that could be checked.
pub(crate) fn verify(
    folder: &Path,
    outside: Option<&Checkpoint>,
    key: Option<&str>,
) -> Result<ChainVerdict, EngineError> {
    // First the note: what is committed meanwhile is ahead of it.
    let noted = LastCommit::noted(folder);
    let connection = open(&folder.join(schema::FILE))?;
    let format = schema::check_version(&connection)?;
    // One view of the file, however long checking takes.
    connection.execute_batch("BEGIN")?;
    let mut check = Check {
        connection: &connection,
        outside,
        verdict: ChainVerdict::default(),
        seen: SeenRows::default(),
        seals: Seals::default(),
        told: ToldRows::default(),
        history: CoveredHistory::default(),
    };
    let last = check.entries()?;
    check.checkpoints(key)?;
    check.against_outside(last, key);
    if let Some(noted) = noted
        && let Some(lost) = noted.lost(&LastCommit::read(&connection)?)
    {
        let place = lost.place;
        check.verdict.found(Break::TailLost { place });
    }
    if check.verdict.is_sound() {
        // Row by row only while the chain itself can be believed.
        check.rows()?;
        if format >= schema::FORMAT_COVERED {
            let told = std::mem::take(&mut check.told);
            told.check(&connection, format, &mut check.verdict)?;
            check.history.check(&connection, &mut check.verdict)?;
        }
        check.seals.check(folder, &connection, &mut check.verdict)?;
    }
    Ok(check.verdict)
}

/// Opens the main file to read it, also where nothing can be written beside it: on a medium that is
/// write-protected, or in somebody else's folder.
fn open(file: &Path) -> Result<Connection, EngineError> {
    let connection = Connection::open_with_flags(file, TO_READ)?;
    let look = "SELECT count(*) FROM sqlite_schema";
    let looked = connection.query_row(look, [], |row| row.get::<_, i64>(0));
    let log = file.with_extension("db-wal");
    // What is still in the log would be missed; without one the file is all there is.
    let has_log = std::fs::metadata(log).is_ok_and(|log| log.len() > 0);
    if looked.is_ok() || has_log {
        return Ok(connection);
    }
    let path: String = file.to_string_lossy().chars().map(plain).collect();
    Ok(Connection::open_with_flags(
        format!("file:{path}?immutable=1"),
        TO_READ | OpenFlags::SQLITE_OPEN_URI,
    )?)
}

/// A character of a path in an address.
fn plain(letter: char) -> String {
    match letter {
        '?' | '#' | '%' => format!("%{:02x}", u32::from(letter)),
        other => other.to_string(),
    }
}

/// What the entries say, to be compared with the tables.
#[derive(Default)]
struct SeenRows {
    /// Numbers of findings and alarms that are older than the chain.
    findings_before: i64,
    alarms_before: i64,
    began_ms: i64,
    settings_before: BTreeSet<String>,
    findings: i64,
    raised: i64,
    cleared: i64,
    acknowledged: i64,
    references: HashMap<(String, String, u32), Value>,
    settings: HashMap<String, String>,
    gone: BTreeSet<i64>,
    erased: BTreeSet<i64>,
    /// Hashes at the entries that checkpoints cover.
    hashes: HashMap<i64, Hash>,
}

struct Check<'a> {
    connection: &'a Connection,
    outside: Option<&'a Checkpoint>,
    verdict: ChainVerdict,
    seen: SeenRows,
    seals: Seals,
    told: ToldRows,
    history: CoveredHistory,
}

/// An entry as read from the file.
struct StoredRow {
    seq: i64,
    at: i64,
    actor: String,
    kind: String,
    inner: Hash,
    salt: Option<Vec<u8>>,
    body: Option<String>,
    hash: Hash,
}

impl Check<'_> {
    /// Walks along the chain; gives the number of its last entry.
    fn entries(&mut self) -> Result<i64, EngineError> {
        let wanted = self.covered()?;
        let connection = self.connection;
        let mut statement = connection.prepare(
            "SELECT seq, at, actor, kind, inner, salt, body, hash FROM evidence ORDER BY seq",
        )?;
        let mut rows = statement.query([])?;
        let mut before = Head::before_the_first();
        loop {
            let stored = match rows.next() {
                Ok(None) => break,
                Ok(Some(row)) => stored(row),
                Err(error) => Err(error),
            };
            let Ok(stored) = stored else {
                let after = before.seq;
                self.verdict.found(Break::Unreadable { after });
                break;
            };
            self.entry(&stored, before)?;
            before = Head {
                seq: stored.seq,
                hash: stored.hash,
            };
            if wanted.contains(&stored.seq) {
                self.seen.hashes.insert(stored.seq, stored.hash);
            }
        }
        self.verdict.head = HEXLOWER.encode(&before.hash);
        for seq in self.seen.gone.difference(&self.seen.erased) {
            self.verdict.found(Break::TextGone { seq: *seq });
        }
        self.verdict.erased = self.seen.gone.len() as i64;
        Ok(before.seq)
    }

    fn covered(&self) -> Result<BTreeSet<i64>, EngineError> {
        let mut statement = self.connection.prepare("SELECT seq FROM checkpoint")?;
        let seqs = statement.query_map([], |row| row.get(0))?;
        let mut covered: BTreeSet<i64> = seqs.collect::<Result<_, _>>()?;
        covered.extend(self.outside.map(|checkpoint| checkpoint.seq));
        Ok(covered)
    }

    fn entry(&mut self, stored: &StoredRow, before: Head) -> Result<(), EngineError> {
        let seq = stored.seq;
        self.verdict.entries += 1;
        self.verdict.from_ms.get_or_insert(stored.at);
        self.verdict.to_ms = Some(stored.at);
        if seq != before.seq + 1 {
            let (from, to) = (before.seq + 1, seq - 1);
            self.verdict.found(Break::Missing { from, to });
        } else if stored.link().hash(&before.hash) != stored.hash {
            self.verdict.found(Break::EntryAltered { seq });
        }
        match (&stored.salt, &stored.body) {
            (Some(salt), Some(body)) if inner_hash(salt, body) == stored.inner => {
                match serde_json::from_str(body) {
                    Ok(body) => self.note(&stored.kind, stored.at, &body)?,
                    Err(_) => self.verdict.found(Break::TextAltered { seq }),
                }
            }
            (None, None) => {
                self.seen.gone.insert(seq);
            }
            _ => self.verdict.found(Break::TextAltered { seq }),
        }
        Ok(())
    }

    /// Compares what an entry says with the row it is about, or keeps it for the end.
    fn note(&mut self, kind: &str, at: i64, body: &Value) -> Result<(), EngineError> {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        match EventKind::from_code(kind) {
            Some(EventKind::Chain) => {
                let seen = &mut self.seen;
                seen.began_ms = at;
                seen.findings_before = body["findings"].as_i64().unwrap_or(0);
                seen.alarms_before = body["alarms"].as_i64().unwrap_or(0);
                let machines = body["settings"].as_array().into_iter().flatten();
                seen.settings_before = machines
                    .filter_map(|m| m.as_str().map(str::to_owned))
                    .collect();
            }
            Some(EventKind::Finding) => {
                self.seen.findings += 1;
                let finding: Finding = serde_json::from_value(body["finding"].clone())?;
                self.finding(&text("machine"), &finding)?;
            }
            Some(EventKind::Reference) => {
                let reference: Reference = serde_json::from_value(body["reference"].clone())?;
                let key = (
                    text("machine"),
                    reference.product.as_str().to_owned(),
                    reference.version,
                );
                self.seen.references.insert(key, body["reference"].clone());
            }
            Some(EventKind::Settings) => {
                self.seen.settings.insert(text("machine"), text("settings"));
            }
            Some(EventKind::AlarmRaised) => {
                self.seen.raised += 1;
                self.raised(&serde_json::from_value(body.clone())?)?;
            }
            Some(EventKind::AlarmCleared) => {
                let sql =
                    "SELECT id FROM alarm WHERE machine = ?1 AND kind = ?2 AND cleared_at = ?3";
                let (machine, kind) = (text("machine"), text("kind"));
                let found = self.row_id(sql, params![machine, kind, moment(&body["at"])])?;
                self.seen.cleared += i64::from(found > Some(self.seen.alarms_before));
                self.expect(found.is_some(), "alarm", || format!("{machine} {kind}"));
            }
            Some(EventKind::AlarmAcknowledged) => {
                // Before format 13 nobody kept who it was.
                let sql = "SELECT id FROM alarm WHERE id = ?1 AND acknowledged_at = ?2
                    AND acknowledged_by IS ?3";
                let (id, at) = (body["id"].as_i64(), moment(&body["at"]));
                let found = self.row_id(sql, params![id, at, body["by"].as_str()])?;
                self.seen.acknowledged += i64::from(found > Some(self.seen.alarms_before));
                self.expect(found.is_some(), "alarm", || id.unwrap_or(0).to_string());
            }
            Some(EventKind::Sealed) => self.seals.sealed(body),
            Some(EventKind::RegisterSealed) => self.told.note(body),
            Some(EventKind::HistorySealed) => self.history.note(body),
            Some(EventKind::LogsSealed) => self.seals.logs_sealed(body),
            Some(EventKind::LogsDropped) => self.seals.logs_dropped(body),
            Some(EventKind::Dropped) => self.seals.dropped(body),
            Some(EventKind::EvidenceErased) => {
                self.seen.erased.extend(body["seq"].as_i64());
            }
            _ => {}
        }
        Ok(())
    }

    fn finding(&mut self, machine: &str, finding: &Finding) -> Result<(), EngineError> {
        let sql = "SELECT reason FROM finding WHERE machine = ?1 AND at = ?2 AND kind = ?3
                   AND product = ?4";
        let (at, kind) = (finding.at.ms(), finding.kind.code());
        let of = params![machine, at, kind, finding.product.as_str()];
        let is_so = self.has_reason(sql, of, finding.reason.as_ref())?;
        self.expect(is_so, "finding", || {
            format!("{machine} {}", finding.kind.code())
        });
        Ok(())
    }

    fn raised(&mut self, alarm: &Alarm) -> Result<(), EngineError> {
        let machine = alarm.machine.as_ref().map_or("", |m| m.as_str());
        let sql = "SELECT reason FROM alarm WHERE machine = ?1 AND kind = ?2 AND since = ?3
                   AND raised_at = ?4";
        let (since, raised) = (alarm.since.ms(), alarm.raised_at.ms());
        let of = params![machine, alarm.kind.code(), since, raised];
        let is_so = self.has_reason(sql, of, alarm.reason.as_ref())?;
        self.expect(is_so, "alarm", || {
            format!("{machine} {}", alarm.kind.code())
        });
        Ok(())
    }

    /// Whether the row that a statement finds has this reason, in whichever form its moments are.
    fn has_reason(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        reason: Option<&DeviationReason>,
    ) -> Result<bool, EngineError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        let Some(row) = rows.next()? else {
            return Ok(false);
        };
        let kept: Option<String> = row.get(0)?;
        let kept = kept.map(|json| serde_json::from_str::<DeviationReason>(&json));
        Ok(match kept {
            None => reason.is_none(),
            Some(kept) => kept.is_ok_and(|kept| reason == Some(&kept)),
        })
    }

    fn row_id(&self, sql: &str, values: impl rusqlite::Params) -> Result<Option<i64>, EngineError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }

    fn expect(&mut self, is_so: bool, table: &'static str, row: impl FnOnce() -> String) {
        if !is_so {
            self.verdict.found(Break::Row { table, row: row() });
        }
    }

    /// Every signed checkpoint of the file against the chain.
    fn checkpoints(&mut self, key: Option<&str>) -> Result<(), EngineError> {
        let connection = self.connection;
        let mut statement =
            connection.prepare("SELECT seq, at, body FROM checkpoint ORDER BY seq")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
            self.verdict.checkpoints += 1;
            let body: String = row.get(2).unwrap_or_default();
            let read = Checkpoint::read(&body).ok();
            let fits = read.as_ref().is_some_and(|c| {
                let hash = self.seen.hashes.get(&seq);
                c.seq == seq
                    && c.at_ms == at
                    && hash.is_some_and(|hash| HEXLOWER.encode(hash) == c.hash)
            });
            if !fits {
                self.verdict.found(Break::Checkpoint { seq });
            }
            if let Some(checkpoint) = read {
                self.by_key(&checkpoint, key);
            }
        }
        Ok(())
    }

    fn by_key(&mut self, checkpoint: &Checkpoint, key: Option<&str>) {
        let fingerprint = checkpoint.fingerprint();
        if key.is_some_and(|key| !key.eq_ignore_ascii_case(&fingerprint)) {
            self.verdict.found(Break::ForeignKey {
                seq: checkpoint.seq,
                fingerprint: fingerprint.clone(),
            });
        }
        self.verdict.keys.insert(fingerprint);
    }

    fn against_outside(&mut self, last: i64, key: Option<&str>) {
        let Some(outside) = self.outside else { return };
        let seq = outside.seq;
        match self.seen.hashes.get(&seq) {
            None => self.verdict.found(Break::CutOff { seq, last }),
            Some(hash) if HEXLOWER.encode(hash) != outside.hash => {
                self.verdict.found(Break::Rewritten { seq });
            }
            Some(_) => {}
        }
        self.by_key(outside, key);
    }

    /// The tables against what the entries said: nothing more, nothing less.
    fn rows(&mut self) -> Result<(), EngineError> {
        let seen = std::mem::take(&mut self.seen);
        let alarms = seen.alarms_before;
        for (table, sql, before, told) in [
            ("finding", "", seen.findings_before, seen.findings),
            ("alarm", "", alarms, seen.raised),
            ("alarm", "AND cleared_at IS NOT NULL", alarms, seen.cleared),
            (
                "alarm",
                "AND acknowledged_at IS NOT NULL",
                alarms,
                seen.acknowledged,
            ),
        ] {
            let sql = format!("SELECT count(*) FROM {table} WHERE id > ?1 {sql}");
            let there: i64 = self
                .connection
                .query_row(&sql, [before], |row| row.get(0))?;
            self.expect(there == told, table, || format!("{there} ≠ {told}"));
        }
        self.references(&seen)?;
        self.settings(&seen)
    }

    fn references(&mut self, seen: &SeenRows) -> Result<(), EngineError> {
        let connection = self.connection;
        let mut statement =
            connection.prepare("SELECT machine, product, version, body FROM reference")?;
        let mut rows = statement.query([])?;
        let mut told = 0;
        while let Some(row) = rows.next()? {
            let key: (String, String, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let body: Value = serde_json::from_str(&row.get::<_, String>(3)?).unwrap_or_default();
            let is_so = match seen.references.get(&key) {
                Some(said) => {
                    told += 1;
                    *said == body
                }
                None => moment(&body["learned_at"]) < Some(seen.began_ms),
            };
            let name = || format!("{} {} {}", key.0, key.1, key.2);
            self.expect(is_so, "reference", name);
        }
        let all = seen.references.len();
        self.expect(told == all, "reference", || format!("{told} ≠ {all}"));
        Ok(())
    }

    fn settings(&mut self, seen: &SeenRows) -> Result<(), EngineError> {
        let connection = self.connection;
        let mut statement = connection.prepare("SELECT id, settings FROM machine")?;
        let mut rows = statement.query([])?;
        let mut told = 0;
        while let Some(row) = rows.next()? {
            let (machine, settings): (String, String) = (row.get(0)?, row.get(1)?);
            let is_so = match seen.settings.get(&machine) {
                Some(said) => {
                    told += 1;
                    *said == settings
                }
                None => seen.settings_before.contains(&machine),
            };
            self.expect(is_so, "machine", || machine.clone());
        }
        let all = seen.settings.len();
        self.expect(told == all, "machine", || format!("{told} ≠ {all}"));
        Ok(())
    }
}

impl StoredRow {
    fn link(&self) -> ChainLink<'_> {
        ChainLink {
            seq: self.seq,
            at: Time::from_ms(self.at),
            actor: &self.actor,
            kind: &self.kind,
            inner: self.inner,
        }
    }
}

fn stored(row: &rusqlite::Row<'_>) -> Result<StoredRow, rusqlite::Error> {
    Ok(StoredRow {
        seq: row.get(0)?,
        at: row.get(1)?,
        actor: row.get(2)?,
        kind: row.get(3)?,
        inner: row.get(4)?,
        salt: row.get(5)?,
        body: row.get(6)?,
        hash: row.get(7)?,
    })
}

/// The milliseconds of a moment in the text of an entry, in whichever form it is.
fn moment(value: &Value) -> Option<i64> {
    Time::deserialize(value).ok().map(Time::ms)
}
