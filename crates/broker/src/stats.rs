//! What the broker counts. A drop or a refusal that is not counted would be silent.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Live counters, shared by all connections.
        #[derive(Debug, Default)]
        pub struct Stats {
            $($(#[$doc])* pub(crate) $name: AtomicU64,)*
        }

        /// The counters at one moment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct StatsSnapshot {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Stats {
            /// Reads all counters.
            pub fn snapshot(&self) -> StatsSnapshot {
                StatsSnapshot { $($name: self.$name.load(Relaxed),)* }
            }
        }

        impl StatsSnapshot {
            /// Every counter with its name.
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

counters! {
    /// Connections open now.
    connections,
    /// Connections ever accepted by the listener.
    connections_accepted,
    /// Connections closed because there were too many.
    connections_over_limit,
    /// Connections closed because no complete CONNECT came in time.
    silent_closed,
    /// Clients refused at CONNECT.
    connects_refused,
    /// Connections closed for bytes that are no MQTT, or a packet out of turn.
    malformed_closed,
    /// Connections closed for a packet larger than allowed.
    oversized_closed,
    /// Connections closed because the keep-alive time passed in silence.
    keep_alive_closed,
    /// Connections closed because the client did not accept what was sent.
    slow_closed,
    /// Times a client was not read for a while because it sent too fast.
    throttled,
    /// Publishes received.
    publishes_in,
    /// Publishes refused by policy.
    publishes_refused,
    /// Messages sent to subscribers.
    messages_out,
    /// Messages not queued because a subscriber's queue was full.
    messages_dropped,
    /// Retained messages not kept because there were too many.
    retained_refused,
}

impl Stats {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }
}
