//! MQTT 3.1.1: what its packets ask for, and how they are answered. Order, limits and sessions are
//! the link's.

use mqtt_protocol_core::mqtt::packet::{Packet, Qos, v3_1_1};
use mqtt_protocol_core::mqtt::result_code::{ConnectReturnCode, SubackReturnCode};

use crate::face::{ConnectRefusal, Inbound};
use crate::request::{ClientRequest, Filter, Greeting};
use crate::session::Outgoing;

/// CONNACK with return code 1: a version that is not spoken.
pub(crate) const UNKNOWN_VERSION: [u8; 4] = [0x20, 0x02, 0x00, 0x01];

/// Why a client is not let in, as a return code.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Denial {
    /// The policy refuses it.
    ByPolicy(ConnectRefusal),
    /// There is no room for it or its session.
    NoRoom,
    /// It wants a session kept that has no name.
    NoIdentifier,
}

/// What a client says in its CONNECT.
pub(crate) fn greeting(connect: &v3_1_1::Connect) -> Greeting {
    Greeting {
        client_id: connect.client_id().to_owned(),
        user: connect.user_name().map(str::to_owned),
        password: connect.password().map(<[u8]>::to_vec),
        is_clean: connect.clean_session(),
        keep_alive_s: connect.keep_alive(),
        will: will(connect),
    }
}

fn will(connect: &v3_1_1::Connect) -> Option<Inbound> {
    let publish = v3_1_1::Publish::builder()
        .topic_name(connect.will_topic()?)
        .ok()?
        .qos(connect.will_qos())
        .retain(connect.will_retain())
        .payload(connect.will_payload().unwrap_or_default().to_vec());
    // Nobody acknowledges a will to its sender; the core wants a number all the same.
    let publish = match connect.will_qos() {
        Qos::AtMostOnce => publish,
        Qos::AtLeastOnce | Qos::ExactlyOnce => publish.packet_id(1),
    };
    Some(Inbound::received(publish.build().ok()?))
}

/// What a packet asks for.
pub(crate) fn request(packet: Packet) -> ClientRequest {
    match packet {
        Packet::V3_1_1Publish(publish) => ClientRequest::Publish(Inbound::received(publish)),
        Packet::V3_1_1Subscribe(subscribe) => {
            let filters = subscribe.entries().iter().map(|entry| Filter {
                text: entry.topic_filter().to_owned(),
                qos: entry.sub_opts().qos(),
            });
            ClientRequest::Subscribe {
                id: subscribe.packet_id(),
                filters: filters.collect(),
            }
        }
        Packet::V3_1_1Unsubscribe(unsubscribe) => {
            let filters = unsubscribe.entries().iter();
            ClientRequest::Unsubscribe {
                id: unsubscribe.packet_id(),
                filters: filters.map(|filter| filter.as_str().to_owned()).collect(),
            }
        }
        Packet::V3_1_1Pubrec(pubrec) => ClientRequest::Received(pubrec.packet_id()),
        Packet::V3_1_1Pubrel(pubrel) => ClientRequest::Released(pubrel.packet_id()),
        Packet::V3_1_1Disconnect(_) => ClientRequest::Leave,
        Packet::V3_1_1Connect(_) => ClientRequest::OutOfTurn,
        _ => ClientRequest::Nothing,
    }
}

/// The publish whose taking a packet confirms, if it does.
pub(crate) fn confirms(packet: &Packet) -> Option<u16> {
    match packet {
        Packet::V3_1_1Pubrec(pubrec) => Some(pubrec.packet_id()),
        _ => None,
    }
}

/// The client is let in; its session was there before, or not.
pub(crate) fn welcome(is_kept: bool) -> Option<Packet> {
    connack(is_kept, ConnectReturnCode::Accepted)
}

/// The client is not let in.
pub(crate) fn denial(why: Denial) -> Option<Packet> {
    let code = match why {
        Denial::ByPolicy(ConnectRefusal::BadCredentials) => {
            ConnectReturnCode::BadUserNameOrPassword
        }
        Denial::ByPolicy(ConnectRefusal::NotAllowed) => ConnectReturnCode::NotAuthorized,
        Denial::NoRoom => ConnectReturnCode::ServerUnavailable,
        Denial::NoIdentifier => ConnectReturnCode::IdentifierRejected,
    };
    connack(false, code)
}

fn connack(is_kept: bool, code: ConnectReturnCode) -> Option<Packet> {
    let connack = v3_1_1::Connack::builder()
        .session_present(is_kept)
        .return_code(code);
    Some(connack.build().ok()?.into())
}

/// Which filters were granted, in their order.
pub(crate) fn suback(id: u16, granted: &[Option<Qos>]) -> Option<Packet> {
    let code = |granted: &Option<Qos>| match granted {
        Some(Qos::AtMostOnce) => SubackReturnCode::SuccessMaximumQos0,
        Some(Qos::AtLeastOnce) => SubackReturnCode::SuccessMaximumQos1,
        Some(Qos::ExactlyOnce) => SubackReturnCode::SuccessMaximumQos2,
        None => SubackReturnCode::Failure,
    };
    let codes: Vec<SubackReturnCode> = granted.iter().map(code).collect();
    let suback = v3_1_1::Suback::builder().packet_id(id).return_codes(codes);
    Some(suback.build().ok()?.into())
}

/// The filters are forgotten.
pub(crate) fn unsuback(id: u16) -> Option<Packet> {
    let unsuback = v3_1_1::Unsuback::builder().packet_id(id);
    Some(unsuback.build().ok()?.into())
}

/// A publish of this quality of service was taken.
pub(crate) fn taken(id: u16, qos: Qos) -> Option<Packet> {
    if qos == Qos::AtLeastOnce {
        return Some(v3_1_1::Puback::builder().packet_id(id).build().ok()?.into());
    }
    Some(v3_1_1::Pubrec::builder().packet_id(id).build().ok()?.into())
}

/// The client may forget a message that it has received.
pub(crate) fn release(id: u16) -> Option<Packet> {
    Some(v3_1_1::Pubrel::builder().packet_id(id).build().ok()?.into())
}

/// The last word about a publish of quality of service 2.
pub(crate) fn complete(id: u16) -> Option<Packet> {
    let pubcomp = v3_1_1::Pubcomp::builder().packet_id(id);
    Some(pubcomp.build().ok()?.into())
}

/// A message for the client; one that it has to answer has an identifier.
pub(crate) fn publish(outgoing: &Outgoing, id: Option<u16>) -> Option<Packet> {
    let message = &outgoing.message;
    let builder = v3_1_1::Publish::builder().topic_name(&*message.topic);
    let mut builder = builder
        .ok()?
        .qos(outgoing.qos)
        .retain(outgoing.retain)
        .payload(message.payload.to_vec());
    if let Some(id) = id {
        builder = builder.packet_id(id);
    }
    Some(builder.build().ok()?.into())
}
