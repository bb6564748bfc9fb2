//! Who is on the network, what could be done with each, and what cannot be seen.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use app::known::Known;
use app::ports::network::Network;
use app::ports::sources::Sources;
use axum::Json;
use axum::extract::State;
use model::{
    Coverage, FieldKind, FieldValue, Neighbour, ReadDevice, RefusalReason, SeenBy, SourceKind, Time,
};
use schemars::JsonSchema;
use serde::Serialize;
use store::RefusedCount;

use crate::http::access::LOOK;
use crate::http::failure::Failure;
use crate::http::route::{Route, api};
use crate::http::script::Answer;
use crate::site::part;

/// The addresses of these.
pub(crate) const ROUTES: &[Route] = &[api!(
    get "/api/v1/neighbours", LOOK, list,
    "Who is on the network, as far as it was heard without sending anything; what could be \
        done with each, and what can be heard at all"
)];

/// What could be done with somebody on the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Proposal {
    /// It is connected already, as this device.
    Connected {
        /// Under which name it is registered.
        device: String,
    },
    /// It sends by itself: registering it is enough.
    Register,
    /// It can be read by this driver.
    Read {
        /// The driver's code.
        driver: &'static str,
        /// What of it, where it has said so.
        class: Option<String>,
    },
}

/// A device that has left is known at its address for this long.
const CAME_LATELY_MS: i64 = 3_600_000;
/// The driver of ECHONET Lite; it also stands before the class of an object among what a node
/// offers.
const ECHONET_LITE: &str = "echonet-lite";

/// Services by which devices tell that they send by themselves.
const SENDERS: [&str; 3] = ["_shelly._tcp", "_esphomelib._tcp", "_tasmota._tcp"];
/// Beginnings of names of devices that do.
const SENDER_NAMES: [&str; 3] = ["shelly", "tasmota", "esphome"];
/// Services by which devices tell that they can be read.
const READ: [(&str, &str); 2] = [("_modbus._tcp", "modbus-tcp"), ("_mbap._tcp", "modbus-tcp")];

part! {
    /// What tells who is on the network.
    NetworkPart {
        known: Known,
        network: Arc<dyn Network>,
        sources: Arc<dyn Sources>,
    }
}

/// Who is on the network, each with what could be done.
pub(crate) async fn seen(site: &NetworkPart) -> Result<NetworkSeen, Failure> {
    let counts = site.known.read(|reader| reader.refused_counts()).await?;
    let (mut neighbours, coverage) = site.network.seen();
    knocked(&counts, coverage.since, &mut neighbours);
    let sources = site.sources.states();
    let sources: Vec<(String, String)> = sources
        .iter()
        .filter_map(|ReadDevice { source, .. }| {
            let address = source.fields.get("address").map(FieldValue::text)?;
            Some((source.id.to_string(), address))
        })
        .collect();
    let classes = classes_of(&site.sources.kinds());
    let board = site.known.board();
    let with = |neighbour: Neighbour| {
        // Who sends by itself comes from its own address.
        let came = board.devices.iter().filter(|device| {
            let is_lately = |at: Time| board.at.ms() - at.ms() <= CAME_LATELY_MS;
            let is_here = device.connected || device.heard.is_some_and(is_lately);
            is_here && device.from == Some(neighbour.address.into())
        });
        let sender = came.max_by_key(|device| device.connected);
        let proposal = match sender.map(|device| device.id.clone()) {
            Some(device) => Some(Proposal::Connected { device }),
            None => proposal(&neighbour, &sources, &classes),
        };
        SeenNeighbour {
            neighbour,
            proposal,
        }
    };
    Ok(NetworkSeen {
        items: neighbours.into_iter().map(with).collect(),
        coverage,
        next: None,
    })
}

/// The classes of ECHONET Lite objects that can be read.
fn classes_of(kinds: &[SourceKind]) -> Vec<&'static str> {
    let kind = kinds.iter().find(|kind| kind.code == ECHONET_LITE);
    let fields = kind.map_or(&[][..], |kind| kind.fields).iter();
    let choices = fields.filter(|field| field.name == "class");
    let choices = choices.filter_map(|field| match field.kind {
        FieldKind::Choice(codes) => Some(codes),
        _ => None,
    });
    choices.flatten().copied().collect()
}

/// Strangers who tried to sign in to the broker since the start are on the network too.
fn knocked(counts: &[RefusedCount], since: Time, neighbours: &mut Vec<Neighbour>) {
    let is_knock = |reason| {
        matches!(
            reason,
            RefusalReason::BadCredentials | RefusalReason::ProtocolVersion
        )
    };
    for count in counts.iter().filter(|count| is_knock(count.reason)) {
        if count.last_at < since {
            continue;
        }
        let Ok(IpAddr::V4(address)) = count.source.parse::<IpAddr>() else {
            continue;
        };
        if address.is_loopback() || IpAddr::V4(address) == model::KNOCKS_FROM {
            continue;
        }
        let at = neighbours.iter().position(|known| known.address == address);
        let at = at.unwrap_or_else(|| {
            neighbours.push(Neighbour::new(address, count.last_at));
            neighbours.len() - 1
        });
        neighbours[at].seen(SeenBy::Mqtt, count.last_at);
    }
}

fn proposal(
    neighbour: &Neighbour,
    sources: &[(String, String)],
    classes: &[&str],
) -> Option<Proposal> {
    let is_there = |place: &str| host_of(place) == Some(neighbour.address);
    if let Some((device, _)) = sources.iter().find(|(_, place)| is_there(place)) {
        let device = device.clone();
        return Some(Proposal::Connected { device });
    }
    let offers = |service: &str| neighbour.services.iter().any(|own| own.contains(service));
    let is_called = |start: &&str| {
        let mut names = neighbour.names.iter();
        names.any(|name| name.to_ascii_lowercase().starts_with(*start))
    };
    if let Some((_, driver)) = READ.iter().find(|(service, _)| offers(service)) {
        let class = None;
        return Some(Proposal::Read { driver, class });
    }
    if let Some(class) = classes
        .iter()
        .find(|class| offers(&format!("{ECHONET_LITE} {class}")))
    {
        let (driver, class) = (ECHONET_LITE, Some((*class).to_owned()));
        return Some(Proposal::Read { driver, class });
    }
    let sends = SENDERS.iter().any(|service| offers(service)) || SENDER_NAMES.iter().any(is_called);
    (sends || neighbour.seen_by.contains(&SeenBy::Mqtt)).then_some(Proposal::Register)
}

/// The address in `192.168.1.50:502` or `192.168.1.50`.
fn host_of(place: &str) -> Option<Ipv4Addr> {
    place.split(':').next()?.trim().parse().ok()
}

/// Somebody on the network.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SeenNeighbour {
    #[serde(flatten)]
    pub(crate) neighbour: Neighbour,
    /// What could be done; null if nothing is known of it.
    pub(crate) proposal: Option<Proposal>,
}

/// Everybody who was seen on the network.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct NetworkSeen {
    pub(crate) items: Vec<SeenNeighbour>,
    next: Option<i64>,
    /// What can be seen from here, and what cannot.
    pub(crate) coverage: Coverage,
}

/// Lists who is on the network, each with what could be done.
pub(crate) async fn list(State(site): State<NetworkPart>) -> Answer<NetworkSeen> {
    Ok(Json(seen(&site).await?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn neighbour(names: &[&str], services: &[&str]) -> Neighbour {
        let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Neighbour {
            address: Ipv4Addr::new(192, 168, 1, 50),
            hardware: None,
            names: set(names),
            services: set(services),
            seen_by: BTreeSet::from([SeenBy::Mdns]),
            first: Time::from_ms(0),
            last: Time::from_ms(0),
        }
    }

    #[test]
    fn what_is_connected_is_told_apart_from_what_could_be() {
        let meter = ("meter-1".to_owned(), "192.168.1.50:502".to_owned());
        let of = |neighbour, sources: &[(String, String)]| {
            proposal(&neighbour, sources, &["0288", "0011"])
        };
        let device = "meter-1".to_owned();
        assert_eq!(
            of(neighbour(&[], &[]), &[meter]),
            Some(Proposal::Connected { device })
        );
        assert_eq!(
            of(neighbour(&[], &["_shelly._tcp"]), &[]),
            Some(Proposal::Register)
        );
        assert_eq!(
            of(neighbour(&["Tasmota-1"], &[]), &[]),
            Some(Proposal::Register)
        );
        let driver = "modbus-tcp";
        assert_eq!(
            of(neighbour(&[], &["_modbus._tcp"]), &[]),
            Some(Proposal::Read {
                driver,
                class: None
            })
        );
        let driver = "echonet-lite";
        let class = Some("0288".to_owned());
        assert_eq!(
            of(
                neighbour(&[], &["echonet-lite 05ff", "echonet-lite 0288"]),
                &[]
            ),
            Some(Proposal::Read { driver, class })
        );
        assert_eq!(of(neighbour(&[], &["echonet-lite 05ff"]), &[]), None);
        assert_eq!(of(neighbour(&["printer"], &["_ipp._tcp"]), &[]), None);
    }

    #[test]
    fn a_stranger_at_the_broker_is_a_neighbour() {
        let count = |source: &str, reason| RefusedCount {
            source: source.to_owned(),
            reason,
            n: 1,
            last_at: Time::from_ms(9),
        };
        let counts = [
            count("192.168.1.50", RefusalReason::BadCredentials),
            count("192.168.1.51", RefusalReason::BadCredentials),
            count("192.168.1.52", RefusalReason::NotJson),
            count("127.0.0.1", RefusalReason::BadCredentials),
            count("meter-1", RefusalReason::BadCredentials),
        ];
        let mut known = vec![neighbour(&[], &[])];
        knocked(&counts, Time::from_ms(10), &mut known);
        assert_eq!(known.len(), 1, "long ago");
        knocked(&counts, Time::from_ms(5), &mut known);
        assert_eq!(known.len(), 2);
        assert!(known.iter().all(|n| n.seen_by.contains(&SeenBy::Mqtt)));
        let stranger = proposal(&known[1], &[], &[]);
        assert_eq!(stranger, Some(Proposal::Register));
    }
}
