//! ECHONET Lite: meters, distribution boards, sensors and switches on the LAN. The box is a
//! controller that asks and listens; the one order it knows is off, where somebody consented.
//! Announcements are taken as they come; orders of others are shown, because nobody has to prove
//! who they are.

mod class;
mod ether;
mod off;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use model::{
    Field, FieldKind, Found, OffConsent, RefusalReason, SWITCH_OFF, Search, Source, Trouble, Wrong,
    WrongWhy,
};
use tokio::time::{Instant, sleep_until};
use wire::echonet::{Frame, INSTANCES, Object, Service, get, property_map};

use self::class::{CHANNELS_MAX, CLASSES, Part, UnitFactor};
use self::ether::{AskedOf, Came, Ether, weigh};
use super::form::Entered;
use super::hand::Hand;
use super::pace::{AnswerPatience, AskingPace};
use super::{ADDRESS, Driver, Interlock, Searching, Session, SourceLine, Switching};
use crate::normalise::Value;

/// The one line that all nodes hang on: the port belongs to the computer.
const LINE: &str = "echonet-lite";
/// Nobody has answered for this many questions a node: the socket is opened anew.
const SILENT_ASKS_MAX: usize = 5;
/// It is looked this often whether this computer is on other networks than before.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often a search asks, and how long it listens each time.
const SEARCH_ROUNDS: u16 = 2;
const SEARCH_LISTENS: Duration = Duration::from_millis(1_200);
/// Devices that a search lists.
const FOUND_MAX: usize = 500;
/// Properties a node is asked for at once, until it shows that it takes fewer.
const PORTION_MAX: usize = 32;
/// The property map for reading.
const GET_MAP: u8 = 0x9f;

/// Nodes on the LAN, by the common port 3610.
#[derive(Debug)]
pub(crate) struct EchonetLite;

impl Driver for EchonetLite {
    fn code(&self) -> &'static str {
        "echonet-lite"
    }

    fn fields(&self) -> &'static [Field] {
        const CLASS: Field = Field {
            name: "class",
            kind: FieldKind::Choice(CLASSES),
            default: None,
        };
        const INSTANCE: Field = Field {
            name: "instance",
            kind: FieldKind::Number(1.0, 127.0),
            default: Some("1"),
        };
        const CHANNEL: Field = Field {
            name: "channel",
            kind: FieldKind::Number(0.0, CHANNELS_MAX as f64),
            default: Some("0"),
        };
        const EVERY: Field = Field {
            name: "every_s",
            kind: FieldKind::Number(0.2, 3_600.0),
            default: Some("5"),
        };
        const OFF: Field = Field {
            name: SWITCH_OFF,
            kind: FieldKind::Choice(&OffConsent::CODES),
            default: Some("never"),
        };
        &[ADDRESS, CLASS, INSTANCE, CHANNEL, EVERY, OFF]
    }

    fn line(&self, source: &Source) -> Result<SourceLine, Wrong> {
        let node = Node::of(Entered::new(self.fields(), &source.fields))?;
        if OffConsent::of(source) != OffConsent::Never && !node.part.is_switch() {
            return Err(Wrong::new(SWITCH_OFF, WrongWhy::NoSwitch));
        }
        Ok(SourceLine {
            name: LINE.to_owned(),
            settings: String::new(),
        })
    }

    fn read(&self, sources: &[Source], hand: Hand) -> Session {
        let entered = sources
            .iter()
            .map(|s| Entered::new(self.fields(), &s.fields));
        let nodes = entered.filter_map(|entered| Node::of(entered).ok());
        let nodes: Vec<Node> = nodes.collect();
        Box::pin(async move {
            match Ether::open() {
                Ok(ether) => Listener::new(ether, nodes, hand).read_all().await,
                Err(trouble) => trouble,
            }
        })
    }

    fn search(&self) -> Option<(&'static str, Searching)> {
        Some((LINE, Box::pin(look_around())))
    }

    fn switch_off(&self, source: &Source, interlock: Interlock) -> Option<Switching> {
        let node = Node::of(Entered::new(self.fields(), &source.fields)).ok()?;
        let order = off::switch_off(node.address, node.object, interlock);
        node.part
            .is_switch()
            .then(|| -> Switching { Box::pin(order) })
    }
}

/// An object, or a channel of it, and what is known of it.
#[derive(Debug)]
struct Node {
    address: Ipv4Addr,
    object: Object,
    part: Part,
    pace: AskingPace,
    patience: AnswerPatience,
    portion: Portion,
    /// What it can be asked for; `None` until it has said so.
    codes: Option<Vec<u8>>,
    scale: Option<UnitFactor>,
}

impl Node {
    fn of(entered: Entered<'_>) -> Result<Self, Wrong> {
        let whole = |name: &str| {
            let number = entered.number(name);
            let is_whole = number.fract() == 0.0;
            is_whole
                .then_some(number as u8)
                .ok_or_else(|| Wrong::new(name, WrongWhy::Range))
        };
        let (instance, channel) = (whole("instance")?, whole("channel")?);
        let part = Part::of(&entered.text("class"), channel);
        let part = part.ok_or_else(|| Wrong::new("channel", WrongWhy::Range))?;
        let address = entered.text("address").parse();
        Ok(Self {
            address: address.map_err(|_| Wrong::new("address", WrongWhy::Address))?,
            object: part.object(instance),
            part,
            pace: AskingPace::new(entered.number("every_s")),
            patience: AnswerPatience::default(),
            portion: Portion {
                size: PORTION_MAX,
                answered: 1,
            },
            codes: None,
            scale: None,
        })
    }
}

/// How many properties a node is asked for at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Portion {
    size: usize,
    /// It has answered so many at once.
    answered: usize,
}

/// Not where the last session began: its late answers are not taken for this one's.
fn first_transaction() -> u16 {
    let mut chance = [0; 2];
    getrandom::fill(&mut chance).ok();
    u16::from_be_bytes(chance)
}

/// Asks the nodes and listens to what they and others say.
struct Listener {
    ether: Ether,
    nodes: Vec<Node>,
    hand: Hand,
    transaction: u16,
}

impl Listener {
    fn new(ether: Ether, nodes: Vec<Node>, hand: Hand) -> Self {
        Self {
            ether,
            nodes,
            hand,
            transaction: first_transaction(),
        }
    }

    /// Reads each node when it is due until nobody answers any more.
    async fn read_all(mut self) -> Trouble {
        self.hand.opened();
        let others = self.nodes.len().saturating_sub(1);
        for node in &mut self.nodes {
            node.patience.share(others);
        }
        let (mut silent_asks, mut looked) = (0, Instant::now());
        loop {
            let next = self.nodes.iter().map(|node| node.pace.due).enumerate();
            let Some((device, due)) = next.min_by_key(|(_, due)| *due) else {
                return Trouble::Internal;
            };
            if looked.elapsed() >= LOOK_EVERY {
                looked = Instant::now();
                self.follow_interfaces();
            }
            let unasked = tokio::select! {
                () = sleep_until(due) => None,
                heard = self.ether.hear() => Some(heard),
            };
            if let Some((bytes, from)) = unasked {
                self.take(weigh(&bytes, from, None), &bytes, from).await;
                continue;
            }
            let round = self.round(device).await;
            if let Some(node) = self.nodes.get_mut(device) {
                node.pace.put_off(round.is_ok(), others);
                if round.is_err() {
                    // It may be another device when it is back.
                    (node.codes, node.scale) = (None, None);
                }
            }
            silent_asks = match round {
                Err(Trouble::Silent | Trouble::Unreachable) => silent_asks + 1,
                _ => 0,
            };
            match round {
                Ok(values) => self.hand.took(device, values).await,
                Err(trouble) => self.hand.missed(device, trouble).await,
            }
            if silent_asks > SILENT_ASKS_MAX * self.nodes.len() {
                return Trouble::Silent;
            }
        }
    }

    /// A network that came later has to be joined too.
    fn follow_interfaces(&mut self) {
        if self.ether.is_outdated()
            && let Ok(ether) = Ether::open()
        {
            self.ether = ether;
        }
    }

    /// Reads a node once; first what it has and in which unit.
    async fn round(&mut self, device: usize) -> Result<Vec<Value>, Trouble> {
        // A unit that was not told is asked for until it is.
        let is_met = |node: &Node| node.codes.is_some() && node.scale.is_some();
        if !self.nodes.get(device).is_some_and(is_met) {
            self.meet(device).await?;
        }
        let known = self.nodes.get(device).ok_or(Trouble::Internal)?;
        let codes = known.codes.clone().ok_or(Trouble::Internal)?;
        let mut values = Vec::new();
        for answer in self.ask_all(device, &codes).await? {
            values.extend(self.values(device, &answer));
        }
        self.tell_lacks(device, &codes, &values);
        if values.is_empty() {
            return Err(Trouble::NoSuchValue);
        }
        Ok(values)
    }

    fn values(&self, device: usize, bytes: &[u8]) -> Vec<Value> {
        let (Ok(frame), Some(node)) = (Frame::parse(bytes), self.nodes.get(device)) else {
            return Vec::new();
        };
        node.part.values(&frame, node.scale)
    }

    /// Tells which points a node was asked for and did not say.
    fn tell_lacks(&self, device: usize, codes: &[u8], values: &[Value]) {
        let Some(node) = self.nodes.get(device) else {
            return;
        };
        for point in codes.iter().filter_map(|code| node.part.point(*code)) {
            if values.iter().any(|value| value.point == point) {
                continue;
            }
            match node.part.unit_code() {
                Some(unit) if node.scale.is_none() && point.starts_with("energy") => {
                    self.hand.lacks(device, &format!("{point} (0x{unit:02X})"));
                }
                _ => self.hand.lacks(device, point),
            }
        }
    }

    /// Asks a node for properties, in portions as large as it takes: some answer only the first few
    /// of a long question, some say nothing to it.
    async fn ask_all(&mut self, device: usize, codes: &[u8]) -> Result<Vec<Vec<u8>>, Trouble> {
        let mut answers = Vec::new();
        let mut rest = codes.to_vec();
        while !rest.is_empty() {
            let portion = self.nodes.get(device).ok_or(Trouble::Internal)?.portion;
            let asked: Vec<u8> = rest.drain(..portion.size.min(rest.len())).collect();
            let answer = self.ask(device, &asked).await;
            if matches!(answer, Err(Trouble::Silent)) && asked.len() > portion.answered {
                self.set_portion(device, asked.len() / 2, portion.answered);
                rest.splice(..0, asked);
                continue;
            }
            let answer = answer?;
            let frame = Frame::parse(&answer).map_err(|_| Trouble::Internal)?;
            let unsaid = |code: &u8| frame.properties.iter().all(|p| p.code != *code);
            let left: Vec<u8> = asked.iter().copied().filter(unsaid).collect();
            let said = asked.len() - left.len();
            if left.is_empty() {
                self.set_portion(device, portion.size, asked.len());
            } else if said > 0 {
                self.set_portion(device, said, said);
                rest.splice(..0, left);
            }
            answers.push(answer);
        }
        Ok(answers)
    }

    fn set_portion(&mut self, device: usize, size: usize, answered: usize) {
        if let Some(node) = self.nodes.get_mut(device) {
            let answered = answered.max(node.portion.answered);
            node.portion = Portion { size, answered };
        }
    }

    /// Asks a node what it has and in which unit it counts.
    async fn meet(&mut self, device: usize) -> Result<(), Trouble> {
        let answer = self.ask(device, &[GET_MAP]).await?;
        let part = self.nodes.get(device).ok_or(Trouble::Internal)?.part;
        let frame = Frame::parse(&answer).map_err(|_| Trouble::Internal)?;
        // A node without a map is asked for everything.
        let map = frame.value(GET_MAP).and_then(property_map);
        let has = |code: &u8| map.as_ref().is_none_or(|map| map.contains(code));
        let (codes, lacks): (Vec<u8>, Vec<u8>) = part.value_codes().into_iter().partition(has);
        let units: Vec<u8> = part.scale_codes().filter(has).collect();
        for point in lacks.iter().filter_map(|code| part.point(*code)) {
            self.hand.lacks(device, point);
        }
        let scale = if units.is_empty() {
            part.own_scale()
        } else {
            let mut said = BTreeMap::new();
            for answer in self.ask_all(device, &units).await? {
                let frame = Frame::parse(&answer).map_err(|_| Trouble::Internal)?;
                let told = frame.properties.iter().map(|p| (p.code, p.data.to_vec()));
                said.extend(told);
            }
            part.scale(&said)
        };
        if codes.is_empty() {
            return Err(Trouble::NoSuchValue);
        }
        if let Some(node) = self.nodes.get_mut(device) {
            (node.codes, node.scale) = (Some(codes), scale);
        }
        Ok(())
    }

    /// Asks a node; gives the frame of its answer. What else comes meanwhile is dealt with.
    async fn ask(&mut self, device: usize, codes: &[u8]) -> Result<Vec<u8>, Trouble> {
        self.transaction = self.transaction.wrapping_add(1);
        let node = self.nodes.get(device).ok_or(Trouble::Internal)?;
        let asked = AskedOf {
            address: node.address,
            object: node.object,
            transaction: self.transaction,
        };
        let question = get(asked.transaction, asked.object, codes);
        let (begun, until) = (Instant::now(), Instant::now() + node.patience.limit());
        self.ether.send(&question, asked.address).await?;
        loop {
            let heard = self.ether.hear_until(until).await;
            let (bytes, from) = heard.inspect_err(|_| self.note_silence(device))?;
            match weigh(&bytes, from, Some(asked)) {
                Came::Answer => {
                    self.note_answer(device, begun.elapsed());
                    return Ok(bytes);
                }
                Came::Wrong(trouble, reason) => {
                    self.hand.refused(device, reason, &bytes).await;
                    return Err(trouble);
                }
                Came::Late => {
                    let reason = RefusalReason::LateAnswer;
                    self.hand.refused(device, reason, &bytes).await;
                }
                other => self.take(other, &bytes, from).await,
            }
        }
    }

    fn note_silence(&mut self, device: usize) {
        if let Some(node) = self.nodes.get_mut(device) {
            node.patience.was_silent();
        }
    }

    fn note_answer(&mut self, device: usize, took: Duration) {
        if let Some(node) = self.nodes.get_mut(device) {
            node.patience.answered(took);
            self.hand.answered_within(device, node.patience.slowest());
        }
    }

    /// Deals with what nobody asked for.
    async fn take(&mut self, came: Came, bytes: &[u8], from: Ipv4Addr) {
        match came {
            Came::News => self.take_news(bytes, from).await,
            Came::Order => {
                let reason = RefusalReason::ForeignOrder;
                self.hand.overheard(&from.to_string(), reason, bytes).await;
            }
            Came::Garbled => {
                let device = self.nodes.iter().position(|node| node.address == from);
                if let Some(device) = device {
                    self.hand
                        .refused(device, RefusalReason::Garbled, bytes)
                        .await;
                }
            }
            Came::Answer | Came::Wrong(..) | Came::Late | Came::Other => {}
        }
    }

    /// Takes what a known node announces, for each device that hangs on it.
    async fn take_news(&mut self, bytes: &[u8], from: Ipv4Addr) {
        let Ok(frame) = Frame::parse(bytes) else {
            return;
        };
        if frame.service == Service::InfConfirmed {
            self.ether.send(&frame.heard(), from).await.ok();
        }
        for device in 0..self.nodes.len() {
            let known = self.nodes.get(device);
            let is_its = known.is_some_and(|node| {
                (node.address, node.object) == (from, frame.from) && node.codes.is_some()
            });
            if is_its {
                let values = self.values(device, bytes);
                if !values.is_empty() {
                    self.hand.took(device, values).await;
                }
            }
        }
    }
}

/// Asks all nodes on all interfaces who they are.
async fn look_around() -> Result<Search, Trouble> {
    let mut ether = Ether::open()?;
    let mut packets = 0;
    let mut objects: BTreeSet<(Ipv4Addr, Object)> = BTreeSet::new();
    for round in 0..SEARCH_ROUNDS {
        ether
            .send_to_all(&get(round, Object::NODE, &[INSTANCES]))
            .await;
        let until = Instant::now() + SEARCH_LISTENS;
        while let Ok((bytes, from)) = ether.hear_until(until).await {
            packets += 1;
            let told = Frame::parse(&bytes).map(|frame| frame.instances());
            for object in told.unwrap_or_default() {
                if objects.len() < FOUND_MAX {
                    objects.insert((from, object));
                }
            }
        }
    }
    let found = objects.into_iter().filter_map(|(address, object)| {
        let class = format!("{:04x}", object.class());
        let is_offered = CLASSES.contains(&class.as_str());
        let fields = BTreeMap::from([
            ("address".to_owned(), address.to_string()),
            ("class".to_owned(), class),
            ("instance".to_owned(), object.instance().to_string()),
        ]);
        is_offered.then_some(Found { fields })
    });
    Ok(Search {
        packets,
        found: found.collect(),
    })
}
