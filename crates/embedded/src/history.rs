//! What was concluded from readings, read back.

use model::{
    Alarm, AlarmKind, Annotation, Cycle, CycleTime, CycleVerdict, FindingKind, MachineId,
    MachineState, ProductId, Reference, Span, StateInterval, TWIN, Time, Title,
};
use rusqlite::{Row, params};
use store::{
    CycleRow, CycleTally, FindingQuery, FindingRow, History, Page, ProductSum, StoreError,
};

use crate::annotations;
use crate::read::EmbeddedReader;
use crate::sql::{bad_text, json, machine};

impl History for EmbeddedReader {
    fn cycles(
        &self,
        machine: &MachineId,
        span: Span,
        limit: usize,
    ) -> Result<Page<CycleRow>, StoreError> {
        let sql = "SELECT start, end, product, duration_s, work_s, energy_wh, verdict, reason
                   FROM cycle WHERE machine = ?1 AND start >= ?2 AND start < ?3
                   ORDER BY start DESC LIMIT ?4";
        let (from, to) = (span.from.ms(), span.to.ms());
        let values = params![machine.as_str(), from, to, limit + 1];
        let rows = self.list(sql, values, cycle_row)?;
        Ok(Page::cut(rows, limit, |row| row.cycle.start.ms()))
    }

    fn sums_by_product(
        &self,
        machine: &MachineId,
        span: Span,
    ) -> Result<Vec<ProductSum>, StoreError> {
        let sql = "SELECT product, count(*), sum(duration_s), sum(energy_wh), min(start), max(end)
                   FROM cycle WHERE machine = ?1 AND start >= ?2 AND start < ?3
                   GROUP BY product ORDER BY product";
        self.list(
            sql,
            params![machine.as_str(), span.from.ms(), span.to.ms()],
            |row| {
                Ok(ProductSum {
                    product: row.get(0)?,
                    cycles: row.get(1)?,
                    duration_s: row.get(2)?,
                    energy_wh: row.get(3)?,
                    start: Time::from_ms(row.get(4)?),
                    end: Time::from_ms(row.get(5)?),
                })
            },
        )
    }

    fn cycle_times(&self, machine: &MachineId, span: Span) -> Result<Vec<CycleTime>, StoreError> {
        let sql = "SELECT end, duration_s, work_s, verdict FROM cycle
                   WHERE machine = ?1 AND start >= ?2 AND start < ?3 ORDER BY start";
        self.list(
            sql,
            params![machine.as_str(), span.from.ms(), span.to.ms()],
            |row| {
                Ok(CycleTime {
                    end: Time::from_ms(row.get(0)?),
                    duration_s: row.get(1)?,
                    work_s: row.get(2)?,
                    is_seen: verdict(row, 3)?.is_seen(),
                })
            },
        )
    }

    fn cycle_tally(&self, machine: &MachineId, span: Span) -> Result<CycleTally, StoreError> {
        let bad = CycleVerdict::ALL.iter().filter(|verdict| verdict.is_bad());
        let bad: Vec<String> = bad.map(|verdict| format!("'{}'", verdict.code())).collect();
        let sql = format!(
            "SELECT count(*), coalesce(sum(verdict IN ({})), 0) FROM cycle
             WHERE machine = ?1 AND start >= ?2 AND start < ?3",
            bad.join(", ")
        );
        let values = params![machine.as_str(), span.from.ms(), span.to.ms()];
        let tally = self.list(&sql, values, |row| {
            Ok(CycleTally {
                cycles: row.get(0)?,
                outside: row.get(1)?,
            })
        });
        Ok(tally?.pop().unwrap_or_default())
    }

    fn cycle_count(&self, machine: &MachineId, since: Time) -> Result<u64, StoreError> {
        self.with(|c| {
            let sql = "SELECT count(*) FROM cycle WHERE machine = ?1 AND start >= ?2";
            Ok(c.prepare_cached(sql)?
                .query_row(params![machine.as_str(), since.ms()], |row| row.get(0))?)
        })
    }

    fn product_changes(&self, machine: &MachineId, span: Span) -> Result<Vec<Time>, StoreError> {
        let sql = "SELECT at FROM finding WHERE machine = ?1 AND at >= ?2 AND at < ?3 AND kind = ?4
                   ORDER BY at";
        let kind = FindingKind::ProductChanged.code();
        let values = params![machine.as_str(), span.from.ms(), span.to.ms(), kind];
        self.list(sql, values, |row| Ok(Time::from_ms(row.get(0)?)))
    }

    fn states(&self, machine: &MachineId, span: Span) -> Result<Vec<StateInterval>, StoreError> {
        let sql = "SELECT at, state FROM state WHERE machine = ?1 AND at <= ?3 AND at >= coalesce(
                       (SELECT max(at) FROM state WHERE machine = ?1 AND at <= ?2), ?2)
                   ORDER BY at";
        let marks = self.list(
            sql,
            params![machine.as_str(), span.from.ms(), span.to.ms()],
            |row| {
                let state: String = row.get(1)?;
                Ok((
                    Time::from_ms(row.get(0)?),
                    MachineState::from_code(&state).unwrap_or_default(),
                ))
            },
        )?;
        let ends = marks.iter().skip(1).map(|(at, _)| Some(*at)).chain([None]);
        let intervals = marks
            .iter()
            .zip(ends)
            .map(|(&(from, state), to)| StateInterval { state, from, to });
        Ok(intervals.collect())
    }

    fn references(&self, machine: &MachineId) -> Result<Vec<Reference>, StoreError> {
        let sql = "SELECT body FROM reference WHERE machine = ?1 ORDER BY product, version";
        let bodies = self.list(sql, params![machine.as_str()], |row| {
            row.get::<_, String>(0)
        })?;
        bodies
            .iter()
            .map(|body| Ok(serde_json::from_str(body)?))
            .collect()
    }

    fn findings(
        &self,
        query: &FindingQuery,
        before: i64,
        limit: usize,
    ) -> Result<Page<FindingRow>, StoreError> {
        let sql = "SELECT id, machine, at, kind, product, reason FROM finding
                   WHERE id < ?1 AND (machine = ?2 OR ?2 IS NULL AND machine <> ?4)
                   AND (?5 = '' OR instr(?5, ' ' || kind || ' ') > 0)
                   ORDER BY id DESC LIMIT ?3";
        let of = query.machine.as_ref().map(MachineId::as_str);
        // Each between blanks: none is found inside of another.
        let kinds = query.kinds.iter().map(|kind| format!(" {} ", kind.code()));
        let kinds: String = kinds.collect();
        let values = params![before, of, limit + 1, TWIN, kinds];
        let rows = self.list(sql, values, finding_row)?;
        Ok(Page::cut(rows, limit, |row| row.id))
    }

    fn findings_in(&self, machine: &MachineId, span: Span) -> Result<Vec<FindingRow>, StoreError> {
        let sql = "SELECT id, machine, at, kind, product, reason FROM finding
                   WHERE machine = ?1 AND at >= ?2 AND at < ?3 ORDER BY at DESC, id DESC";
        let (from, to) = (span.from.ms(), span.to.ms());
        self.list(sql, params![machine.as_str(), from, to], finding_row)
    }

    fn alarms(
        &self,
        only_open: bool,
        before: i64,
        limit: usize,
    ) -> Result<Page<Alarm>, StoreError> {
        let sql = "SELECT id, machine, kind, since, raised_at, cleared_at, acknowledged_at, reason,
                   acknowledged_by
                   FROM alarm WHERE id < ?1 AND (?2 = 0 OR cleared_at IS NULL)
                   AND machine <> ?4 ORDER BY id DESC LIMIT ?3";
        let rows = self.list(sql, params![before, only_open, limit + 1, TWIN], alarm_row)?;
        Ok(Page::cut(rows, limit, |alarm| alarm.id))
    }

    fn alarms_of(
        &self,
        machine: &MachineId,
        only_open: bool,
        limit: usize,
    ) -> Result<Vec<Alarm>, StoreError> {
        let sql = "SELECT id, machine, kind, since, raised_at, cleared_at, acknowledged_at, reason,
                   acknowledged_by
                   FROM alarm WHERE machine = ?1 AND (?2 = 0 OR cleared_at IS NULL)
                   ORDER BY id DESC LIMIT ?3";
        self.list(sql, params![machine.as_str(), only_open, limit], alarm_row)
    }

    fn alarms_in(&self, machine: &MachineId, span: Span) -> Result<Vec<Alarm>, StoreError> {
        let sql = "SELECT id, machine, kind, since, raised_at, cleared_at, acknowledged_at, reason,
                   acknowledged_by
                   FROM alarm WHERE machine = ?1 AND since >= ?2 AND since < ?3 ORDER BY id DESC";
        let (from, to) = (span.from.ms(), span.to.ms());
        self.list(sql, params![machine.as_str(), from, to], alarm_row)
    }

    fn annotations(
        &self,
        of: Option<&MachineId>,
        span: Span,
    ) -> Result<Vec<Annotation>, StoreError> {
        annotations::within(self, of, span)
    }

    fn lasting(&self, of: Option<&MachineId>, span: Span) -> Result<Vec<Annotation>, StoreError> {
        annotations::lasting(self, of, span)
    }

    fn lot(&self, lot: &Title) -> Result<Vec<Annotation>, StoreError> {
        annotations::of_lot(self, lot)
    }

    fn next_lot(
        &self,
        machine: &MachineId,
        lot: &Title,
        after: Time,
    ) -> Result<Option<Annotation>, StoreError> {
        annotations::next_lot(self, machine, lot, after)
    }

    fn last_lot(&self, machine: &MachineId) -> Result<Option<Title>, StoreError> {
        annotations::last_lot(self, machine)
    }

    fn lots_like(&self, text: &str, most: usize) -> Result<Vec<Title>, StoreError> {
        annotations::lots_like(self, text, most)
    }

    fn annotation(&self, id: i64) -> Result<Option<Annotation>, StoreError> {
        annotations::by_number(self, id)
    }

    fn last_annotation(&self) -> Result<i64, StoreError> {
        annotations::last(self)
    }

    fn has_open(&self, kind: AlarmKind) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM alarm
                   WHERE kind = ?1 AND cleared_at IS NULL AND machine <> ?2 LIMIT 1";
        let found = self.list(sql, params![kind.code(), TWIN], |_| Ok(()))?;
        Ok(!found.is_empty())
    }
}

fn cycle_row(row: &Row<'_>) -> rusqlite::Result<CycleRow> {
    let product: String = row.get(2)?;
    let cycle = Cycle {
        product: ProductId::new(&product).map_err(|_| bad_text(2))?,
        start: Time::from_ms(row.get(0)?),
        end: Time::from_ms(row.get(1)?),
        duration_s: row.get(3)?,
        work_s: row.get(4)?,
        energy_wh: row.get(5)?,
        verdict: verdict(row, 6)?,
    };
    Ok(CycleRow {
        cycle,
        reason: json(row, 7)?,
    })
}

fn finding_row(row: &Row<'_>) -> rusqlite::Result<FindingRow> {
    let kind: String = row.get(3)?;
    Ok(FindingRow {
        id: row.get(0)?,
        machine: machine(row, 1)?,
        at: Time::from_ms(row.get(2)?),
        kind: FindingKind::from_code(&kind).ok_or_else(|| bad_text(3))?,
        product: row.get(4)?,
        reason: json(row, 5)?,
    })
}

fn verdict(row: &Row<'_>, column: usize) -> rusqlite::Result<CycleVerdict> {
    let code = row.get_ref(column)?.as_str()?;
    CycleVerdict::from_code(code).ok_or_else(|| bad_text(column))
}

fn alarm_row(row: &Row<'_>) -> rusqlite::Result<Alarm> {
    let (name, kind): (String, String) = (row.get(1)?, row.get(2)?);
    let moment = |ms: Option<i64>| ms.map(Time::from_ms);
    Ok(Alarm {
        id: row.get(0)?,
        machine: if name.is_empty() {
            None
        } else {
            Some(machine(row, 1)?)
        },
        kind: AlarmKind::from_code(&kind).ok_or_else(|| bad_text(2))?,
        since: Time::from_ms(row.get(3)?),
        raised_at: Time::from_ms(row.get(4)?),
        cleared_at: moment(row.get(5)?),
        acknowledged_at: moment(row.get(6)?),
        acknowledged_by: row.get(8)?,
        reason: json(row, 7)?,
    })
}
