//! The entries of the chain, read back.

use data_encoding::HEXLOWER;
use model::{EventKind, Time};
use rusqlite::{Row, params};
use store::{Checkpoint, EvidenceLog, EvidenceRow, Page, StoreError};

use crate::read::EmbeddedReader;

impl EvidenceLog for EmbeddedReader {
    fn evidence(&self, before: i64, limit: usize) -> Result<Page<EvidenceRow>, StoreError> {
        let sql = "SELECT seq, at, actor, kind, body, hash FROM evidence
                   WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
        let rows = self.list(sql, params![before, limit + 1], evidence_row)?;
        Ok(Page::cut(rows, limit, |row| row.seq))
    }

    fn proofs(&self, limit: usize) -> Result<Vec<EvidenceRow>, StoreError> {
        let sql = "SELECT seq, at, actor, kind, body, hash FROM evidence WHERE seq IN
                   (SELECT seq FROM evidence WHERE kind >= 'proof' AND kind < 'proog'
                    AND kind IN ('proof.observed', 'proof.reset') ORDER BY seq DESC LIMIT ?1)
                   OR seq IN
                   (SELECT seq FROM evidence WHERE kind >= 'proof' AND kind < 'proog'
                    AND kind IN ('proof.declared', 'proof.read') ORDER BY seq DESC LIMIT ?1)
                   ORDER BY seq DESC";
        self.list(sql, params![limit], evidence_row)
    }

    fn newest_backup(&self, kind: EventKind) -> Result<Option<EvidenceRow>, StoreError> {
        let sql = "SELECT coalesce(max(seq), 0) FROM evidence
                   WHERE kind >= 'backup' AND kind < 'backuq' AND kind = ?1";
        let seq: i64 = self.with(|c| Ok(c.query_row(sql, [kind.code()], |row| row.get(0))?))?;
        let page = self.evidence(seq + 1, 1)?;
        Ok(page.items.into_iter().next().filter(|row| row.seq == seq))
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        let sql = "SELECT body FROM checkpoint ORDER BY seq DESC LIMIT 1";
        let bodies = self.list(sql, params![], |row| row.get::<_, String>(0))?;
        Ok(bodies.first().and_then(|body| Checkpoint::read(body).ok()))
    }
}

fn evidence_row(row: &Row<'_>) -> rusqlite::Result<EvidenceRow> {
    let body: Option<String> = row.get(4)?;
    let hash: [u8; 32] = row.get(5)?;
    Ok(EvidenceRow {
        seq: row.get(0)?,
        at: Time::from_ms(row.get(1)?),
        actor: row.get(2)?,
        kind: row.get(3)?,
        body: body.and_then(|body| serde_json::from_str(&body).ok()),
        hash: HEXLOWER.encode(&hash),
    })
}
