//! The one writer. A [`Batch`] is committed whole or not at all, with one fsync.

use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use model::{
    Alarm, Cycle, DeviationReason, Finding, MachineId, MachineState, Reference, SeriesId, Time,
};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use rustix::fs::{FlockOperation, flock};
use store::{Batch, Checkpoint, Damage, DiskRoom, Record, Signer, StoreError, Writer};

use crate::error::EngineError;
use crate::evidence::{self, Head, WitnessedRow, WitnessedTable};
use crate::last::{LastCommit, LastNote};
use crate::sql::{as_json, run};
use crate::telemetry::{self, CoverBucket, State, StoredStep};
use crate::wal::Checkpointer;
use crate::{annotations, blob, intake, logs, registry, schema};

/// Sealed journal entries removed at once; few, so that no acknowledgement waits for it.
const JOURNAL_FORGET_ENTRIES: i64 = 64;
/// Journal entries kept although they are sealed: what has come lately is told from what comes
/// again by them after a restart.
pub(crate) const JOURNAL_RECENT_ENTRIES: i64 = 2_000;

/// The writer. Holds the folder's lock as long as it lives.
#[derive(Debug)]
pub(crate) struct EmbeddedWriter {
    connection: Connection,
    folder: PathBuf,
    /// The journal's newest entry.
    seq: i64,
    /// Entries up to this one are sealed.
    sealed_seq: i64,
    /// Readings that left the journal.
    sealed_rows: u64,
    /// When the last seal from before was made.
    sealed_at: Option<Time>,
    /// Readings in the journal that are not sealed.
    unsealed: u64,
    /// Entries up to this one are gone.
    forgotten_seq: i64,
    /// Where the evidence chain ends.
    chain: Head,
    signer: Signer,
    /// The last entry a checkpoint covers.
    attested: i64,
    checkpointer: Checkpointer,
    /// The folder with months whose main file was lost.
    aside: Option<String>,
    /// What had been kept and was gone when it was opened.
    lost: Option<Damage>,
    last: LastNote,
    _lock: File,
}

/// What the records of a commit change that the evidence has to cover.
#[derive(Default)]
struct Changed {
    /// Rows that are told one by one.
    rows: BTreeSet<WitnessedRow>,
    /// Hours and days of which rows are told together.
    buckets: BTreeSet<CoverBucket>,
    /// Readings that are no longer kept.
    dropped_rows: u64,
}

impl Changed {
    fn note(&mut self, record: &Record) {
        self.rows.extend(WitnessedRow::of(record));
        self.buckets.extend(CoverBucket::of(record));
        if let Record::Dropped(_, rows) = record {
            self.dropped_rows += rows;
        }
    }
}

/// Takes from everybody but the owner what an older program, or a copy, let them do: nobody else
/// reads the files of the folder, or lists them. A way through it stays, to folders that are
/// shared.
fn hide(folder: &Path) -> std::io::Result<()> {
    let without = |path: &Path, bits: u32| {
        let known = std::fs::metadata(path)?.permissions();
        let mode = known.mode() & !bits;
        if mode == known.mode() {
            return Ok(());
        }
        std::fs::set_permissions(path, Permissions::from_mode(mode))
    };
    without(folder, 0o066)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // A socket is there for others of this computer.
        if entry.file_type()?.is_file() {
            without(&entry.path(), 0o077)?;
        }
    }
    Ok(())
}

/// Files of months beside a main file that is not there, or empty, belong to one that was lost. The
/// first seal would take their place: they are put into a folder of their own, which is named.
fn move_lost_months(folder: &Path) -> Result<Option<String>, EngineError> {
    let main = folder.join(schema::FILE);
    let is_there = std::fs::metadata(&main).is_ok_and(|main| main.len() > 0);
    let names = std::fs::read_dir(folder).map_err(StoreError::Folder)?;
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let months: Vec<String> = names
        .filter(|name| telemetry::is_month_file(name))
        .collect();
    if is_there || months.is_empty() {
        return Ok(None);
    }
    let aside = format!("aside-{}", schema::now().ms());
    let into = folder.join(&aside);
    std::fs::create_dir(&into).map_err(StoreError::Folder)?;
    for name in months {
        // What belongs to a file of a month goes with it.
        for ending in ["", "-wal", "-shm", "-journal"] {
            let name = format!("{name}{ending}");
            if folder.join(&name).exists() {
                std::fs::rename(folder.join(&name), into.join(&name))
                    .map_err(StoreError::Folder)?;
            }
        }
    }
    Ok(Some(aside))
}

impl EmbeddedWriter {
    /// Opens or makes the data folder.
    pub(crate) fn open(folder: &Path) -> Result<Self, EngineError> {
        std::fs::create_dir_all(folder).map_err(StoreError::Folder)?;
        let lock = File::create(folder.join("lock")).map_err(StoreError::Folder)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| StoreError::InUse(folder.to_owned()))?;
        let aside = move_lost_months(folder)?;
        // A folder of somebody else, or of a system without such rights, stays as it is.
        hide(folder).ok();
        let mut connection = Connection::open(folder.join(schema::FILE))?;
        schema::prepare(&mut connection)?;
        let state = State::read(&connection)?;
        let oldest = "SELECT coalesce(min(seq), 1) FROM journal";
        let oldest: i64 = connection.query_row(oldest, [], |row| row.get(0))?;
        let chain = Head::read(&connection)?;
        let kept = LastCommit::read(&connection)?;
        let lost = LastCommit::noted(folder).and_then(|noted| noted.lost(&kept));
        let signed = "SELECT coalesce(max(seq), 0) FROM checkpoint";
        let attested = connection.query_row(signed, [], |row| row.get(0))?;
        let checkpointer = Checkpointer::start(folder.to_owned()).map_err(StoreError::Folder)?;
        Ok(Self {
            connection,
            folder: folder.to_owned(),
            seq: kept.journal,
            sealed_rows: state.rows,
            sealed_seq: state.seq,
            sealed_at: state.sealed_at(),
            unsealed: kept.rows - state.rows,
            forgotten_seq: oldest - 1,
            chain,
            signer: Signer::open(folder, schema::now())?,
            attested,
            checkpointer,
            aside,
            lost,
            last: LastNote::open(folder),
            _lock: lock,
        })
    }

    fn series(&mut self, device: &str, point: &str, unit: &str) -> Result<SeriesId, EngineError> {
        let known = "SELECT id FROM series WHERE device = ?1 AND point = ?2";
        let find = |c: &Connection| {
            c.query_row(known, [device, point], |row| row.get(0))
                .optional()
        };
        if let Some(id) = find(&self.connection)? {
            return Ok(SeriesId(id));
        }
        let sql = "INSERT INTO series(device, point, unit) VALUES(?1, ?2, ?3)";
        let id = self.name(WitnessedTable::Series, sql, &[device, point, unit])?;
        Ok(SeriesId(id as u32))
    }

    fn label(&mut self, text: &str) -> Result<i64, EngineError> {
        let known = "SELECT id FROM label WHERE text = ?1";
        let found = self
            .connection
            .query_row(known, [text], |row| row.get(0))
            .optional()?;
        if let Some(id) = found {
            return Ok(id);
        }
        self.name(
            WitnessedTable::Label,
            "INSERT INTO label(text) VALUES(?1)",
            &[text],
        )
    }

    /// Gives something a number once and for all, and tells it in the evidence.
    fn name(
        &mut self,
        table: WitnessedTable,
        sql: &str,
        values: &[&str],
    ) -> Result<i64, EngineError> {
        let transaction = self.connection.transaction()?;
        transaction.execute(sql, rusqlite::params_from_iter(values))?;
        let id = transaction.last_insert_rowid();
        let rows = BTreeSet::from([WitnessedRow::new(table, id)]);
        let mut chain = self.chain;
        evidence::tell(&transaction, &mut chain, &rows, schema::now())?;
        transaction.commit()?;
        self.chain = chain;
        Ok(id)
    }

    fn commit(&mut self, batch: &Batch) -> Result<i64, EngineError> {
        let transaction = self.connection.transaction()?;
        let (mut seq, mut bytes) = (self.seq, 0);
        if !batch.readings.is_empty() {
            let blob = blob::encode(&batch.readings);
            bytes = blob.len();
            let times = || batch.readings.iter().map(|r| r.t.ms());
            transaction
                .prepare_cached(
                    "INSERT INTO journal(seq, t_min, t_max, arrived, rows, crc, blob)
                     VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    seq + 1,
                    times().min(),
                    times().max(),
                    batch.arrived.ms(),
                    batch.readings.len(),
                    crc32fast::hash(&blob),
                    blob
                ])?;
            seq += 1;
        }
        let (mut chain, mut sealed) = (self.chain, Vec::new());
        let mut changed = Changed::default();
        for record in &batch.records {
            if let Record::SealStep(step) = record {
                sealed.extend(StoredStep::of(step)?.counts());
            }
            // A record that changes nothing (an alarm cleared twice) is no event either.
            if write_record(&transaction, record, seq)? {
                changed.note(record);
                if let Some(entry) = evidence::entry_of(record, batch.arrived) {
                    chain.append(&transaction, &entry)?;
                }
            }
        }
        for bucket in &changed.buckets {
            bucket.mark(&transaction)?;
        }
        evidence::tell(&transaction, &mut chain, &changed.rows, batch.arrived)?;
        for refused in &batch.refused {
            intake::write_refused(&transaction, refused)?;
        }
        transaction.commit()?;
        // Beside the readings a commit writes some pages of its own.
        self.checkpointer
            .wrote(bytes + 4_096 * (1 + batch.records.len()));
        self.unsealed += batch.readings.len() as u64;
        (self.seq, self.chain) = (seq, chain);
        for (upto, rows) in sealed {
            // Else entries would leave the journal that no file of a month has.
            assert!(upto <= seq, "only what is in the journal is sealed");
            self.sealed_seq = self.sealed_seq.max(upto);
            self.unsealed = self.unsealed.saturating_sub(rows);
            self.sealed_rows += rows;
        }
        self.sealed_rows = self.sealed_rows.saturating_sub(changed.dropped_rows);
        self.last.write(&LastCommit {
            journal: self.seq,
            evidence: self.chain.seq,
            rows: self.sealed_rows + self.unsealed,
            at_ms: batch.arrived.ms(),
        });
        Ok(seq)
    }

    fn unsound(&mut self, batch: &Batch) -> Result<Vec<(usize, StoreError)>, EngineError> {
        let transaction = self.connection.transaction()?;
        let mut unsound = Vec::new();
        for (place, record) in batch.records.iter().enumerate() {
            transaction.execute_batch("SAVEPOINT record")?;
            match write_record(&transaction, record, self.seq + 1) {
                Ok(_) => {}
                Err(EngineError(problem)) if problem.is_of_content() => {
                    transaction.execute_batch("ROLLBACK TO record")?;
                    unsound.push((place, problem));
                }
                Err(problem) => return Err(problem),
            }
            transaction.execute_batch("RELEASE record")?;
        }
        Ok(unsound)
    }

    fn attest(&mut self, at: Time) -> Result<Option<Checkpoint>, EngineError> {
        if self.chain.seq == self.attested {
            return Ok(None);
        }
        let checkpoint = self.signer.sign(self.chain.seq, &self.chain.hash, at);
        self.connection.execute(
            "INSERT INTO checkpoint(seq, at, body) VALUES(?1, ?2, ?3)",
            params![checkpoint.seq, checkpoint.at_ms, checkpoint.text()],
        )?;
        self.attested = self.chain.seq;
        Ok(Some(checkpoint))
    }

    fn settle(&self) -> Result<(), EngineError> {
        let moved = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        Ok(moved?)
    }

    fn forget_sealed(&mut self) -> Result<usize, EngineError> {
        let last = self.sealed_seq.min(self.seq - JOURNAL_RECENT_ENTRIES);
        let last = last.min(self.forgotten_seq + JOURNAL_FORGET_ENTRIES);
        if last <= self.forgotten_seq {
            return Ok(0);
        }
        let sql = "DELETE FROM journal WHERE seq <= ?1";
        let gone = self.connection.prepare_cached(sql)?.execute([last])?;
        self.forgotten_seq = last;
        Ok(gone)
    }
}

impl Writer for EmbeddedWriter {
    fn series(&mut self, device: &str, point: &str, unit: &str) -> Result<SeriesId, StoreError> {
        Ok(Self::series(self, device, point, unit)?)
    }

    fn label(&mut self, text: &str) -> Result<i64, StoreError> {
        Ok(Self::label(self, text)?)
    }

    fn commit(&mut self, batch: &Batch) -> Result<i64, StoreError> {
        Ok(Self::commit(self, batch)?)
    }

    fn unsound(&mut self, batch: &Batch) -> Result<Vec<(usize, StoreError)>, StoreError> {
        Ok(Self::unsound(self, batch)?)
    }

    fn attest(&mut self, at: Time) -> Result<Option<Checkpoint>, StoreError> {
        Ok(Self::attest(self, at)?)
    }

    fn settle(&self) -> Result<(), StoreError> {
        Ok(Self::settle(self)?)
    }

    fn forget_sealed(&mut self) -> Result<usize, StoreError> {
        Ok(Self::forget_sealed(self)?)
    }

    fn fingerprint(&self) -> String {
        self.signer.fingerprint()
    }

    fn found_aside(&self) -> Option<&str> {
        self.aside.as_deref()
    }

    fn found_lost(&self) -> Option<&Damage> {
        self.lost.as_ref()
    }

    fn sealed_at(&self) -> Option<Time> {
        self.sealed_at
    }

    fn room(&self) -> Option<DiskRoom> {
        telemetry::room(&self.folder).ok()
    }

    fn unsealed(&self) -> (i64, u64) {
        (self.seq, self.unsealed)
    }
}

fn write_record(
    transaction: &Transaction<'_>,
    record: &Record,
    seq: i64,
) -> Result<bool, EngineError> {
    match record {
        Record::Evidence(_) => Ok(true),
        Record::Person(person) => registry::write_person(transaction, person),
        Record::Pass(pass) => registry::write_pass(transaction, pass),
        Record::PassEnded(id) => run(transaction, "DELETE FROM pass WHERE id = ?1", [id]),
        Record::Device(device) => registry::write_device(transaction, device),
        Record::DeviceEnded(id) => registry::write_device_ended(transaction, id),
        Record::Assigned(device, machine, since) => {
            registry::write_assigned(transaction, device, machine, *since)
        }
        Record::EraseText(entry, _) => run(
            transaction,
            "UPDATE evidence SET salt = NULL, body = NULL WHERE seq = ?1 AND body IS NOT NULL",
            params![entry],
        ),
        Record::Cycle(machine, cycle, reason) => {
            write_cycle(transaction, machine, cycle, reason.as_ref())
        }
        Record::State(machine, state, at) => run(
            transaction,
            // Of two in one millisecond the last one stands: a lamp's tiers change one after the
            // other.
            "INSERT OR REPLACE INTO state(machine, at, state) VALUES(?1, ?2, ?3)",
            params![machine.as_str(), at.ms(), state.code()],
        ),
        Record::SeenAfterAll(machine, at) => run(
            transaction,
            "DELETE FROM state WHERE machine = ?1 AND at = ?2 AND state = ?3",
            params![machine.as_str(), at.ms(), MachineState::Unknown.code()],
        ),
        Record::Finding(machine, finding) => write_finding(transaction, machine, finding),
        Record::Reference(machine, reference) => write_reference(transaction, machine, reference),
        Record::AlarmRaised(alarm) => write_alarm(transaction, alarm),
        Record::AlarmCleared(machine, kind, at) => run(
            transaction,
            "UPDATE alarm SET cleared_at = ?3
             WHERE machine = ?1 AND kind = ?2 AND cleared_at IS NULL",
            params![
                machine.as_ref().map_or("", MachineId::as_str),
                kind.code(),
                at.ms()
            ],
        ),
        Record::AlarmAcknowledged(id, at, by) => run(
            transaction,
            "UPDATE alarm SET acknowledged_at = ?2, acknowledged_by = ?3
             WHERE id = ?1 AND acknowledged_at IS NULL",
            params![id, at.ms(), by],
        ),
        Record::Annotated(annotation) => annotations::write(transaction, annotation),
        Record::Watch(machine, json) => run(
            transaction,
            "INSERT OR REPLACE INTO watch(machine, seq, body) VALUES(?1, ?2, ?3)",
            params![machine.as_str(), seq, json],
        ),
        Record::Settings(machine, json) => write_settings(transaction, machine.as_str(), json),
        Record::Factory(json) => write_settings(transaction, "", json),
        Record::Kept(name, json) => write_kept(transaction, name, json),
        Record::Imported(import) => intake::write_import(transaction, import),
        Record::Log(line) => logs::write_log(transaction, line),
        Record::LogsSealed(seal) => logs::write_log_seal(transaction, seal),
        Record::LogsDropped(upto) => logs::write_logs_dropped(transaction, *upto),
        Record::SealStep(step) => telemetry::write_step(transaction, StoredStep::of(step)?),
        Record::Dropped(name, rows) => telemetry::write_dropped(transaction, name, *rows),
        Record::Retained(topic, payload) => write_retained(transaction, topic, payload),
    }
}

fn write_retained(
    transaction: &Transaction<'_>,
    topic: &str,
    payload: &[u8],
) -> Result<bool, EngineError> {
    if payload.is_empty() {
        return run(
            transaction,
            "DELETE FROM retained WHERE topic = ?1",
            [topic],
        );
    }
    let sql = "INSERT OR REPLACE INTO retained(topic, payload) VALUES(?1, ?2)";
    run(transaction, sql, params![topic, payload])
}

fn write_kept(transaction: &Transaction<'_>, name: &str, json: &str) -> Result<bool, EngineError> {
    let sql = "INSERT OR REPLACE INTO kept(name, body) VALUES(?1, ?2)";
    run(transaction, sql, [name, json])
}

/// Settings of a machine; those of the factory as a whole have no machine's name.
fn write_settings(
    transaction: &Transaction<'_>,
    machine: &str,
    json: &str,
) -> Result<bool, EngineError> {
    let sql = "INSERT OR REPLACE INTO machine(id, settings) VALUES(?1, ?2)";
    run(transaction, sql, [machine, json])
}

fn write_reference(
    transaction: &Transaction<'_>,
    machine: &MachineId,
    reference: &Reference,
) -> Result<bool, EngineError> {
    run(
        transaction,
        "INSERT OR REPLACE INTO reference(machine, product, version, body)
         VALUES(?1, ?2, ?3, ?4)",
        params![
            machine.as_str(),
            reference.product.as_str(),
            reference.version,
            serde_json::to_string(reference)?
        ],
    )
}

fn write_cycle(
    transaction: &Transaction<'_>,
    machine: &MachineId,
    cycle: &Cycle,
    reason: Option<&DeviationReason>,
) -> Result<bool, EngineError> {
    run(
        transaction,
        "INSERT INTO cycle(machine, start, end, product, duration_s, work_s, energy_wh,
            verdict, reason) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO NOTHING",
        params![
            machine.as_str(),
            cycle.start.ms(),
            cycle.end.ms(),
            cycle.product.as_str(),
            cycle.duration_s,
            cycle.work_s,
            cycle.energy_wh,
            cycle.verdict.code(),
            as_json(reason)?
        ],
    )
}

fn write_finding(
    transaction: &Transaction<'_>,
    machine: &MachineId,
    finding: &Finding,
) -> Result<bool, EngineError> {
    run(
        transaction,
        "INSERT INTO finding(machine, at, kind, product, reason)
         VALUES(?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
        params![
            machine.as_str(),
            finding.at.ms(),
            finding.kind.code(),
            finding.product.as_str(),
            as_json(finding.reason.as_ref())?
        ],
    )
}

fn write_alarm(transaction: &Transaction<'_>, alarm: &Alarm) -> Result<bool, EngineError> {
    run(
        transaction,
        "INSERT INTO alarm(machine, kind, since, raised_at, cleared_at, acknowledged_at,
            reason) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO NOTHING",
        params![
            alarm.machine.as_ref().map_or("", MachineId::as_str),
            alarm.kind.code(),
            alarm.since.ms(),
            alarm.raised_at.ms(),
            alarm.cleared_at.map(Time::ms),
            alarm.acknowledged_at.map(Time::ms),
            as_json(alarm.reason.as_ref())?
        ],
    )
}
