//! Switching a device off. Two steps lead here: whoever connected the device consented that the box
//! may do it, and somebody asks for it now. The order is evidence before it goes out, and how it
//! ended is evidence after it. It switches a machine off in order; it is no emergency stop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::{
    EventKind, FieldValue, MachineId, MachineState, OffConsent, OffOutcome, SWITCH_OFF, Source,
    SourceState, Time,
};
use serde_json::{Value, json};
use store::Entry;
use tokio::sync::watch;

use crate::commands::Orders;
use crate::ports::sources::{Ended, Sources};
use crate::views::{BoardView, MachineView};

/// How long the outcome of an order is told, in seconds.
const TOLD_FOR_S: f64 = 600.0;

/// Why an order was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOrdered {
    /// Nobody consented that the box may switch this device off.
    NotConsented,
    /// It could not be written down, and what cannot be written down is not ordered.
    NotKept,
}

/// Switches devices off, and knows the last order to each since the program started.
pub struct SwitchOff {
    sources: Arc<dyn Sources>,
    orders: Orders,
    board: watch::Receiver<Arc<BoardView>>,
    clock: fn() -> Time,
    last: Mutex<BTreeMap<String, (Time, Ended)>>,
}

impl std::fmt::Debug for SwitchOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SwitchOff")
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl SwitchOff {
    /// Switches off what `sources` reads; whether a machine stands still is seen on the board.
    pub fn new(
        sources: Arc<dyn Sources>,
        orders: Orders,
        board: watch::Receiver<Arc<BoardView>>,
        clock: fn() -> Time,
    ) -> Self {
        let last = Mutex::default();
        Self {
            sources,
            orders,
            board,
            clock,
            last,
        }
    }

    /// Switches a device off, by order of whom the evidence chain calls `by`. It runs to its end,
    /// whether or not whoever asked waits.
    pub async fn order(self: &Arc<Self>, by: &str, source: &Source) -> Result<Ended, NotOrdered> {
        if OffConsent::of(source) == OffConsent::Never {
            self.note(source, Ok(OffOutcome::NotConsented));
            return Err(NotOrdered::NotConsented);
        }
        let (own, by, source) = (Arc::clone(self), by.to_owned(), source.clone());
        let under_way = tokio::spawn(async move { own.carry_out(&by, &source).await });
        under_way.await.unwrap_or(Err(NotOrdered::NotKept))
    }

    async fn carry_out(&self, by: &str, source: &Source) -> Result<Ended, NotOrdered> {
        let id = source.id.as_str();
        let consent = source.fields.get(SWITCH_OFF).map(FieldValue::text);
        let about = json!({"device": id, "machine": source.watches(), "switch_off": consent});
        if !self.keep(by, EventKind::OffOrdered, about).await {
            // It may be written down once that is mended.
            self.end(by, source, Ok(OffOutcome::NotGiven)).await;
            return Err(NotOrdered::NotKept);
        }
        let (board, clock) = (self.board.clone(), self.clock);
        let is_still = move |of: &MachineId| {
            let board = Arc::clone(&board.borrow());
            let machine = board.machine(of.as_str());
            machine.is_some_and(|machine| stands_still(machine, clock()))
        };
        let ended = self.sources.switch_off(id, Box::new(is_still)).await;
        self.end(by, source, ended).await;
        Ok(ended)
    }

    /// How it ended is told and becomes evidence.
    async fn end(&self, by: &str, source: &Source, ended: Ended) {
        self.note(source, ended);
        let mut about = outcome_json(ended);
        let device = source.id.as_str();
        (about["device"], about["machine"]) = (json!(device), json!(source.watches()));
        // It has happened: whoever asked is told also if it could not be noted.
        if !self.keep(by, EventKind::OffEnded, about).await {
            tracing::error!(device, "how an order ended could not be noted");
        }
    }

    async fn keep(&self, by: &str, kind: EventKind, about: Value) -> bool {
        let entry = Entry::new((self.clock)(), by, kind, about);
        self.orders.tell(entry.into(), by).await.is_ok()
    }

    fn note(&self, source: &Source, ended: Ended) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.insert(source.id.to_string(), ((self.clock)(), ended));
    }

    /// What came of the last order to a device, while it is worth telling: it was a short while
    /// ago, and what was read since says nothing else.
    pub fn outcome(
        &self,
        source: &Source,
        state: &SourceState,
        now: Time,
    ) -> Option<(Time, Ended)> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, ended) = *last.get(source.id.as_str())?;
        let was_read = state.read_at.is_some_and(|read| read > at);
        let is_other = ended.is_ok_and(OffOutcome::is_off) != is_off(state) && was_read;
        (now.since(at) <= TOLD_FOR_S && !is_other).then_some((at, ended))
    }
}

/// Whether a device said last that it is off.
pub fn is_off(state: &SourceState) -> bool {
    let said = state.last.iter().find(|(point, _)| point == "operating");
    said.is_some_and(|(_, is_on)| *is_on == 0.0) && state.trouble.is_none()
}

/// How an order ended, as the evidence is told.
fn outcome_json(ended: Ended) -> Value {
    match ended {
        Ok(outcome) => json!({"outcome": outcome.code(), "trouble": null}),
        Err(trouble) => json!({"outcome": null, "trouble": trouble}),
    }
}

/// A contact of the machine says so itself, and nothing else that is known of it speaks against it.
pub fn stands_still(machine: &MachineView, now: Time) -> bool {
    machine.standstill.holds(now) && machine.state != MachineState::Run
}
