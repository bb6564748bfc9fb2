//! Where backups, daily files and logs go, and which stack light there is, as a person decides it.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;

use crate::commands::OrderError;
use crate::upkeep::{UpkeepChange, UpkeepPlan, UpkeepSaid};

/// Why something was not put in force.
#[derive(Debug)]
pub enum UpkeepProblem {
    /// There is no such folder.
    NoFolder,
    /// Nothing can be written there; the system's own words.
    NotWritable(String),
    /// The folder did not answer in time: a network drive that hangs.
    FolderHangs,
    /// It lies in the data folder of the program, which it is to outlive.
    OwnFolder,
    /// Another program listens there, or this one may not; the system's own words.
    Port(SocketAddr, String),
    /// There is no certificate: the program serves nothing over TLS.
    NoCertificate,
    /// It could not be made durable.
    Order(OrderError),
}

/// Something with upkeep that takes a while.
pub type Deciding<'a> = Pin<Box<dyn Future<Output = Result<(), UpkeepProblem>> + Send + 'a>>;

/// Tries what a person decides and puts it in force.
pub trait Caretaker: Send + Sync + 'static {
    /// What holds now.
    fn in_force(&self) -> &UpkeepPlan;

    /// What was decided on the page.
    fn said(&self) -> &UpkeepSaid;

    /// Disks and network drives that files can go to, as the system has them in its folders.
    fn places(&self) -> Vec<PathBuf>;

    /// Tries a change, keeps it, and has the program begin anew with it.
    fn decide(&self, change: UpkeepChange, by: String) -> Deciding<'_>;
}
