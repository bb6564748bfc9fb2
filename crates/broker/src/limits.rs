//! Every limit of the broker in one place, with its name.

use std::time::Duration;

/// What the broker will not go beyond, whatever clients do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest MQTT packet accepted, in bytes; checked before memory is taken for it.
    pub packet_bytes_max: u32,
    /// Publishes of one client accepted and not yet durable; past that its socket is not read.
    pub in_flight_in_max: usize,
    /// Messages sent to one client and not yet acknowledged by it.
    pub in_flight_out_max: usize,
    /// Publishes a client may send per second; past that its socket is not read for a while.
    pub publishes_per_s_max: u32,
    /// Connections at once. Half of them are for those who have said who they are.
    pub connections_max: usize,
    /// Connections from one address that have not said who they are.
    pub strangers_per_address_max: usize,
    /// Connections of one client.
    pub connections_per_client_max: usize,
    /// What waits for subscribers, and how long.
    pub sessions: SessionLimits,
    /// Subscriptions of one client.
    pub subscriptions_max: usize,
    /// Retained messages in all.
    pub retained_max: usize,
    /// Retained messages of one client.
    pub retained_per_client_max: usize,
    /// What they come to, topics and payloads, in bytes.
    pub retained_bytes_per_client_max: usize,
    /// Time from connecting to a complete CONNECT, TLS handshake included.
    pub connect_time_max: Duration,
    /// Time a client may take to accept what is sent to it.
    pub write_time_max: Duration,
}

/// What of sessions there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLimits {
    /// Messages waiting for one subscriber; past that new ones for it are dropped and counted.
    pub queue_messages_max: usize,
    /// What they come to, topics and payloads, in bytes.
    pub queue_bytes_max: usize,
    /// The same for all subscribers that are away together.
    pub away_bytes_max: usize,
    /// Sessions at once, those kept for clients that are away included; the one whose client has
    /// been away longest makes room.
    pub all_max: usize,
    /// Sessions kept for one client while it is away.
    pub per_client_max: usize,
    /// A session is kept this long for a client that is away.
    pub away_time_max: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            queue_messages_max: 10_000,
            queue_bytes_max: 4 * 1024 * 1024,
            away_bytes_max: 32 * 1024 * 1024,
            all_max: 5_000,
            per_client_max: 16,
            away_time_max: Duration::from_secs(7 * 24 * 3_600),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_bytes_max: 64 * 1024,
            in_flight_in_max: 512,
            in_flight_out_max: 64,
            publishes_per_s_max: 2_000,
            connections_max: 2_000,
            strangers_per_address_max: 64,
            connections_per_client_max: 64,
            sessions: SessionLimits::default(),
            subscriptions_max: 200,
            retained_max: 10_000,
            retained_per_client_max: 1_000,
            retained_bytes_per_client_max: 2 * 1024 * 1024,
            connect_time_max: Duration::from_secs(10),
            write_time_max: Duration::from_secs(10),
        }
    }
}
