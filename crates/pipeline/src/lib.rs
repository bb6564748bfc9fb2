//! The way of a reading through the program: from the queue of arrivals to its machine, to the
//! judgement, into one commit, and only then to everybody whom it concerns. One thread, the
//! recorder, does all of it; another, the sealer, packs what has been kept into the files of the
//! months.

mod aside;
mod day;
mod floor;
mod light;
mod limits;
mod machine;
mod outlier;
mod own;
mod own_clock;
mod pace;
mod recorder;
mod replies;
mod sealing;
mod series;
mod settings;
mod signals;
mod speaker;

pub use aside::Aside;
pub use floor::{Floor, TakenUp};
pub use pace::Pace;
pub use recorder::{Counters, Inputs, Outputs, Publish, Recorder, RecorderParts};
pub use sealing::{Sealing, day_of};
pub use settings::{FloorSettings, MachineSettings};
pub use signals::signal_of;
