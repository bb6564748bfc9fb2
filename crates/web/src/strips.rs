//! The last eight hours of all machines, read once for everybody who looks at a board.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use app::known::Known;
use app::views::BoardView;
use model::{MachineId, Span, StateInterval};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How far back a strip goes, in milliseconds.
pub(crate) const STRIP_MS: i64 = 8 * 3_600_000;
/// Strips that are older than this are read again; what a machine does now stands beside them.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// The states of the last eight hours of each machine.
pub(crate) type Strips = BTreeMap<MachineId, Vec<StateInterval>>;

/// The strips as they were read last.
#[derive(Debug, Default)]
pub struct StripShelf {
    read: Mutex<Option<(Instant, Arc<Strips>)>>,
}

impl StripShelf {
    /// The strips, at most ten seconds old; whoever comes while they are read waits for them.
    pub(crate) async fn get(&self, known: &Known, board: &BoardView) -> Arc<Strips> {
        let mut read = self.read.lock().await;
        if let Some((at, strips)) = &*read
            && at.elapsed() < READ_AGAIN_AFTER
            && board.machines.iter().all(|m| strips.contains_key(&m.id))
        {
            return Arc::clone(strips);
        }
        let ids: Vec<MachineId> = board.machines.iter().map(|m| m.id.clone()).collect();
        let now = known.now();
        let work = move |reader: &dyn store::Reader| {
            ids.into_iter()
                .map(|id| {
                    let states = reader.states(&id, Span::new(now - STRIP_MS, now))?;
                    Ok((id, states))
                })
                .collect()
        };
        let strips: Arc<Strips> = Arc::new(known.read(work).await.unwrap_or_default());
        *read = Some((Instant::now(), Arc::clone(&strips)));
        strips
    }
}
