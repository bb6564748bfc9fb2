//! Judgement about machines: state, cycles, the learned reference, tolerance. Pure and streaming:
//! a [`Watch`] is fed one signal at a time with the time inside it, keeps bounded state, and gives
//! the same outcomes live, in replay after a power cut and in `analyze`. It has no clock, file or
//! socket; the room's `clippy.toml` makes one a compile error.

mod activity;
mod band;
mod beats;
mod budget;
mod chart;
mod contrast;
mod course;
mod judge;
mod lamp;
mod learn;
mod lessons;
mod level;
mod library;
mod limit;
mod matrix;
mod meter;
mod normal;
mod packed;
mod parts;
mod quality;
mod recording;
pub mod rhythm;
mod scale;
mod segment;
pub mod series;
mod settings;
mod trend;
mod warmup;
mod watch;

pub use band::robust_band;
pub use judge::{CycleFacts, judge};
pub use lamp::{Colour, Lamp, LampDevice, LampShows};
pub use learn::{Learning, reference_from};
pub use level::{Levels, PowerState};
pub use limit::{LimitWatch, PassedLimit, StandingLimit};
pub use meter::{Meter, MeterStretch};
pub use parts::Parts;
pub use recording::Recording;
pub use settings::{ApprovalMode, Settings, SettingsError};
pub use watch::{Finished, LearningState, Outcome, Signal, Snapshot, Watch};
