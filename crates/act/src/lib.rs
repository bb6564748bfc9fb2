//! Does things to the world. What is wanted is compared with what is seen, and the difference is
//! acted on again and again until they agree; a device that does not answer is reported.
#![warn(clippy::indexing_slicing, clippy::string_slice)]

mod light;

pub use light::{LightConfig, LightReport, run_light};
pub use wire::pns::{Family, Light, Tier};
