//! How a client comes in: its first packet, the policy, its session.

use std::sync::Arc;

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::Event;
use mqtt_protocol_core::mqtt::packet::{Packet, v5_0};
use mqtt_protocol_core::mqtt::result_code::{ConnectReasonCode, MqttError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Duration;

use crate::face::{Hello, Inbound, Policy, RefusedAct, Sink};
use crate::link::{Admitted, End, Link};
use crate::request::Greeting;
use crate::socket::read_some;
use crate::stats::Stats;
use crate::topic::topic_is_valid;
use crate::v3::{self, Denial};

impl<IO, P, S> Link<'_, IO, P, S>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    P: Policy,
    S: Sink<P::Client>,
{
    /// Reads until the CONNECT is complete; gives what it says and the bytes that came behind it.
    pub(crate) async fn await_connect(&mut self) -> Result<(Greeting, Vec<u8>), End> {
        loop {
            let mut bytes = Vec::new();
            if read_some(&mut self.io, &mut bytes).await.is_err() {
                return Err(End::Gone);
            }
            let mut cursor = Cursor::new(bytes.as_slice());
            let events = self.core.recv(&mut cursor);
            let rest = cursor.remaining_slice().to_vec();
            for event in events {
                match event {
                    Event::NotifyPacketReceived(Packet::V3_1_1Connect(connect)) => {
                        return Ok((v3::greeting(&connect), rest));
                    }
                    Event::NotifyPacketReceived(Packet::V5_0Connect(connect)) => {
                        self.refuse_version_5();
                        let name = connect.user_name().unwrap_or(connect.client_id());
                        self.hub
                            .policy
                            .refused(self.peer, name, RefusedAct::Version);
                        return Err(End::Refused);
                    }
                    Event::NotifyPacketReceived(_) => return Err(End::Malformed),
                    Event::RequestSendPacket { packet, .. } => self.put(&packet),
                    Event::NotifyError(MqttError::PacketTooLarge) => return Err(End::Oversized),
                    Event::NotifyError(error) => {
                        if error == MqttError::UnsupportedProtocolVersion && self.output.is_empty()
                        {
                            self.output.extend(v3::UNKNOWN_VERSION);
                            self.hub.policy.refused(self.peer, "", RefusedAct::Version);
                        }
                        return Err(End::Malformed);
                    }
                    _ => {}
                }
            }
        }
    }

    /// MQTT 5 is not spoken yet: CONNACK with reason 0x84, as the standard asks.
    fn refuse_version_5(&mut self) {
        let code = ConnectReasonCode::UnsupportedProtocolVersion;
        let answer = v5_0::Connack::builder()
            .session_present(false)
            .reason_code(code)
            .build();
        if let Ok(connack) = answer {
            self.send(connack.into());
        }
        Stats::add(&self.hub.stats.connects_refused);
    }

    /// Asks the policy and opens the session; `None` if the client is refused.
    pub(crate) fn admit(&mut self, greeting: Greeting) -> Option<Admitted<P::Client>> {
        let certificate = self.certificate.take();
        let hello = Hello {
            certificate: certificate.as_deref(),
            peer: self.peer,
            client_id: &greeting.client_id,
            user: greeting.user.as_deref(),
            password: greeting.password.as_deref(),
        };
        let policy = &self.hub.policy;
        let client = match policy.authenticate(&hello) {
            Ok(client) => client,
            Err(refusal) => {
                let name = hello.user.unwrap_or(hello.client_id);
                policy.refused(self.peer, name, RefusedAct::Connect(refusal));
                return self.deny(Denial::ByPolicy(refusal));
            }
        };
        let name = policy.name(&client);
        let each = self.hub.limits.connections_per_client_max;
        let Some(place) = self.hub.clients.take(name, each) else {
            policy.refused(self.peer, name, RefusedAct::TooMany);
            return self.deny(Denial::NoRoom);
        };
        // Nobody could ever come back to a session without a name.
        if greeting.client_id.is_empty() && !greeting.is_clean {
            return self.deny(Denial::NoIdentifier);
        }
        if let Some(less) = policy.publishes_per_s_max(&client) {
            self.rate.at_most(less);
        }
        let number = self.hub.next_connection();
        // Sessions are kept apart by client name, so no client can take over another's.
        let key = if greeting.client_id.is_empty() {
            format!("{name}/#{number}")
        } else {
            format!("{name}/{}", greeting.client_id)
        };
        let found = self.hub.open_session(&key, greeting.is_clean, number);
        let Some(found) = found else {
            return self.deny(Denial::NoRoom);
        };
        let (session, was_kept) = (found.session, found.was_kept);
        if found.is_contested {
            policy.refused(self.peer, name, RefusedAct::Contested);
        }
        if greeting.keep_alive_s > 0 {
            let silence_ms = u64::from(greeting.keep_alive_s) * 1_500;
            self.keep_alive = Some(Duration::from_millis(silence_ms));
        }
        let will = greeting.will.filter(|will| self.may_speak(will, &client));
        Some(Admitted {
            client,
            session,
            will,
            number,
            was_kept,
            _place: place,
        })
    }

    fn deny<T>(&mut self, why: Denial) -> Option<T> {
        Stats::add(&self.hub.stats.connects_refused);
        self.answer(v3::denial(why));
        None
    }

    /// Whether the policy lets a client speak its last will.
    fn may_speak(&self, will: &Inbound, client: &Arc<P::Client>) -> bool {
        let policy = &self.hub.policy;
        if topic_is_valid(will.topic()) && policy.may_publish(client, will.topic()) {
            return true;
        }
        let name = policy.name(client);
        policy.refused(self.peer, name, RefusedAct::Publish(will));
        false
    }

    /// Takes up the session where it was left and says that the client is let in.
    pub(crate) fn resume(&mut self, admitted: &Admitted<P::Client>) {
        let (kept, handled) = {
            let mut state = admitted.session.state();
            admitted.session.come_back(&mut state);
            let kept = std::mem::take(&mut state.unacknowledged);
            (kept, std::mem::take(&mut state.handled_qos2))
        };
        self.in_flight_out = kept.len();
        self.core.restore_packets(kept);
        self.core
            .restore_qos2_publish_handled(handled.into_iter().collect());
        self.answer(v3::welcome(admitted.was_kept));
    }
}
