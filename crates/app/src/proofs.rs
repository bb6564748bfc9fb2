//! The hand through which pages and scripts ask for a fresh look, and tell what a person declared
//! or read.

use assure::{Declaration, FunctionId};
use tokio::sync::{Mutex, Notify, mpsc};

/// Declarations on their way to the keeper of the proofs.
const DECLARED_MAX: usize = 16;

/// What a person did that is in the chain already.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// Declared something.
    Declared(Declaration),
    /// Read the document of a function's declaration: the function, and who.
    Read(FunctionId, String),
}

/// Asks the keeper of the proofs.
#[derive(Debug)]
pub struct ProofHand {
    wanted: Notify,
    give: mpsc::Sender<Statement>,
    take: Mutex<mpsc::Receiver<Statement>>,
}

impl Default for ProofHand {
    fn default() -> Self {
        let (give, take) = mpsc::channel(DECLARED_MAX);
        Self {
            wanted: Notify::new(),
            give,
            take: Mutex::new(take),
        }
    }
}

impl ProofHand {
    /// Somebody wants everything to be looked at now.
    pub fn ask(&self) {
        self.wanted.notify_one();
    }

    /// Tells what a person did, once it is in the chain.
    pub async fn tell(&self, said: Statement) {
        self.give.send(said).await.ok();
    }

    /// Waits until somebody asks.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Waits until a person has done something.
    pub async fn said(&self) -> Statement {
        match self.take.lock().await.recv().await {
            Some(said) => said,
            None => std::future::pending().await,
        }
    }
}
