//! Does things to the world. What is wanted is compared with what is seen, and the difference is
//! acted on again and again until they agree; a device that does not answer is reported.
#![warn(clippy::indexing_slicing, clippy::string_slice)]

mod chat;
mod failure;
mod light;
mod mail;
mod plan;
mod post;
mod webhook;

pub use chat::{ChatMessage, send_chat};
pub use failure::SendFailure;
pub use light::{LightConfig, LightReport, Protocol, run_light, run_told_light};
pub use mail::{Mail, MailSheet, send_mail};
pub use plan::{Present, due, failed, sent, sheet_done, sheet_due, sheet_time};
pub use webhook::{Webhook, send_webhook};
pub use wire::pns::{Family, Light, Tier};
