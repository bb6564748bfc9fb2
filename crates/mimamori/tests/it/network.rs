//! Another computer: a network namespace with a cable to this one.

use std::net::Ipv4Addr;
use std::process::Command;

/// The other computer; it is gone when this is dropped.
pub(crate) struct OtherComputer {
    name: String,
    /// This computer's address on the cable.
    pub(crate) here: Ipv4Addr,
}

fn ip(words: &str) {
    let done = Command::new("ip").args(words.split(' ')).status();
    assert!(
        done.expect("ip runs").success(),
        "this test needs to make a network namespace (root): ip {words}"
    );
}

impl OtherComputer {
    /// Lays the cable. `number` keeps the networks of tests that run at once apart.
    pub(crate) fn new(number: u8) -> Self {
        let name = format!("mima{}-{number}", std::process::id());
        let (ours, theirs) = (format!("mm{number}a"), format!("mm{number}b"));
        let here = Ipv4Addr::new(10, 211, number, 1);
        ip(&format!("netns add {name}"));
        let other = Self { name, here };
        let name = &other.name;
        ip(&format!(
            "link add {ours} type veth peer name {theirs} netns {name}"
        ));
        ip(&format!("addr add {here}/24 dev {ours}"));
        ip(&format!("link set {ours} up"));
        ip(&format!(
            "-n {name} addr add 10.211.{number}.2/24 dev {theirs}"
        ));
        ip(&format!("-n {name} link set {theirs} up"));
        other
    }

    /// Gives this computer a further address on the cable.
    pub(crate) fn add_address(&self, address: &str) {
        let number = self.here.octets()[2];
        ip(&format!("addr add {address} dev mm{number}a"));
    }

    /// Gives the other computer so many further addresses: it looks like many.
    pub(crate) fn multiply(&self, count: u8) {
        let [a, b, number, _] = self.here.octets();
        for last in 10..10 + count {
            let name = &self.name;
            ip(&format!(
                "-n {name} addr add {a}.{b}.{number}.{last}/24 dev mm{number}b"
            ));
        }
    }

    /// The other computer's address.
    pub(crate) fn there(&self) -> Ipv4Addr {
        let [a, b, c, _] = self.here.octets();
        Ipv4Addr::new(a, b, c, 2)
    }

    /// Lets it send to groups and hear them.
    pub(crate) fn let_groups_through(&self) {
        let number = self.here.octets()[2];
        ip(&format!(
            "-n {} route add 224.0.0.0/4 dev mm{number}b",
            self.name
        ));
    }

    /// A command that runs on it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }
}

impl Drop for OtherComputer {
    fn drop(&mut self) {
        // The cable first and by itself: it would go with the other computer, but some time later.
        let cable = format!("mm{}a", self.here.octets()[2]);
        for words in [["link", "del", &cable], ["netns", "del", &self.name]] {
            Command::new("ip").args(words).status().ok();
        }
    }
}
