//! What devices say of themselves without being asked: multicast DNS (RFC 6762, 6763), the
//! announcements of UPnP (SSDP) and of ECHONET Lite, and the table of neighbours that the system
//! keeps anyway.

use std::net::Ipv4Addr;

use crate::echonet::{self, Frame, Service};
use simple_dns::{Packet, PacketFlag, ResourceRecord, rdata::RData};

/// The group and port of multicast DNS.
pub const MDNS: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 251), 5353);
/// The group and port of SSDP.
pub const SSDP: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 1900);
/// The group and port of ECHONET Lite.
pub const ECHONET: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 23, 0), echonet::PORT);
/// What the class of an ECHONET Lite object stands behind, among what a node offers.
const ECHONET_CLASS: &str = "echonet-lite ";
/// Largest packet that is looked at.
pub const PACKET_BYTES_MAX: usize = 1_500;

/// Names and services that are taken from one packet.
const TOLD_MAX: usize = 16;
/// Longest of them, in characters.
const TEXT_CHARS_MAX: usize = 80;
/// Hardware addresses that are none.
const NO_HARDWARE: &str = "00:00:00:00:00:00";
/// The flag of an entry that was answered.
const COMPLETE: u32 = 0x02;

/// What a packet says of its sender.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Announced {
    /// What it is called.
    pub names: Vec<String>,
    /// What it offers: `_http._tcp`, `upnp:rootdevice`.
    pub services: Vec<String>,
}

impl Announced {
    fn add(list: &mut Vec<String>, text: &str) {
        let fine = text.trim().chars().filter(|c| !c.is_control());
        let text: String = fine.take(TEXT_CHARS_MAX).collect();
        if !text.is_empty() && list.len() < TOLD_MAX && !list.contains(&text) {
            list.push(text);
        }
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.services.is_empty()
    }
}

/// Reads a packet of multicast DNS; `None` for questions and for what is none.
pub fn mdns(bytes: &[u8]) -> Option<Announced> {
    let packet = Packet::parse(bytes).ok()?;
    if !packet.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    let mut told = Announced::default();
    for record in packet.answers.iter().chain(&packet.additional_records) {
        tell(record, &mut told);
    }
    (!told.is_empty()).then_some(told)
}

/// Reads a frame of ECHONET Lite by which a node tells what it is: the list of its objects, or
/// properties of one; `None` for questions, orders and what is none.
pub fn echonet(bytes: &[u8]) -> Option<Announced> {
    let frame = Frame::parse(bytes).ok()?;
    if !matches!(frame.service, Service::Inf | Service::InfConfirmed) {
        return None;
    }
    let objects = frame.instances().into_iter().chain([frame.from]);
    let mut told = Announced::default();
    for object in objects.filter(|object| !object.is_node()) {
        let class = object.class();
        Announced::add(&mut told.services, &format!("{ECHONET_CLASS}{class:04x}"));
    }
    (!told.is_empty()).then_some(told)
}

fn tell(record: &ResourceRecord<'_>, told: &mut Announced) {
    let name = record.name.to_string();
    match &record.rdata {
        RData::PTR(target) => {
            let target = target.0.to_string();
            if name.starts_with("_services.") {
                Announced::add(&mut told.services, local(&target));
                return;
            }
            Announced::add(&mut told.services, local(&name));
            if let Some(instance) = target.strip_suffix(&format!(".{name}")) {
                Announced::add(&mut told.names, instance);
            }
        }
        RData::SRV(_) => {
            // `<what it is called>.<service>.<protocol>.local`
            let at = name.find("._");
            if let Some((instance, service)) = at.and_then(|at| name.split_at_checked(at)) {
                Announced::add(&mut told.names, instance);
                Announced::add(&mut told.services, local(service.trim_start_matches('.')));
            }
        }
        RData::A(_) => Announced::add(&mut told.names, local(&name)),
        _ => {}
    }
}

/// A name without the end that all have.
fn local(name: &str) -> &str {
    let name = name.trim_end_matches('.');
    name.strip_suffix(".local").unwrap_or(name)
}

/// Reads an announcement of SSDP; `None` for searches and for what is none.
pub fn ssdp(bytes: &[u8]) -> Option<Announced> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.lines();
    let first = lines.next()?;
    if !first.starts_with("NOTIFY ") && !first.starts_with("HTTP/1.1 200") {
        return None;
    }
    let mut told = Announced::default();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name.trim().to_ascii_lowercase().as_str() {
            "nt" | "st" => Announced::add(&mut told.services, value),
            "server" => Announced::add(&mut told.names, value),
            _ => {}
        }
    }
    (!told.is_empty()).then_some(told)
}

/// Reads the table of neighbours as Linux shows it in `/proc/net/arp`: addresses that answered,
/// with their hardware addresses.
pub fn arp(table: &str) -> Vec<(Ipv4Addr, String)> {
    let entry = |line: &str| {
        let mut cells = line.split_whitespace();
        let address = cells.next()?.parse().ok()?;
        let flags = cells.nth(1)?.strip_prefix("0x")?;
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let hardware = cells.next()?.to_ascii_lowercase();
        (flags & COMPLETE != 0 && hardware != NO_HARDWARE).then_some((address, hardware))
    };
    table.lines().skip(1).filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simple_dns::rdata::{A, PTR, SRV};
    use simple_dns::{CLASS, Name};

    use super::*;

    fn record(name: &str, rdata: RData<'static>) -> ResourceRecord<'static> {
        let name = Name::new(name).unwrap().into_owned();
        ResourceRecord::new(name, CLASS::IN, 120, rdata)
    }

    #[test]
    fn an_answer_tells_names_and_services_and_a_question_nothing() {
        let name = |text: &str| Name::new(text).unwrap().into_owned();
        let mut packet = Packet::new_reply(0);
        let instance = "shellypro3em-1._shelly._tcp.local";
        packet.answers = vec![
            record("_shelly._tcp.local", RData::PTR(PTR(name(instance)))),
            record(
                "_services._dns-sd._udp.local",
                RData::PTR(PTR(name("_http._tcp.local"))),
            ),
            record(
                instance,
                RData::SRV(SRV {
                    priority: 0,
                    weight: 0,
                    port: 80,
                    target: name("shelly.local"),
                }),
            ),
        ];
        packet.additional_records = vec![record("shelly.local", RData::A(A { address: 1 }))];
        let told = mdns(&packet.build_bytes_vec().unwrap()).unwrap();
        assert_eq!(told.names, ["shellypro3em-1", "shelly"]);
        assert_eq!(told.services, ["_shelly._tcp", "_http._tcp"]);
        let question = Packet::new_query(0).build_bytes_vec().unwrap();
        assert_eq!(mdns(&question), None);
        assert_eq!(mdns(b"NOTIFY"), None);
    }

    #[test]
    fn an_announcement_tells_what_it_is_and_a_search_nothing() {
        let told = ssdp(
            b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: upnp:rootdevice\r\n\
              SERVER: Linux/4.9 UPnP/1.0 PLC/2.1\r\nNTS: ssdp:alive\r\n\r\n",
        )
        .unwrap();
        assert_eq!(told.names, ["Linux/4.9 UPnP/1.0 PLC/2.1"]);
        assert_eq!(told.services, ["upnp:rootdevice"]);
        assert_eq!(ssdp(b"M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\n\r\n"), None);
        assert_eq!(ssdp(&[0xff, 0xfe]), None);
    }

    #[test]
    fn of_the_table_only_who_answered_counts() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
            192.168.1.5      0x1         0x2         A0:B1:C2:D3:E4:F5     *        eth0\n\
            192.168.1.6      0x1         0x0         00:00:00:00:00:00     *        eth0\n\
            192.168.1.7      0x1         0x2         00:00:00:00:00:00     *        eth0\nrubbish\n";
        let five = (
            Ipv4Addr::new(192, 168, 1, 5),
            "a0:b1:c2:d3:e4:f5".to_owned(),
        );
        assert_eq!(arp(table), [five]);
    }

    #[test]
    fn a_node_of_echonet_lite_tells_its_objects_and_an_order_nothing() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        // What the npm package echonet-lite announces as it starts: three objects.
        let list = hex("108100010ef0010ef00173");
        assert_eq!(echonet(&list), None, "cut off");
        let list = hex("108100010ef0010ef0017301d50a03028801028701001101");
        let told = echonet(&list).unwrap();
        assert_eq!(
            told.services,
            [
                "echonet-lite 0288",
                "echonet-lite 0287",
                "echonet-lite 0011"
            ]
        );
        let news = hex("10810005028701");
        assert_eq!(echonet(&news), None);
        let news = hex("108100050287010ef0017301800131");
        assert_eq!(echonet(&news).unwrap().services, ["echonet-lite 0287"]);
        for other in [
            "10810004 05ff01 028701 61 01 800131",
            "10810002 05ff01 0ef001 62 01 d600",
        ] {
            assert_eq!(echonet(&hex(&other.replace(' ', ""))), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            text in "(NOTIFY \\* HTTP/1.1\r\n)?(nt|server|ST|x)?: ?[ -~\u{3042}]{0,120}\r\n",
            table in "[0-9a-fx:. \n]{0,200}",
        ) {
            mdns(&bytes);
            ssdp(&bytes);
            echonet(&bytes);
            ssdp(text.as_bytes());
            arp(&table);
        }
    }
}
