//! What all connections share: who subscribed to what, what is retained, which sessions are kept,
//! and the way of a message to its subscribers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use mqtt_protocol_core::mqtt::packet::Qos;
use tokio::sync::watch;

use crate::door::{ClientPlaces, Strangers};
use crate::face::{Inbound, Policy, Sink};
use crate::forward::Forward;
use crate::limits::Limits;
use crate::message::Message;
use crate::retained::Retained;
use crate::session::{Opened, Outgoing, Session, Sessions};
use crate::stats::Stats;
use crate::tree::Tree;

/// What all connections share.
pub(crate) struct Hub<P: Policy, S> {
    pub(crate) policy: Arc<P>,
    pub(crate) sink: Arc<S>,
    pub(crate) limits: Limits,
    pub(crate) stats: Arc<Stats>,
    pub(crate) closing: watch::Receiver<bool>,
    pub(crate) forward: Forward,
    pub(crate) strangers: Strangers,
    pub(crate) clients: ClientPlaces,
    tree: RwLock<Tree>,
    retained: Mutex<Retained>,
    sessions: Mutex<Sessions>,
    next_connection: AtomicU64,
}

/// The session of a client that comes.
pub(crate) struct SessionFound {
    pub(crate) session: Arc<Session>,
    /// It is the one of before.
    pub(crate) was_kept: bool,
    /// It took the place of one whose client had only just come.
    pub(crate) is_contested: bool,
}

impl<P: Policy, S: Sink<P::Client>> Hub<P, S> {
    /// What all connections of a broker share; connections leave publishes at `forward`.
    pub(crate) fn new(
        policy: Arc<P>,
        sink: Arc<S>,
        limits: Limits,
        closing: watch::Receiver<bool>,
        forward: Forward,
    ) -> Self {
        Self {
            policy,
            sink,
            stats: Arc::default(),
            closing,
            forward,
            strangers: Strangers::default(),
            clients: ClientPlaces::default(),
            tree: RwLock::default(),
            retained: Mutex::new(Retained::new(&limits)),
            limits,
            sessions: Mutex::default(),
            next_connection: AtomicU64::new(0),
        }
    }

    /// Whether a publish concerns anybody beside the sink: a subscriber, or later ones.
    pub(crate) fn is_wanted(&self, publish: &Inbound) -> bool {
        let tree = || self.tree.read().unwrap_or_else(PoisonError::into_inner);
        publish.retain() || tree().has_subscriber(publish.topic())
    }

    /// Takes room for a publish that `owner` asks to be retained, and marks it so; says whether
    /// there was some.
    pub(crate) fn claim(&self, owner: &str, publish: &mut Inbound) -> bool {
        let mut retained = self.retained.lock().unwrap_or_else(PoisonError::into_inner);
        let is_claimed = retained.claim(owner, publish.topic(), publish.payload().len());
        if is_claimed {
            publish.keep();
        } else {
            Stats::add(&self.stats.retained_refused);
        }
        is_claimed
    }

    /// Hands a message to everybody who subscribed to it, and keeps it if it is retained and room
    /// was taken for it. Says whether somebody who is here has much waiting already.
    pub(crate) fn route(&self, publish: &Inbound) -> bool {
        let (topic, retain) = (publish.topic(), publish.retain());
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        let subscribers = if tree.is_empty() {
            Vec::new()
        } else {
            tree.subscribers(topic)
        };
        drop(tree);
        if subscribers.is_empty() && !retain {
            return false;
        }
        let message = Arc::new(Message {
            topic: topic.into(),
            payload: publish.payload().into(),
            qos: publish.level(),
        });
        let much = self.limits.sessions.queue_messages_max / 2;
        let mut is_pressed = false;
        for (session, qos) in subscribers {
            self.queue(&session, &message, qos, false);
            is_pressed |= session.has_waiting(much);
        }
        if retain {
            let mut retained = self.retained.lock().unwrap_or_else(PoisonError::into_inner);
            retained.put(&message);
        }
        is_pressed
    }

    /// Takes room for a message of the house itself, or of before the start, and hands it on.
    pub(crate) fn route_own(&self, owner: &str, publish: &Inbound) {
        if publish.retain() {
            let mut retained = self.retained.lock().unwrap_or_else(PoisonError::into_inner);
            if !retained.claim(owner, publish.topic(), publish.payload().len()) {
                Stats::add(&self.stats.retained_refused);
            }
        }
        self.route(publish);
    }

    fn queue(&self, session: &Session, message: &Arc<Message>, granted: Qos, retain: bool) {
        let qos = granted.min(message.qos);
        let outgoing = Outgoing {
            message: Arc::clone(message),
            qos,
            retain,
        };
        if !session.push(outgoing, &self.limits.sessions) {
            Stats::add(&self.stats.messages_dropped);
        }
    }

    /// Subscribes a session and queues the retained messages under the filter.
    pub(crate) fn subscribe(&self, filter: &str, session: &Arc<Session>, qos: Qos) {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        tree.subscribe(filter, session, qos);
        drop(tree);
        let retained = self.retained.lock().unwrap_or_else(PoisonError::into_inner);
        let retained = retained.under(filter);
        session.state().filters.insert(filter.to_owned());
        for message in retained {
            self.queue(session, &message, qos, true);
        }
    }

    /// Ends one subscription.
    pub(crate) fn unsubscribe(&self, filter: &str, session: &Arc<Session>) {
        self.tree
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .unsubscribe(filter, session);
        session.state().filters.remove(filter);
    }

    /// The session for a client that connects as `connection`, which owns it from now on; `None` if
    /// there are too many.
    pub(crate) fn open_session(
        &self,
        key: &str,
        is_clean: bool,
        connection: u64,
    ) -> Option<SessionFound> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = sessions.make_room(key, is_clean, &self.limits.sessions);
        let opened = sessions.open(key, is_clean, self.limits.sessions.all_max);
        drop(sessions);
        for session in ended {
            self.forget(&session);
            session.drop_waiting();
        }
        let Opened {
            session,
            was_kept,
            replaced,
        } = opened.ok()?;
        let took_place = replaced.is_some_and(|old| {
            self.forget(&old);
            old.claim(u64::MAX)
        });
        let is_contested = session.claim(connection) || took_place;
        Some(SessionFound {
            session,
            was_kept,
            is_contested,
        })
    }

    /// Drops a session and its subscriptions.
    pub(crate) fn close_session(&self, session: &Arc<Session>) {
        self.forget(session);
        self.sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .close(session);
    }

    fn forget(&self, session: &Arc<Session>) {
        let filters = std::mem::take(&mut session.state().filters);
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        for filter in filters {
            tree.unsubscribe(&filter, session);
        }
    }

    /// Wakes every connection of a client, so that it asks whether it is still welcome.
    pub(crate) fn kick(&self, name: &str) {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for session in sessions.of_client(name) {
            session.wake.notify_one();
        }
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.next_connection.fetch_add(1, Ordering::Relaxed) + 1
    }
}
