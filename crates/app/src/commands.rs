//! What a person, a script or a service may have changed. An answer comes only once the change is
//! durable.

use std::time::Duration;

use model::{AlarmKind, EventKind, MachineId, Nameplate, Tolerance};
use store::Entry;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tracing::warn;

use crate::keeping::Keeping;
use crate::setting_changes::FactoryChange;

/// A change asked for by a person.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Let the learned reference judge.
    Approve(MachineId),
    /// Forget the reference and learn a new version.
    Relearn(MachineId),
    /// Put another tolerance in force, and other alarms that chance may raise in a month if they
    /// are named.
    SetTolerance(MachineId, Tolerance, Option<f64>),
    /// Say how long a cycle is, in seconds, or that it is as it is found.
    SetCycleLength(MachineId, Option<f64>),
    /// Put other planned hours, prices, lines and parts per cycle in force.
    SetFactory(Box<FactoryChange>),
    /// Name a machine, give it a place on the board, take it off or bring it back.
    SetNameplate(MachineId, Nameplate),
    /// Put back what the change of settings of this number set.
    TakeBack(u64),
    /// "I have seen this alarm."
    Acknowledge(i64),
    /// Sign where the evidence chain stands.
    Attest,
    /// Keep what a part of the program looks after, and the evidence of it.
    Keep(Keeping),
    /// Something the box found out about itself: kept as evidence, and an alarm that lasts or
    /// does not.
    Report {
        /// What kind of event.
        kind: EventKind,
        /// The details.
        body: serde_json::Value,
        /// The alarm, and whether it lasts.
        alarm: (AlarmKind, bool),
    },
}

impl From<Entry> for Command {
    fn from(entry: Entry) -> Self {
        Self::Keep(Keeping::Evidence(entry))
    }
}

/// Why a change was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderError {
    /// No such machine or alarm.
    NotFound,
    /// Nothing is waiting for approval.
    NothingToApprove,
    /// A value is out of its range.
    OutOfRange,
    /// Something is still heard of the machine that is to leave the board.
    StillHeard,
    /// Somebody else has set the same meanwhile.
    ChangedMeanwhile,
    /// It could not be made durable, and is not done.
    NotDurable,
    /// It is done, and kept as soon as the disk takes it: it must not be ordered again.
    Delayed,
}

/// A change, who asked for it and where its answer goes.
#[derive(Debug)]
pub struct Order {
    /// What is asked for.
    pub command: Command,
    /// By whom, as the evidence chain writes it.
    pub by: String,
    /// It tells what has happened: it is kept as soon as the disk takes it, whatever is answered.
    pub has_happened: bool,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<(), OrderError>>,
}

/// Takes orders to the recorder.
#[derive(Debug, Clone)]
pub struct Orders(mpsc::Sender<Order>);

impl Orders {
    /// Orders into this queue.
    pub fn new(queue: mpsc::Sender<Order>) -> Self {
        Self(queue)
    }

    /// Gives an order and waits until it is durable. What is answered as not durable is not done
    /// later either.
    pub async fn give(&self, command: Command, by: &str) -> Result<(), OrderError> {
        self.send(command, by, false).await
    }

    /// Tells something that has happened, and waits until it is durable; where the disk does not
    /// take it now, it is kept once it does.
    pub async fn tell(&self, command: Command, by: &str) -> Result<(), OrderError> {
        self.send(command, by, true).await
    }

    async fn send(&self, command: Command, by: &str, has_happened: bool) -> Result<(), OrderError> {
        let (answer, result) = oneshot::channel();
        let by = by.to_owned();
        self.0
            .try_send(Order {
                command,
                by,
                has_happened,
                answer,
            })
            .map_err(|_| OrderError::NotDurable)?;
        result.await.unwrap_or(Err(OrderError::NotDurable))
    }

    /// Gives an order again after each pause until it is carried out: a disk may be full for a
    /// while.
    pub async fn insist(&self, command: Command, by: &str, pause: Duration) {
        while let Err(problem) = self.give(command.clone(), by).await {
            warn!(?problem, "this could not be kept yet; it is tried again");
            sleep(pause).await;
        }
    }
}
