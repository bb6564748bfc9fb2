//! Paper: A4 pages as PDF, made by the box itself, so that a mail or a folder gets them without a
//! browser. The letters come from a Japanese typeface that the computer has.

mod font;
mod layout;

pub mod daily;
pub mod lot;
pub mod proof;

use std::sync::Arc;

use app::known::Known;
use app::views::BoardView;
pub use font::PaperProblem;
use jiff::tz::TimeZone;
use model::{MachineId, Time};
use text::{Lang, key};

/// What a sheet is written with.
#[derive(Debug, Clone)]
struct PaperWriter {
    /// The present: names of machines, what the factory is called.
    board: Arc<BoardView>,
    /// The zone of its moments.
    zone: TimeZone,
    lang: Lang,
    /// When it is made.
    now: Time,
}

impl PaperWriter {
    fn new(known: &Known, lang: Lang) -> Self {
        Self {
            board: known.board(),
            zone: known.calendar.zone.clone(),
            lang,
            now: known.now(),
        }
    }

    /// What the factory is called, before something else.
    fn factory(&self) -> String {
        let name = self.board.factory.name.as_ref();
        name.map_or_else(String::new, |name| format!("{name} · "))
    }

    fn name(&self, id: &MachineId) -> String {
        self.board.called(self.lang, id.as_str()).to_owned()
    }

    /// What stands at the foot of each page.
    fn foot(&self, title: &str) -> String {
        let made = text::written(self.now, &self.zone);
        let made = self.lang.with(key::DAILY_MADE, &[("time", &made)]);
        format!("{}{title} · {made} · Mimamori", self.factory())
    }
}

/// Makes a sheet beside the threads that serve others.
async fn made_aside(
    make: impl FnOnce() -> Result<Vec<u8>, PaperProblem> + Send + 'static,
) -> Result<Vec<u8>, PaperProblem> {
    let made = tokio::task::spawn_blocking(make).await;
    made.map_err(|_| PaperProblem::Writing)?
}
