//! What a commit changes of what pages show at once.

use app::clock;
use app::photos::PHOTO_MARK;
use store::Record;
use tracing::error;

use super::Recorder;
use crate::floor::NAMEPLATE;

impl Recorder {
    /// Who has set something, or said something of a stretch of time, finds it so on the next page.
    pub(super) fn heed(&mut self) {
        let mut is_set = false;
        for record in &self.pending.records {
            match record {
                Record::Annotated(said) if said.said.until().is_some() => {
                    let heeded = self.floor.heed(&said.machine, &*self.reader, clock::now());
                    if let Err(problem) = heeded {
                        error!(%problem, "what people said of a machine could not be read");
                    }
                }
                Record::Kept(name, json) if name.starts_with(PHOTO_MARK) => {
                    let id = name.trim_start_matches(PHOTO_MARK);
                    if let Err(problem) = self.floor.recall_photo(id, json) {
                        error!(%problem, "which photo a machine has could not be read");
                    }
                }
                Record::Kept(name, _) if name.starts_with(NAMEPLATE) => {}
                Record::Annotated(said) if said.said.teaches() => {}
                Record::Factory(_) | Record::Settings(..) => {}
                _ => continue,
            }
            is_set = true;
        }
        if is_set {
            self.show_board();
        }
    }
}
