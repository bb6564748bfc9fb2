//! An MQTT 3.1.1 broker that knows nothing of machines. It asks a [`Policy`] who may do what and
//! hands every publish to a [`Sink`]; a PUBACK or PUBREC leaves only after the sink has called the
//! publish durable. Protocol state comes from the sans-IO `mqtt-protocol-core`; sessions, the
//! subscription tree, limits and refusals are here. Everything it holds has a named limit.
#![warn(clippy::indexing_slicing, clippy::string_slice)]

mod admission;
mod door;
mod face;
mod forward;
mod limits;
mod link;
mod listener;
mod message;
mod rate;
mod request;
mod retained;
mod routing;
mod session;
mod socket;
mod stats;
mod topic;
mod tree;
mod v3;

pub use door::{StrangerPlace, Strangers};
pub use face::{ConnectRefusal, Hello, Inbound, Policy, RefusedAct, Sink, Ticket};
pub use limits::{Limits, SessionLimits};
pub use listener::{Broker, ListenError};
pub use retained::RetainedRoom;
pub use stats::{Stats, StatsSnapshot};
pub use tokio_rustls::rustls;
pub use topic::{filter_is_valid, matches, topic_is_valid};
