//! Switching a device off: ordered once, and then the device is asked what it is. An order whose
//! answer is lost may have been carried out, so only what is read back counts.

use std::net::Ipv4Addr;
use std::time::Duration;

use model::{OffOutcome, Trouble};
use tokio::time::{Instant, sleep};
use wire::echonet::{Frame, Object, Service, get, set_confirmed};

use super::class::{OFF, STATUS, is_on};
use super::ether::{AskedOf, Came, Ether, weigh};
use super::first_transaction;
use crate::drivers::Interlock;

/// A device has this long to answer; some take more than a second.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// A packet can be lost: so often it is asked what it is before nothing is ordered.
const ASKS: usize = 2;
/// A contactor takes a moment to fall: so often it is asked afterwards, with a pause each time.
const READ_BACKS: usize = 4;
const READ_BACK_EVERY: Duration = Duration::from_millis(500);

/// Switches an object off.
pub(super) async fn switch_off(
    address: Ipv4Addr,
    object: Object,
    interlock: Interlock,
) -> Result<OffOutcome, Trouble> {
    let mut talk = Talk {
        ether: Ether::open()?,
        address,
        object,
        transaction: first_transaction(),
    };
    if !talk.is_on_before().await? {
        return Ok(OffOutcome::WasOff);
    }
    if !interlock() {
        return Ok(OffOutcome::NotStill);
    }
    let order = |transaction| set_confirmed(transaction, object, STATUS, OFF);
    let taken = match talk.say(order).await {
        Ok(answer) => Some(service_of(&answer) == Some(Service::SetAnswer)),
        // It never left this computer.
        Err(trouble @ Trouble::Unreachable) => return Err(trouble),
        Err(_) => None,
    };
    let mut heard = [None; 2];
    for _ in 0..READ_BACKS {
        heard = [heard[1], talk.is_on().await.ok()];
        // What refused stays as it is.
        if heard[1] == Some(false) || (heard[1], taken) == (Some(true), Some(false)) {
            break;
        }
        sleep(READ_BACK_EVERY).await;
    }
    // One packet may get lost; what was heard before that is long ago.
    Ok(match (heard[1].or(heard[0]), taken) {
        (Some(false), _) => OffOutcome::Off,
        (_, Some(false)) => OffOutcome::Refused,
        (Some(true), _) => OffOutcome::StillOn,
        (None, _) => OffOutcome::Unheard,
    })
}

fn service_of(bytes: &[u8]) -> Option<Service> {
    Some(Frame::parse(bytes).ok()?.service)
}

/// Questions and orders to one object, one after the other.
struct Talk {
    ether: Ether,
    address: Ipv4Addr,
    object: Object,
    transaction: u16,
}

impl Talk {
    /// Whether it says that it is on, asked again if the first packet is lost.
    async fn is_on_before(&mut self) -> Result<bool, Trouble> {
        let mut said = Err(Trouble::Silent);
        for _ in 0..ASKS {
            said = self.is_on().await;
            if said.is_ok() {
                break;
            }
        }
        said
    }

    async fn is_on(&mut self) -> Result<bool, Trouble> {
        let object = self.object;
        let answer = self.say(|transaction| get(transaction, object, &[STATUS]));
        let answer = answer.await?;
        let frame = Frame::parse(&answer).map_err(|_| Trouble::Internal)?;
        let said = frame.value(STATUS).and_then(is_on);
        said.ok_or(Trouble::NoSuchValue)
    }

    /// Says something once; gives the answer to it and to nothing else.
    async fn say(&mut self, words: impl Fn(u16) -> Vec<u8>) -> Result<Vec<u8>, Trouble> {
        self.transaction = self.transaction.wrapping_add(1);
        let asked = AskedOf {
            address: self.address,
            object: self.object,
            transaction: self.transaction,
        };
        self.ether
            .send(&words(self.transaction), self.address)
            .await?;
        let until = Instant::now() + ANSWER_WITHIN;
        loop {
            let (bytes, from) = self.ether.hear_until(until).await?;
            match weigh(&bytes, from, Some(asked)) {
                Came::Answer => return Ok(bytes),
                Came::Wrong(trouble, _) => return Err(trouble),
                Came::Late | Came::Garbled | Came::News | Came::Order | Came::Other => {}
            }
        }
    }
}
