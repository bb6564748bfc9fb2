//! Who may be here. Somebody who has not said who it is holds one of a few places of its address;
//! who comes then takes the place of the one that has been silent longest. A client that is known
//! holds one of a few places of its own. So nobody can keep others out.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Connections that have not said who they are, by their addresses, the oldest first.
#[derive(Debug, Default)]
pub struct Strangers(Arc<Mutex<Waiting>>);

type Waiting = HashMap<IpAddr, VecDeque<Arc<Notify>>>;

/// The place of a stranger, until it is known or gone.
#[derive(Debug)]
pub struct StrangerPlace {
    address: IpAddr,
    /// Told when another one takes its place.
    leave: Arc<Notify>,
    waiting: Arc<Mutex<Waiting>>,
}

impl Strangers {
    /// Takes one of the `each` places of an address. If all of them are taken, the oldest of that
    /// address leaves; if `all` places of everybody are, the oldest of the address that has most.
    pub fn enter(&self, address: IpAddr, each: usize, all: usize) -> StrangerPlace {
        let leave = Arc::new(Notify::new());
        let mut waiting = lock(&self.0);
        let own = waiting.get(&address).map_or(0, VecDeque::len);
        let full = if own >= each {
            Some(address)
        } else if waiting.values().map(VecDeque::len).sum::<usize>() >= all {
            let most = waiting.iter().max_by_key(|(_, there)| there.len());
            most.map(|(address, _)| *address)
        } else {
            None
        };
        let oldest = full.and_then(|full| waiting.get_mut(&full)?.pop_front());
        if let Some(oldest) = oldest {
            oldest.notify_one();
        }
        let there = waiting.entry(address).or_default();
        there.push_back(Arc::clone(&leave));
        StrangerPlace {
            address,
            leave,
            waiting: Arc::clone(&self.0),
        }
    }
}

impl StrangerPlace {
    /// Another one has taken its place.
    pub async fn lost(&self) {
        self.leave.notified().await;
    }
}

impl Drop for StrangerPlace {
    fn drop(&mut self) {
        let mut waiting = lock(&self.waiting);
        if let Some(there) = waiting.get_mut(&self.address) {
            there.retain(|leave| !Arc::ptr_eq(leave, &self.leave));
            if there.is_empty() {
                waiting.remove(&self.address);
            }
        }
    }
}

/// Connections of clients that are known, by their names.
#[derive(Debug, Default)]
pub(crate) struct ClientPlaces(Arc<Mutex<HashMap<String, usize>>>);

/// The place of a client, until it is gone.
#[derive(Debug)]
pub(crate) struct ClientPlace {
    name: String,
    held: Arc<Mutex<HashMap<String, usize>>>,
}

impl ClientPlaces {
    /// Takes one of the `each` places of a client; `None` if all of them are held.
    pub(crate) fn take(&self, name: &str, each: usize) -> Option<ClientPlace> {
        let mut held = lock(&self.0);
        let own = held.entry(name.to_owned()).or_default();
        if *own >= each {
            return None;
        }
        *own += 1;
        Some(ClientPlace {
            name: name.to_owned(),
            held: Arc::clone(&self.0),
        })
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        let left = held.get_mut(&self.name).map(|own| {
            *own -= 1;
            *own
        });
        if left == Some(0) {
            held.remove(&self.name);
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_lost(place: &StrangerPlace) -> bool {
        let moment = std::time::Duration::from_millis(1);
        tokio::time::timeout(moment, place.lost()).await.is_ok()
    }

    #[tokio::test]
    async fn who_was_silent_longest_makes_room() {
        let strangers = Strangers::default();
        let [a, b] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
        let first = strangers.enter(a, 2, 4);
        let second = strangers.enter(a, 2, 4);
        let third = strangers.enter(a, 2, 4);
        assert!(is_lost(&first).await && !is_lost(&second).await);
        drop(first);
        let others: Vec<StrangerPlace> = (0..2).map(|_| strangers.enter(b, 2, 4)).collect();
        // All places are taken: the oldest of somebody goes.
        let c = strangers.enter(IpAddr::from([10, 0, 0, 3]), 2, 4);
        let mut lost = 0;
        for place in others.iter().chain([&second, &third]) {
            lost += usize::from(is_lost(place).await);
        }
        assert_eq!((lost, is_lost(&c).await), (1, false));
    }

    #[test]
    fn a_client_has_its_places() {
        let places = ClientPlaces::default();
        let held: Vec<_> = (0..5).filter_map(|_| places.take("a", 3)).collect();
        assert_eq!(held.len(), 3);
        assert!(places.take("b", 3).is_some());
        drop(held);
        assert!(places.take("a", 3).is_some());
    }
}
