//! The name by which the box is found on its own network: questions for it, answers, and what
//! others claim of it, as multicast DNS writes them (RFC 6762).

use std::net::Ipv4Addr;

use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

/// Seconds for which others may remember an answer, as RFC 6762 §10 asks for addresses of hosts.
const REMEMBERED_S: u32 = 120;
/// The same for whoever does not hear what is said in the group.
const REMEMBERED_SHORTLY_S: u32 = 10;

/// That somebody asks for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAsked {
    /// What the question is called, for whoever does not speak multicast.
    pub id: u16,
    /// The answer is wanted by whoever asks, and by nobody else.
    pub is_unicast: bool,
}

/// Whether a packet asks for the address of a host (without `.local`).
pub fn asked(packet: &[u8], host: &str) -> Option<NameAsked> {
    let packet = Packet::parse(packet).ok()?;
    if packet.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    let wants_address = |kind: QTYPE| matches!(kind, QTYPE::ANY | QTYPE::TYPE(TYPE::A));
    let mut questions = packet.questions.iter();
    let question = questions.find(|q| is_host(&q.qname, host) && wants_address(q.qtype))?;
    Some(NameAsked {
        id: packet.id(),
        is_unicast: question.unicast_response,
    })
}

/// The addresses that an answer says a host has.
pub fn claimed(packet: &[u8], host: &str) -> Vec<Ipv4Addr> {
    let Ok(packet) = Packet::parse(packet) else {
        return Vec::new();
    };
    if packet.has_flags(PacketFlag::RESPONSE) {
        addresses(&packet.answers, host)
    } else {
        Vec::new()
    }
}

/// The addresses with which somebody asks whether a host's name is free, to take it.
pub fn wanted(packet: &[u8], host: &str) -> Vec<Ipv4Addr> {
    let Ok(packet) = Packet::parse(packet) else {
        return Vec::new();
    };
    if packet.has_flags(PacketFlag::RESPONSE) {
        Vec::new()
    } else {
        addresses(&packet.name_servers, host)
    }
}

fn addresses(records: &[ResourceRecord<'_>], host: &str) -> Vec<Ipv4Addr> {
    let records = records.iter();
    let of_host = records.filter(|record| is_host(&record.name, host));
    let addresses = of_host.filter_map(|record| match &record.rdata {
        RData::A(a) => Some(Ipv4Addr::from(a.address)),
        _ => None,
    });
    addresses.collect()
}

/// That a host has an address, said to everybody, or to one who speaks multicast.
pub fn answer(host: &str, address: Ipv4Addr) -> Option<Vec<u8>> {
    let mut packet = Packet::new_reply(0);
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    let record = record(host, address, REMEMBERED_S)?;
    packet.answers.push(record.with_cache_flush(true));
    packet.build_bytes_vec().ok()
}

/// The same for one who asks as any server is asked (RFC 6762 §6.7): with the question, and to be
/// remembered shortly.
pub fn plain_answer(id: u16, host: &str, address: Ipv4Addr) -> Option<Vec<u8>> {
    let mut packet = Packet::new_reply(id);
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    let asked = QTYPE::TYPE(TYPE::A);
    let question = Question::new(local(host)?, asked, QCLASS::CLASS(CLASS::IN), false);
    packet.questions.push(question);
    packet
        .answers
        .push(record(host, address, REMEMBERED_SHORTLY_S)?);
    packet.build_bytes_vec().ok()
}

/// The question whether anybody has a name already, with what is to be answered to it.
pub fn probe(host: &str, address: Ipv4Addr) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(0);
    let name = local(host)?;
    let question = Question::new(name, QTYPE::ANY, QCLASS::CLASS(CLASS::IN), true);
    packet.questions.push(question);
    packet
        .name_servers
        .push(record(host, address, REMEMBERED_S)?);
    packet.build_bytes_vec().ok()
}

fn record(host: &str, address: Ipv4Addr, for_s: u32) -> Option<ResourceRecord<'static>> {
    let a = A {
        address: address.into(),
    };
    let name = local(host)?;
    Some(ResourceRecord::new(name, CLASS::IN, for_s, RData::A(a)))
}

fn local(host: &str) -> Option<Name<'static>> {
    let name = format!("{host}.local");
    Some(Name::new(&name).ok()?.into_owned())
}

fn is_host(name: &Name<'_>, host: &str) -> bool {
    let name = name.to_string();
    let rest = name.get(host.len()..);
    let is_so = name
        .get(..host.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(host));
    is_so && rest.is_some_and(|rest| rest.eq_ignore_ascii_case(".local"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOX: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 10);

    #[test]
    fn a_question_an_answer_and_a_probe_are_read_as_they_are_meant() {
        let probe = probe("mimamori", BOX).unwrap();
        let wanted = NameAsked {
            id: 0,
            is_unicast: true,
        };
        assert_eq!(asked(&probe, "mimamori"), Some(wanted));
        assert_eq!(
            asked(&probe, "MIMAMORI"),
            Some(wanted),
            "letters of both sizes"
        );
        assert_eq!(asked(&probe, "mimamori-2"), None);
        assert_eq!(super::wanted(&probe, "mimamori"), [BOX]);
        assert!(claimed(&probe, "mimamori").is_empty(), "nobody has it yet");
        let plain = plain_answer(7, "mimamori", BOX).unwrap();
        assert_eq!(Packet::parse(&plain).unwrap().id(), 7);
        assert_eq!(claimed(&plain, "mimamori"), [BOX]);
        let answer = answer("mimamori", BOX).unwrap();
        assert_eq!(asked(&answer, "mimamori"), None, "no question");
        assert_eq!(claimed(&answer, "mimamori"), [BOX]);
        assert!(claimed(&answer, "mimamor").is_empty());
    }

    proptest! {
        #[test]
        fn no_packet_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            asked(&bytes, "mimamori");
            claimed(&bytes, "mimamori");
            super::wanted(&bytes, "mimamori");
        }
    }
}
