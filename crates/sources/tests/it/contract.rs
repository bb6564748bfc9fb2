//! What every driver is put through, each against a foreign counterpart. The clauses are those of
//! `docs/spec/source.md`.

use std::time::Duration;

use model::{MachineId, RefusalReason, Source, Trouble};
use tokio::time::Instant;

use crate::floor::{Floor, jump};

/// What a counterpart says as long as nobody tells it otherwise.
pub(crate) const POWER_W: f64 = 812.0;

/// A foreign device that can be told what to measure and how to misbehave.
pub(crate) trait Counterpart: Sized {
    /// Starts one on an address that nothing else uses.
    fn start() -> Self;

    /// A device of it, read five times a second, whose `power_w` is [`POWER_W`].
    fn source(&self, id: &str) -> Source;

    /// A device in the same place that is not there.
    fn absent(&self, id: &str) -> Source;

    /// Devices that have some thousand points together.
    fn crowd(&self) -> Vec<Source>;

    /// `power <watts>`, `fault none|silence|garbage|cut|unit|late|drag`.
    fn order(&mut self, words: &str);

    /// Pulls its plug.
    fn kill(&mut self);

    /// Plugs it in again at the same address.
    fn restart(&mut self);

    /// Troubles that a cut line may show.
    fn cut_shows() -> &'static [Trouble];
}

/// A floor on which one device is being read.
async fn reading<C: Counterpart>() -> (Floor, C) {
    let counterpart = C::start();
    let mut floor = Floor::new();
    floor.add(counterpart.source("meter")).unwrap();
    floor.until_said("meter", "power_w", POWER_W).await;
    (floor, counterpart)
}

/// It starts by itself, says that the device is there, and what changes is seen.
pub(crate) async fn start<C: Counterpart>() {
    let (mut floor, mut counterpart) = reading::<C>().await;
    assert_eq!(floor.links, [("meter".to_owned(), true)]);
    counterpart.order("power 99");
    floor.until_said("meter", "power_w", 99.0).await;
    let state = floor.state("meter");
    assert_eq!((state.trouble, state.opened), (None, 1));
    assert!(state.last.contains(&("power_w".to_owned(), 99.0)));
}

/// A device that says nothing is named, counts as away after a while, and comes back by itself.
pub(crate) async fn silence<C: Counterpart>() {
    let (mut floor, mut counterpart) = reading::<C>().await;
    counterpart.order("fault silence");
    let silent = |floor: &Floor| floor.trouble("meter") == Some(Trouble::Silent);
    floor.until("silence is named", silent).await;
    let gone = |floor: &Floor| floor.links.last() == Some(&("meter".to_owned(), false));
    floor.until("the device is away", gone).await;
    counterpart.order("fault none");
    counterpart.order("power 7");
    floor.until_said("meter", "power_w", 7.0).await;
    assert_eq!(floor.trouble("meter"), None);
    assert_eq!(floor.links.last(), Some(&("meter".to_owned(), true)));
}

/// A device that takes more than a second to answer is waited for, and it is said how long it takes.
pub(crate) async fn slow<C: Counterpart>() {
    let (mut floor, mut counterpart) = reading::<C>().await;
    counterpart.order("fault drag");
    counterpart.order("power 31");
    floor.until_said("meter", "power_w", 31.0).await;
    counterpart.order("power 32");
    floor.until_said("meter", "power_w", 32.0).await;
    let state = floor.state("meter");
    assert_eq!(state.trouble, None);
    assert!(state.answer_s.is_some_and(|s| s >= 1.3), "{state:?}");
    // Somebody who tries such a device out has not met it before.
    let said = floor.lines.try_out(&counterpart.source("trial")).await;
    let said = said.unwrap().unwrap();
    assert!(said.answer_s.is_some_and(|s| s >= 1.3), "{said:?}");
    assert!(said.readings.contains(&("power_w".to_owned(), 32.0)));
}

/// A line that breaks in the middle of an answer takes nothing wrong in and is opened again.
pub(crate) async fn cut<C: Counterpart>() {
    let (mut floor, mut counterpart) = reading::<C>().await;
    counterpart.order("fault cut");
    let named = |floor: &Floor| {
        let trouble = floor.trouble("meter");
        trouble.is_some_and(|trouble| C::cut_shows().contains(&trouble))
    };
    floor.until("the cut is named", named).await;
    counterpart.order("fault none");
    counterpart.order("power 8");
    floor.until_said("meter", "power_w", 8.0).await;
}

/// Bytes that are not of the protocol are refused with their reason, shown, and forgotten.
pub(crate) async fn garbage<C: Counterpart>() {
    let (mut floor, mut counterpart) = reading::<C>().await;
    counterpart.order("fault garbage");
    let refused = ("meter".to_owned(), RefusalReason::Garbled);
    let named = |floor: &Floor| floor.refused.contains(&refused);
    floor.until("garbage is refused", named).await;
    let told = |floor: &Floor| {
        let troubles = floor.state("meter").troubles;
        troubles.contains_key(&Trouble::Garbled)
    };
    floor.until("garbage is counted", told).await;
    counterpart.order("fault none");
    counterpart.order("power 9");
    floor.until_said("meter", "power_w", 9.0).await;
}

/// What another device answers is never taken for this one's.
pub(crate) async fn other_unit<C: Counterpart>() {
    let (mut floor, mut counterpart) = reading::<C>().await;
    counterpart.order("power 55");
    floor.until_said("meter", "power_w", 55.0).await;
    counterpart.order("fault unit");
    let refused = ("meter".to_owned(), RefusalReason::Misaddressed);
    let named = |floor: &Floor| floor.refused.contains(&refused);
    floor
        .until("another device's answer is refused", named)
        .await;
    let told = |floor: &Floor| floor.trouble("meter") == Some(Trouble::OtherUnit);
    floor.until("it is named", told).await;
    let before = floor.state("meter").readings;
    counterpart.order("power 66");
    floor.count(Duration::from_secs(1)).await;
    assert_eq!(floor.state("meter").readings, before);
    counterpart.order("fault none");
    floor.until_said("meter", "power_w", 66.0).await;
}

/// A jump of the box's clock neither stops reading nor makes it hurry.
pub(crate) async fn clock_jump<C: Counterpart>() {
    let (mut floor, mut counterpart) = reading::<C>().await;
    let before = floor.count(Duration::from_secs(2)).await;
    jump(3_600_000);
    counterpart.order("power 1");
    let ahead = floor.until_said("meter", "power_w", 1.0).await;
    let after = floor.count(Duration::from_secs(2)).await;
    assert!(
        after <= before * 3 / 2 + 10,
        "{before} readings, then {after}"
    );
    jump(-7_200_000);
    counterpart.order("power 2");
    let behind = floor.until_said("meter", "power_w", 2.0).await;
    assert!(
        behind < ahead,
        "a reading has the time the box has when it comes"
    );
}

/// A device that is switched off is asked ever more slowly, and found soon after it is back.
pub(crate) async fn restart<C: Counterpart>() {
    let (mut floor, mut counterpart) = reading::<C>().await;
    counterpart.kill();
    let named = |floor: &Floor| floor.trouble("meter").is_some();
    floor.until("the dead device is named", named).await;
    let opened = floor.state("meter").opened;
    let tries = |floor: &Floor| floor.state("meter").troubles.values().sum::<u64>();
    let before = tries(&floor);
    floor.count(Duration::from_secs(4)).await;
    let tried = tries(&floor) - before;
    assert!((1..=12).contains(&tried), "{tried} tries in four seconds");
    counterpart.restart();
    counterpart.order("power 3");
    floor.until_said("meter", "power_w", 3.0).await;
    assert!(floor.state("meter").opened >= opened);
}

/// Thousands of points go through a bounded queue; a device that is not there does not keep the
/// others on its line from being read.
pub(crate) async fn crowd<C: Counterpart>() {
    let mut counterpart = C::start();
    let mut floor = Floor::new();
    let crowd = counterpart.crowd();
    floor.add(counterpart.absent("nobody")).unwrap();
    for source in &crowd {
        floor.add(source.clone()).unwrap();
    }
    let read = |floor: &Floor| {
        let states = floor.lines.states();
        let was_read = states.iter().filter(|(_, state)| state.read_at.is_some());
        was_read.count() == crowd.len()
    };
    floor.until("everything is read", read).await;
    let points: usize = floor.lines.states().iter().map(|(_, s)| s.last.len()).sum();
    assert!(points >= 2_000, "{points} points");
    let named = |floor: &Floor| floor.trouble("nobody").is_some();
    floor.until("silence is named", named).await;
    // Nobody takes what is read for a while: the drivers wait and nothing grows.
    tokio::time::sleep(Duration::from_secs(2)).await;
    floor.count(Duration::from_secs(2)).await;
    let all_well = floor
        .lines
        .states()
        .into_iter()
        .filter(|(s, _)| s.id.as_str() != "nobody");
    for (source, state) in all_well {
        assert_eq!(state.trouble, None, "{}", source.id);
    }
    // In the middle of that its plug is pulled and put in again: all are read on.
    counterpart.kill();
    let is_missed = |floor: &Floor| {
        let states = floor.lines.states().into_iter();
        let mut crowd = states.filter(|(s, _)| s.id.as_str() != "nobody");
        crowd.any(|(_, state)| state.trouble.is_some())
    };
    floor.until("that is noticed", is_missed).await;
    counterpart.restart();
    let readings = |floor: &Floor| {
        let states = floor.lines.states().into_iter();
        let crowd = states.filter(|(s, _)| s.id.as_str() != "nobody");
        crowd.map(|(_, state)| state.readings).collect::<Vec<_>>()
    };
    let before = readings(&floor);
    let goes_on = |floor: &Floor| {
        readings(floor)
            .iter()
            .zip(&before)
            .all(|(now, was)| now > was)
    };
    floor.until("all are read on", goes_on).await;
}

/// A source that is ended lets go of its device at once; so does the whole program.
pub(crate) async fn stop<C: Counterpart>() {
    let (mut floor, counterpart) = reading::<C>().await;
    floor.end("meter");
    let gone = |floor: &Floor| floor.links.last() == Some(&("meter".to_owned(), false));
    floor.until("the device is let go", gone).await;
    floor.count(Duration::from_millis(300)).await;
    assert_eq!(floor.count(Duration::from_secs(1)).await, 0);
    // The line is free: it can be opened again, also by somebody else.
    let trial = floor.lines.try_out(&counterpart.source("trial")).await;
    let said = trial.unwrap().unwrap();
    assert!(
        said.readings.contains(&("power_w".to_owned(), POWER_W)),
        "{said:?}"
    );
    floor.add(counterpart.source("meter")).unwrap();
    floor.until_said("meter", "power_w", POWER_W).await;
    let begun = Instant::now();
    floor.lines.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    floor.count(Duration::from_millis(300)).await;
    assert_eq!(floor.count(Duration::from_secs(1)).await, 0);
}

/// A trial shows what a device says and keeps nothing; a line that is being read goes on after it.
pub(crate) async fn trial<C: Counterpart>() {
    let (mut floor, mut counterpart) = reading::<C>().await;
    let said = floor.lines.try_out(&counterpart.source("trial")).await;
    let said = said.unwrap().unwrap();
    assert!(
        said.readings.contains(&("power_w".to_owned(), POWER_W)),
        "{said:?}"
    );
    let none = floor.lines.try_out(&counterpart.absent("trial")).await;
    assert!(none.unwrap().is_err());
    counterpart.order("power 4");
    floor.until_said("meter", "power_w", 4.0).await;
    // Somebody who no longer waits for a trial does not leave the line standing.
    counterpart.order("fault silence");
    let (source, patience) = (counterpart.source("trial"), Duration::from_millis(200));
    let broken_off = tokio::time::timeout(patience, floor.lines.try_out(&source));
    assert!(broken_off.await.is_err());
    counterpart.order("fault none");
    counterpart.order("power 5");
    floor.until_said("meter", "power_w", 5.0).await;
    assert_eq!(floor.lines.states().len(), 1);
}

/// A device that is given to another machine is told as gone from the first before it comes to the
/// other; one that is ended is told as gone too.
pub(crate) async fn change<C: Counterpart>() {
    let (mut floor, counterpart) = reading::<C>().await;
    floor.put(Source {
        machine: Some(MachineId::new("press-2").unwrap()),
        ..counterpart.source("meter")
    });
    let meter = |is_up| ("meter".to_owned(), is_up);
    let told = |floor: &Floor| floor.links.len() >= 3;
    floor.until("it goes and comes", told).await;
    assert_eq!(floor.links, [meter(true), meter(false), meter(true)]);
    assert_eq!(floor.machines, ["meter", "meter", "press-2"]);
    floor.end("meter");
    let gone = |floor: &Floor| floor.links.last() == Some(&meter(false));
    floor.until("it goes", gone).await;
}

/// Puts one counterpart through everything.
macro_rules! contract {
    ($module:ident, $counterpart:ty) => {
        mod $module {
            use super::*;
            contract!(@each $counterpart: start silence slow cut garbage other_unit clock_jump restart
                crowd stop trial change);
        }
    };
    (@each $counterpart:ty: $($situation:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $situation() {
                $crate::contract::$situation::<$counterpart>().await;
            }
        )*
    };
}
pub(crate) use contract;
