//! What people said of a machine's past.

use model::{Annotation, MachineId, Span, Time, Title};
use rusqlite::{Row, Transaction, params};
use store::StoreError;

use crate::error::EngineError;
use crate::read::EmbeddedReader;
use crate::sql::{bad_text, machine, run};

const COLUMNS: &str = "id, machine, at, said, told_at, told_by, withdrawn_at, withdrawn_by";

/// Writes one, new or taken back.
pub(crate) fn write(
    transaction: &Transaction<'_>,
    annotation: &Annotation,
) -> Result<bool, EngineError> {
    let sql = format!(
        "INSERT OR REPLACE INTO annotation({COLUMNS}) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    );
    run(
        transaction,
        &sql,
        params![
            annotation.id,
            annotation.machine.as_str(),
            annotation.at.ms(),
            serde_json::to_string(&annotation.said)?,
            annotation.told_at.ms(),
            annotation.told_by,
            annotation.withdrawn_at.map(Time::ms),
            annotation.withdrawn_by
        ],
    )
}

/// Those of a stretch of time, in the order in which they were said.
pub(crate) fn within(
    reader: &EmbeddedReader,
    of: Option<&MachineId>,
    span: Span,
) -> Result<Vec<Annotation>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM annotation
         WHERE at >= ?1 AND at < ?2 AND (machine = ?3 OR ?3 IS NULL) ORDER BY id"
    );
    let (from, to) = (span.from.ms(), span.to.ms());
    reader.list(
        &sql,
        params![from, to, of.map(MachineId::as_str)],
        annotation,
    )
}

/// What was said of stretches of time that reach into a span.
pub(crate) fn lasting(
    reader: &EmbeddedReader,
    of: Option<&MachineId>,
    span: Span,
) -> Result<Vec<Annotation>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM annotation
         WHERE until IS NOT NULL AND at < ?1 AND (machine = ?2 OR ?2 IS NULL)
             AND withdrawn_at IS NULL ORDER BY at, id"
    );
    let values = params![span.to.ms(), of.map(MachineId::as_str)];
    let mut found = reader.list(&sql, values, annotation)?;
    found.retain(|said| said.span().is_some_and(|lasts| lasts.to > span.from));
    Ok(found)
}

/// What stands of a lot.
pub(crate) fn of_lot(reader: &EmbeddedReader, lot: &Title) -> Result<Vec<Annotation>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM annotation WHERE lot = ?1 AND withdrawn_at IS NULL ORDER BY id"
    );
    reader.list(&sql, [lot.as_str()], annotation)
}

/// The other lot that came next.
pub(crate) fn next_lot(
    reader: &EmbeddedReader,
    machine: &MachineId,
    lot: &Title,
    after: Time,
) -> Result<Option<Annotation>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM annotation
         WHERE lot IS NOT NULL AND machine = ?1 AND at > ?2 AND lot <> ?3
             AND withdrawn_at IS NULL AND json_extract(said, '$.kind') = 'lot_began'
         ORDER BY at LIMIT 1"
    );
    let values = params![machine.as_str(), after.ms(), lot.as_str()];
    let found = reader.list(&sql, values, annotation)?;
    Ok(found.into_iter().next())
}

/// The lot that came last.
pub(crate) fn last_lot(
    reader: &EmbeddedReader,
    machine: &MachineId,
) -> Result<Option<Title>, StoreError> {
    let sql = "SELECT lot FROM annotation
               WHERE lot IS NOT NULL AND machine = ?1 AND withdrawn_at IS NULL
                   AND json_extract(said, '$.kind') = 'lot_began'
               ORDER BY at DESC, id DESC LIMIT 1";
    Ok(reader.list(sql, [machine.as_str()], lot_title)?.pop())
}

/// Lots by a part of their number.
pub(crate) fn lots_like(
    reader: &EmbeddedReader,
    text: &str,
    most: usize,
) -> Result<Vec<Title>, StoreError> {
    let sql = "SELECT lot FROM annotation
               WHERE lot IS NOT NULL AND instr(lower(lot), lower(?1)) > 0
                   AND withdrawn_at IS NULL
               GROUP BY lot ORDER BY max(id) DESC LIMIT ?2";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    reader.list(sql, params![text, most], lot_title)
}

/// The one of a number.
pub(crate) fn by_number(
    reader: &EmbeddedReader,
    id: i64,
) -> Result<Option<Annotation>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM annotation WHERE id = ?1");
    Ok(reader.list(&sql, [id], annotation)?.pop())
}

/// The largest number.
pub(crate) fn last(reader: &EmbeddedReader) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(id), 0) FROM annotation";
    Ok(reader.list(sql, [], |row| row.get(0))?.pop().unwrap_or(0))
}

fn lot_title(row: &Row<'_>) -> rusqlite::Result<Title> {
    let lot: String = row.get(0)?;
    Title::new(&lot).map_err(|_| bad_text(0))
}

fn annotation(row: &Row<'_>) -> rusqlite::Result<Annotation> {
    let said: String = row.get(3)?;
    Ok(Annotation {
        id: row.get(0)?,
        machine: machine(row, 1)?,
        at: Time::from_ms(row.get(2)?),
        said: serde_json::from_str(&said).map_err(|_| bad_text(3))?,
        told_at: Time::from_ms(row.get(4)?),
        told_by: row.get(5)?,
        withdrawn_at: row.get::<_, Option<i64>>(6)?.map(Time::from_ms),
        withdrawn_by: row.get(7)?,
    })
}
