//! A session: what a client has subscribed to and what waits for it. It outlives the connection
//! if the client asked for that (clean session 0).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mqtt_protocol_core::mqtt::packet::{GenericStorePacket, Qos};
use tokio::sync::Notify;

use crate::limits::SessionLimits;
use crate::message::Message;

/// Who takes the place of one that came this lately is another client of its name, not the same one
/// come back.
const CONTESTED_WITHIN: Duration = Duration::from_secs(10);

/// How often it is looked for sessions that were kept long enough.
const LOOK_FOR_EXPIRED_EVERY: Duration = Duration::from_secs(60);

/// A message queued for one subscriber.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) message: Arc<Message>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
}

impl Outgoing {
    /// What it takes while it waits.
    fn bytes(&self) -> usize {
        self.message.topic.len() + self.message.payload.len()
    }
}

/// What changes while a session lives.
#[derive(Debug, Default)]
pub(crate) struct SessionState {
    pub(crate) queue: VecDeque<Outgoing>,
    pub(crate) filters: HashSet<String>,
    pub(crate) unacknowledged: Vec<GenericStorePacket<u16>>,
    pub(crate) handled_qos2: HashSet<u16>,
    pub(crate) is_connected: bool,
    /// When its owner came.
    claimed: Option<Instant>,
    /// When its owner went, if it is away.
    pub(crate) away_since: Option<Instant>,
    /// How many bytes the queue comes to.
    waiting_bytes: usize,
}

/// One client's session.
#[derive(Debug)]
pub(crate) struct Session {
    key: String,
    pub(crate) is_clean: bool,
    state: Mutex<SessionState>,
    /// Woken when something is queued or the session is taken over.
    pub(crate) wake: Notify,
    owner: AtomicU64,
    /// What waits for all clients that are away, in bytes.
    away_bytes: Arc<AtomicUsize>,
    /// Held by the connection that serves the session.
    pub(crate) gate: tokio::sync::Mutex<()>,
}

impl Session {
    fn new(key: String, is_clean: bool, away_bytes: Arc<AtomicUsize>) -> Self {
        Self {
            away_bytes,
            key,
            is_clean,
            state: Mutex::default(),
            wake: Notify::new(),
            owner: AtomicU64::new(0),
            gate: tokio::sync::Mutex::new(()),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_test(key: &str) -> Arc<Self> {
        Arc::new(Self::new(key.to_owned(), true, Arc::default()))
    }

    #[cfg(test)]
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The changing part. A panic elsewhere while it was held leaves it usable.
    pub(crate) fn state(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes `connection` the owner; the earlier one notices and leaves. Says whether it had only
    /// just come: then two clients take each other's place.
    pub(crate) fn claim(&self, connection: u64) -> bool {
        let earlier = {
            let mut state = self.state();
            let earlier = state.claimed.replace(Instant::now());
            earlier.filter(|_| state.is_connected)
        };
        self.owner.store(connection, Ordering::SeqCst);
        self.wake.notify_one();
        earlier.is_some_and(|at| at.elapsed() < CONTESTED_WITHIN)
    }

    /// Whether `connection` still owns the session.
    pub(crate) fn is_owned_by(&self, connection: u64) -> bool {
        self.owner.load(Ordering::SeqCst) == connection
    }

    /// Whether more than so many messages wait for a client that is here.
    pub(crate) fn has_waiting(&self, many: usize) -> bool {
        let state = self.state();
        state.is_connected && state.queue.len() > many
    }

    /// Queues a message; says whether there was room and somebody to keep it for.
    pub(crate) fn push(&self, outgoing: Outgoing, limits: &SessionLimits) -> bool {
        let mut state = self.state();
        let away = !state.is_connected;
        if away && (self.is_clean || outgoing.qos == Qos::AtMostOnce) {
            return true;
        }
        let bytes = outgoing.bytes();
        if state.queue.len() >= limits.queue_messages_max
            || state.waiting_bytes + bytes > limits.queue_bytes_max
            || away && self.away_bytes.load(Ordering::Relaxed) + bytes > limits.away_bytes_max
        {
            return false;
        }
        state.queue.push_back(outgoing);
        state.waiting_bytes += bytes;
        if away {
            self.away_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        drop(state);
        self.wake.notify_one();
        true
    }

    /// Takes the next message that waits.
    pub(crate) fn pop(&self) -> Option<Outgoing> {
        let mut state = self.state();
        let next = state.queue.pop_front()?;
        state.waiting_bytes = state.waiting_bytes.saturating_sub(next.bytes());
        Some(next)
    }

    /// Its client is here: what waits for it is no longer that of one that is away.
    pub(crate) fn come_back(&self, state: &mut SessionState) {
        self.end_absence(state);
        state.is_connected = true;
    }

    /// Its client is away.
    pub(crate) fn go_away(&self, state: &mut SessionState) {
        state.is_connected = false;
        state.away_since = Some(Instant::now());
        self.away_bytes
            .fetch_add(state.waiting_bytes, Ordering::Relaxed);
    }

    /// What waits for a client that will not come back is dropped.
    pub(crate) fn drop_waiting(&self) {
        let mut state = self.state();
        self.end_absence(&mut state);
        state.queue.clear();
        state.waiting_bytes = 0;
    }

    /// What waits is no longer that of a client that is away.
    fn end_absence(&self, state: &mut SessionState) {
        if state.away_since.take().is_some() {
            self.away_bytes
                .fetch_sub(state.waiting_bytes, Ordering::Relaxed);
        }
    }
}

/// All sessions by their key.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_key: HashMap<String, Arc<Session>>,
    away_bytes: Arc<AtomicUsize>,
    looked_for_expired: Option<Instant>,
}

/// Why a session could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManySessions;

/// A session opened for a client that connects.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) session: Arc<Session>,
    /// It was there before.
    pub(crate) was_kept: bool,
    /// The one it replaces, which must be forgotten.
    pub(crate) replaced: Option<Arc<Session>>,
}

impl Sessions {
    /// Ends sessions whose clients have been away longest, so that there is room for one more of
    /// this client: it keeps a few, and all together a few thousand. Gives those that ended.
    pub(crate) fn make_room(
        &mut self,
        key: &str,
        is_clean: bool,
        limits: &SessionLimits,
    ) -> Vec<Arc<Session>> {
        let name = key.split_once('/').map_or(key, |(name, _)| name);
        let is_new = !self.by_key.contains_key(key);
        let mut ended = Vec::new();
        let is_due = |at: Instant| at.elapsed() >= LOOK_FOR_EXPIRED_EVERY;
        if self.looked_for_expired.is_none_or(is_due) {
            self.looked_for_expired = Some(Instant::now());
            let is_over = |session: &Session| {
                let since = session.state().away_since;
                since.is_some_and(|since| since.elapsed() >= limits.away_time_max)
            };
            let over = self.by_key.extract_if(|_, session| is_over(session));
            ended.extend(over.map(|(_, session)| session));
        }
        let own = || self.of_client(name).filter(|s| !s.is_clean).count();
        if is_new && !is_clean && own() >= limits.per_client_max {
            let oldest = self.longest_away(name);
            ended.extend(oldest.and_then(|key| self.by_key.remove(&key)));
        }
        if is_new && self.by_key.len() >= limits.all_max {
            let oldest = self.longest_away("");
            ended.extend(oldest.and_then(|key| self.by_key.remove(&key)));
        }
        ended
    }

    /// The key of the session of a client, or of all, whose connection ended first.
    fn longest_away(&self, name: &str) -> Option<String> {
        let of_client = |key: &str| {
            let rest = key.strip_prefix(name);
            name.is_empty() || rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let sessions = self.by_key.iter().filter(|(key, _)| of_client(key));
        let away = sessions.filter_map(|(key, session)| Some((key, session.state().away_since?)));
        let (oldest, _) = away.min_by_key(|(_, since)| *since)?;
        Some(oldest.clone())
    }

    /// The session to use for a client that connects. A kept session is used again only if it was
    /// kept before and is to be kept again.
    pub(crate) fn open(
        &mut self,
        key: &str,
        is_clean: bool,
        max: usize,
    ) -> Result<Opened, TooManySessions> {
        if let Some(existing) = self.by_key.get(key) {
            if !is_clean && !existing.is_clean {
                let session = Arc::clone(existing);
                return Ok(Opened {
                    session,
                    was_kept: true,
                    replaced: None,
                });
            }
        } else if self.by_key.len() >= max {
            return Err(TooManySessions);
        }
        let away_bytes = Arc::clone(&self.away_bytes);
        let fresh = Arc::new(Session::new(key.to_owned(), is_clean, away_bytes));
        let replaced = self.by_key.insert(key.to_owned(), Arc::clone(&fresh));
        Ok(Opened {
            session: fresh,
            was_kept: false,
            replaced,
        })
    }

    /// Every session of a client. Keys are the client's name, a slash and what the client chose.
    pub(crate) fn of_client<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Session> {
        let of_client = move |key: &str| {
            let rest = key.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let sessions = self.by_key.iter();
        sessions.filter_map(move |(key, session)| of_client(key).then_some(&**session))
    }

    /// Forgets a session unless another one has taken its place.
    pub(crate) fn close(&mut self, session: &Arc<Session>) {
        let is_current = self
            .by_key
            .get(&session.key)
            .is_some_and(|s| Arc::ptr_eq(s, session));
        if is_current {
            self.by_key.remove(&session.key);
        }
    }
}
