//! What people say of a machine's past. It is kept as it was said; who finds it wrong takes it back
//! and says it anew, and both stay in the evidence.

use std::sync::atomic::{AtomicI64, Ordering};

use model::{Annotation, EventKind, MachineId, Remark, Time};
use serde_json::json;
use store::{Entry, StoreError};
use tokio::sync::Mutex;

use crate::commands::{Command, OrderError, Orders};
use crate::keeping::Keeping;
use crate::known::Known;

/// A telephone's clock may be this far ahead of the box's, in milliseconds.
const AHEAD_MS_MAX: i64 = 60_000;

/// Takes what people say, and what they take back.
#[derive(Debug)]
pub struct Annotations {
    known: Known,
    orders: Orders,
    /// The number that was given last.
    last: AtomicI64,
    /// Two who take the same back at once are told so one after the other.
    withdrawing: Mutex<()>,
}

impl Annotations {
    /// Goes on with the numbers that are kept.
    pub fn open(known: Known, orders: Orders) -> Result<Self, StoreError> {
        let last = AtomicI64::new(known.reader.last_annotation()?);
        Ok(Self {
            known,
            orders,
            last,
            withdrawing: Mutex::new(()),
        })
    }

    /// Keeps what somebody says of a machine at a moment; gives its number.
    pub async fn tell(
        &self,
        machine: &MachineId,
        at: Time,
        said: Remark,
        by: &str,
    ) -> Result<i64, OrderError> {
        let now = self.known.now();
        if self.known.board().machine(machine.as_str()).is_none() {
            return Err(OrderError::NotFound);
        }
        let said = said.checked().ok_or(OrderError::OutOfRange)?;
        if at > now + AHEAD_MS_MAX {
            return Err(OrderError::OutOfRange);
        }
        let annotation = Annotation {
            id: self.last.fetch_add(1, Ordering::Relaxed) + 1,
            machine: machine.clone(),
            at: at.min(now),
            said,
            told_at: now,
            told_by: by.to_owned(),
            withdrawn_at: None,
            withdrawn_by: None,
        };
        let id = annotation.id;
        self.keep(annotation, EventKind::AnnotationTold, now, by)
            .await?;
        Ok(id)
    }

    /// Takes back what was said by this number, of this machine if one is named.
    pub async fn withdraw(
        &self,
        id: i64,
        of: Option<&MachineId>,
        by: &str,
    ) -> Result<(), OrderError> {
        let _turn = self.withdrawing.lock().await;
        let kept = self.known.read(move |reader| reader.annotation(id)).await;
        let annotation = kept.map_err(|_| OrderError::NotDurable)?;
        let is_meant = |said: &Annotation| of.is_none_or(|of| *of == said.machine);
        let standing = annotation.filter(|said| said.withdrawn_at.is_none() && is_meant(said));
        let annotation = standing.ok_or(OrderError::NotFound)?;
        let now = self.known.now();
        let withdrawn = Annotation {
            withdrawn_at: Some(now),
            withdrawn_by: Some(by.to_owned()),
            ..annotation
        };
        let kind = EventKind::AnnotationWithdrawn;
        self.keep(withdrawn, kind, now, by).await
    }

    async fn keep(
        &self,
        annotation: Annotation,
        kind: EventKind,
        now: Time,
        by: &str,
    ) -> Result<(), OrderError> {
        let about = json!({"id": annotation.id, "machine": annotation.machine,
            "at": annotation.at, "said": annotation.said});
        let entry = Entry::new(now, by, kind, about);
        let keep = Command::Keep(Keeping::Annotation(annotation, entry));
        self.orders.give(keep, by).await
    }
}
