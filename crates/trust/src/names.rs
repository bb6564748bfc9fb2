//! The names and addresses a box is reached by, as they stand in its certificate.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names and addresses at most; more would be somebody's mistake.
const NAMES_MAX: usize = 64;

/// What a box is reached by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostNames {
    hosts: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
}

impl HostNames {
    /// The addresses a box has, its host name, and names somebody gave it. Names that are none are
    /// left out.
    pub fn new(
        addresses: impl IntoIterator<Item = IpAddr>,
        hosts: impl IntoIterator<Item = String>,
    ) -> Self {
        let own = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        let addresses = own.into_iter().chain(addresses).take(NAMES_MAX);
        let hosts = hosts.into_iter().map(|host| host.to_ascii_lowercase());
        let hosts = hosts.filter(|host| is_host(host)).take(NAMES_MAX);
        let with_local = hosts.flat_map(|host| {
            let local = (!host.contains('.')).then(|| format!("{host}.local"));
            std::iter::once(host).chain(local)
        });
        Self {
            hosts: with_local.chain(["localhost".to_owned()]).collect(),
            addresses: addresses.collect(),
        }
    }

    /// All of them, as texts.
    pub fn all(&self) -> Vec<String> {
        let addresses = self.addresses.iter().map(IpAddr::to_string);
        self.hosts.iter().cloned().chain(addresses).collect()
    }

    /// Those of them that an authority may vouch for: addresses of private networks, names with one
    /// of these ends, and these names themselves.
    pub(crate) fn vouched(&self, ends: &[&str], names: &[String]) -> Self {
        let is_private = |address: &&IpAddr| is_private(**address);
        let is_known = |host: &&String| {
            let names = names.iter().map(String::as_str);
            ends.iter()
                .copied()
                .chain(names)
                .any(|end| is_under(host, end))
        };
        Self {
            hosts: self.hosts.iter().filter(is_known).cloned().collect(),
            addresses: self.addresses.iter().filter(is_private).copied().collect(),
        }
    }

    /// The names of hosts.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(String::as_str)
    }
}

/// Whether a host is this one or below it.
pub(crate) fn is_under(host: &str, end: &str) -> bool {
    let rest = host.strip_suffix(end);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether an address belongs to a network of its own, as those of factories do.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            // 100.64.0.0/10 is what providers and overlay networks number their customers with.
            let [first, second, ..] = v4.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Whether a text can be a host name: letters, digits and hyphens between dots.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_fine)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_reached_by_its_name_its_addresses_and_from_itself() {
        let names = HostNames::new(
            [IpAddr::V4(Ipv4Addr::new(192, 168, 10, 5))],
            ["Mimamori".to_owned(), "no name".to_owned()],
        );
        let wanted = [
            "localhost",
            "mimamori",
            "mimamori.local",
            "127.0.0.1",
            "192.168.10.5",
            "::1",
        ];
        assert_eq!(names.all(), wanted);
        let addresses = ["8.8.8.8", "100.64.1.1", "fe80::1"].map(|a| a.parse().unwrap());
        let many = HostNames::new(addresses, ["a.example".to_owned(), "mylan".to_owned()]);
        let vouched = many.vouched(&["lan", "local"], &["localhost".to_owned()]);
        let wanted = [
            "localhost",
            "mylan.local",
            "100.64.1.1",
            "127.0.0.1",
            "::1",
            "fe80::1",
        ];
        assert_eq!(vouched.all(), wanted);
        for bad in ["", "a..b", "-a", "a b", "日本"] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
