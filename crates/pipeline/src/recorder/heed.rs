//! What a commit changes of what pages show at once.

use app::clock;
use store::Record;
use tracing::error;

use super::Recorder;
use crate::floor::NAMEPLATE;

impl Recorder {
    /// Who has set something, or said something of a stretch of time, finds it so on the next page.
    pub(super) fn heed(&mut self) {
        let is_setting = |record: &Record| match record {
            Record::Kept(name, _) => name.starts_with(NAMEPLATE),
            Record::Annotated(said) => said.said.until().is_some(),
            other => matches!(other, Record::Factory(_) | Record::Settings(..)),
        };
        let mut set = self
            .pending
            .records
            .iter()
            .filter(|r| is_setting(r))
            .peekable();
        let is_set = set.peek().is_some();
        let said = set.filter_map(|record| match record {
            Record::Annotated(said) => Some(&said.machine),
            _ => None,
        });
        for machine in said {
            let heeded = self.floor.heed(machine, &*self.reader, clock::now());
            if let Err(problem) = heeded {
                error!(%problem, "what people said of a machine could not be read");
            }
        }
        if is_set {
            self.show_board();
        }
    }
}
