//! Retained messages, and how much room each client may take with them: one client that retains
//! without end must not take the room of the others, nor memory and disk.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::limits::Limits;
use crate::message::Message;
use crate::topic::matches;

/// What retained messages of one client, or of all, come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Usage {
    messages: usize,
    bytes: usize,
}

/// The room for retained messages: it is known how much each client takes.
#[derive(Debug)]
pub struct RetainedRoom {
    messages_max: usize,
    client: Usage,
    all: Usage,
    by_owner: HashMap<Box<str>, Usage>,
}

impl RetainedRoom {
    /// Room of which nothing is taken.
    pub fn new(limits: &Limits) -> Self {
        Self {
            messages_max: limits.retained_max,
            client: Usage {
                messages: limits.retained_per_client_max,
                bytes: limits.retained_bytes_per_client_max,
            },
            all: Usage::default(),
            by_owner: HashMap::new(),
        }
    }

    /// Takes room for a message of `bytes` (topic and payload) of a client; says whether there was
    /// some. The broker's owner, whose name is empty, is not limited: it knows what it retains.
    pub fn take(&mut self, owner: &str, bytes: usize) -> bool {
        let used = self.by_owner.get(owner).copied().unwrap_or_default();
        let is_over = used.messages >= self.client.messages
            || used.bytes + bytes > self.client.bytes
            || self.all.messages >= self.messages_max;
        if is_over && !owner.is_empty() {
            return false;
        }
        self.add(owner, bytes);
        true
    }

    fn add(&mut self, owner: &str, bytes: usize) {
        let used = match self.by_owner.get_mut(owner) {
            Some(used) => used,
            None => self.by_owner.entry(owner.into()).or_default(),
        };
        for usage in [used, &mut self.all] {
            usage.messages += 1;
            usage.bytes += bytes;
        }
    }

    fn give_back(&mut self, owner: &str, bytes: usize) {
        self.all.messages -= 1;
        self.all.bytes -= bytes;
        if let Some(used) = self.by_owner.get_mut(owner) {
            used.messages -= 1;
            used.bytes -= bytes;
            if used.messages == 0 {
                self.by_owner.remove(owner);
            }
        }
    }
}

/// A topic's retained message.
#[derive(Debug)]
struct KeptMessage {
    owner: Box<str>,
    bytes: usize,
    /// Messages that have taken the place and are not durable yet.
    claims: u32,
    /// `None` until the first one is durable.
    message: Option<Arc<Message>>,
}

/// The retained messages by their topics.
#[derive(Debug)]
pub(crate) struct Retained {
    room: RetainedRoom,
    by_topic: BTreeMap<Box<str>, KeptMessage>,
}

impl Retained {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            room: RetainedRoom::new(limits),
            by_topic: BTreeMap::new(),
        }
    }

    /// Takes room for a message that a client asks to be retained, before it is durable; says
    /// whether there was some. An empty payload, which only forgets, needs none.
    pub(crate) fn claim(&mut self, owner: &str, topic: &str, payload_bytes: usize) -> bool {
        if payload_bytes == 0 {
            return true;
        }
        let bytes = topic.len() + payload_bytes;
        let before = self.by_topic.get(topic);
        let before = before.map(|kept| (kept.owner.clone(), kept.bytes));
        if let Some((owner, bytes)) = &before {
            self.room.give_back(owner, *bytes);
        }
        if !self.room.take(owner, bytes) {
            if let Some((owner, bytes)) = before {
                self.room.add(&owner, bytes);
            }
            return false;
        }
        let owner = owner.into();
        match self.by_topic.get_mut(topic) {
            Some(kept) => {
                (kept.owner, kept.bytes) = (owner, bytes);
                kept.claims += 1;
            }
            None => {
                let kept = KeptMessage {
                    owner,
                    bytes,
                    claims: 1,
                    message: None,
                };
                self.by_topic.insert(topic.into(), kept);
            }
        }
        true
    }

    /// Puts a durable message in its claimed place, or forgets what is there if the payload is
    /// empty; the place itself stays while another message is on its way to it.
    pub(crate) fn put(&mut self, message: &Arc<Message>) {
        let Some(kept) = self.by_topic.get_mut(&message.topic) else {
            return;
        };
        if !message.payload.is_empty() {
            kept.claims = kept.claims.saturating_sub(1);
            kept.message = Some(Arc::clone(message));
            return;
        }
        kept.message = None;
        if kept.claims == 0
            && let Some(gone) = self.by_topic.remove(&message.topic)
        {
            self.room.give_back(&gone.owner, gone.bytes);
        }
    }

    /// The retained messages under a filter.
    pub(crate) fn under(&self, filter: &str) -> Vec<Arc<Message>> {
        let under = self.by_topic.iter();
        let under = under.filter(|(topic, _)| matches(filter, topic));
        under.filter_map(|(_, kept)| kept.message.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_protocol_core::mqtt::packet::Qos;

    fn limits() -> Limits {
        Limits {
            retained_max: 6,
            retained_per_client_max: 3,
            retained_bytes_per_client_max: 100,
            ..Limits::default()
        }
    }

    fn message(topic: &str, payload: &[u8]) -> Arc<Message> {
        Arc::new(Message {
            topic: topic.into(),
            payload: payload.into(),
            qos: Qos::AtLeastOnce,
        })
    }

    #[test]
    fn a_client_has_its_own_room_in_messages_and_in_bytes() {
        let mut retained = Retained::new(&limits());
        assert!((0..3).all(|i| retained.claim("a", &format!("a/{i}"), 5)));
        assert!(!retained.claim("a", "a/3", 5), "a fourth message");
        assert!(retained.claim("a", "a/2", 20), "in the place of another");
        assert!(!retained.claim("a", "a/2", 200), "too many bytes");
        assert!(retained.claim("b", "b/0", 90), "the room of somebody else");
        assert!(!retained.claim("b", "b/1", 90));
    }

    #[test]
    fn all_together_have_a_limit_but_for_the_owner_of_the_broker() {
        let mut retained = Retained::new(&limits());
        assert!((0..3).all(|i| retained.claim("a", &format!("a/{i}"), 5)));
        assert!((0..3).all(|i| retained.claim("b", &format!("b/{i}"), 5)));
        assert!(!retained.claim("c", "c/0", 5));
        assert!(retained.claim("", "alarm", 500));
    }

    #[test]
    fn what_is_forgotten_gives_its_room_back() {
        let mut retained = Retained::new(&limits());
        for round in 0..10 {
            for i in 0..3 {
                let topic = format!("a/{round}/{i}");
                assert!(retained.claim("a", &topic, 5), "{topic}");
                retained.put(&message(&topic, b"12345"));
            }
            assert_eq!(retained.under("a/#").len(), 3);
            for i in 0..3 {
                retained.put(&message(&format!("a/{round}/{i}"), b""));
            }
        }
        assert_eq!(retained.room.all, Usage::default());
        assert!(retained.room.by_owner.is_empty());
    }

    #[test]
    fn a_message_is_seen_once_it_is_put_not_when_its_place_is_claimed() {
        let mut retained = Retained::new(&limits());
        assert!(retained.claim("a", "a", 3));
        assert_eq!(retained.under("#").len(), 0);
        // It was emptied before the new one was durable: its place is still the new one's.
        retained.put(&message("a", b""));
        assert!((0..2).all(|i| retained.claim("a", &format!("a/{i}"), 5)));
        assert!(!retained.claim("a", "a/2", 5), "no room is left");
        retained.put(&message("a", b"new"));
        assert_eq!(&*retained.under("#")[0].payload, b"new");
    }
}
