//! What a client asks for, whichever version of MQTT it speaks.

use mqtt_protocol_core::mqtt::packet::Qos;

use crate::face::Inbound;

/// What a client says when it connects.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) client_id: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Vec<u8>>,
    /// Nothing of the session is to be kept when the client leaves.
    pub(crate) is_clean: bool,
    /// Seconds after which it says something; 0 if it does not promise to.
    pub(crate) keep_alive_s: u16,
    /// What is published if the client is cut off.
    pub(crate) will: Option<Inbound>,
}

/// What a client asks for.
#[derive(Debug)]
pub(crate) enum ClientRequest {
    /// To hand a message to the sink and to subscribers.
    Publish(Inbound),
    /// To get what is published to topics that these filters match.
    Subscribe { id: u16, filters: Vec<Filter> },
    /// Not to get it any more.
    Unsubscribe { id: u16, filters: Vec<String> },
    /// It has received a message of quality of service 2.
    Received(u16),
    /// It has heard that its publish of quality of service 2 was taken.
    Released(u16),
    /// It leaves in order.
    Leave,
    /// Something that may not come now.
    OutOfTurn,
    /// Something that asks for nothing.
    Nothing,
}

/// A filter and the quality of service that is wanted for it.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) text: String,
    pub(crate) qos: Qos,
}
