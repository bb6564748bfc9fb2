//! A message on its way to subscribers.

use mqtt_protocol_core::mqtt::packet::Qos;

/// A message on its way to subscribers; the bytes are shared by all of them.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) topic: Box<str>,
    pub(crate) payload: Box<[u8]>,
    pub(crate) qos: Qos,
}
