//! Another computer: a network namespace with a cable to this one.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The other computer; it is gone when this is dropped.
pub(crate) struct OtherComputer {
    name: String,
    /// This computer's address on the cable.
    pub(crate) here: Ipv4Addr,
}

/// Networks that can be used at once.
const NETWORKS: u8 = 250;

/// Other computers made by this process.
static MADE: AtomicU32 = AtomicU32::new(0);

fn try_ip(words: &str) -> bool {
    let done = Command::new("ip").args(words.split(' ')).output();
    done.expect("ip runs").status.success()
}

fn ip(words: &str) {
    assert!(
        try_ip(words),
        "this test needs to make a network namespace (root): ip {words}"
    );
}

/// A test that was killed leaves its other computer behind.
fn remove_orphans() {
    let listed = Command::new("ip").args(["netns", "list"]).output();
    let listed = String::from_utf8(listed.expect("ip runs").stdout).unwrap();
    for name in listed.lines().filter_map(|line| line.split(' ').next()) {
        let maker = name.strip_prefix("mima").and_then(|n| n.split_once('-'));
        if maker.is_some_and(|(process, _)| !Path::new("/proc").join(process).exists()) {
            try_ip(&format!("netns del {name}"));
        }
    }
}

impl OtherComputer {
    /// Lays the cable, in a network that nobody has: the kernel gives its name only once.
    pub(crate) fn new() -> Self {
        remove_orphans();
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("mima{}-{made}", std::process::id());
        ip(&format!("netns add {name}"));
        let free = (1..NETWORKS).find(|n| {
            let cable = format!("mm{n}a type veth peer name mm{n}b");
            try_ip(&format!("link add {cable} netns {name}"))
        });
        let number = free.expect("a free network");
        let here = Ipv4Addr::new(10, 211, number, 1);
        let other = Self { name, here };
        let name = &other.name;
        ip(&format!("addr add {here}/24 dev mm{number}a"));
        ip(&format!("link set mm{number}a up"));
        ip(&format!(
            "-n {name} addr add 10.211.{number}.2/24 dev mm{number}b"
        ));
        ip(&format!("-n {name} link set mm{number}b up"));
        other
    }

    /// Gives this computer a further address on the cable.
    pub(crate) fn add_address(&self, last: u8) -> Ipv4Addr {
        let address = self.address(last);
        let number = self.here.octets()[2];
        ip(&format!("addr add {address}/24 dev mm{number}a"));
        address
    }

    /// An address of the network between the two.
    pub(crate) fn address(&self, last: u8) -> Ipv4Addr {
        let [a, b, number, _] = self.here.octets();
        Ipv4Addr::new(a, b, number, last)
    }

    /// Gives the other computer so many further addresses: it looks like many.
    pub(crate) fn multiply(&self, count: u8) {
        let (name, number) = (&self.name, self.here.octets()[2]);
        for address in (10..10 + count).map(|last| self.address(last)) {
            ip(&format!("-n {name} addr add {address}/24 dev mm{number}b"));
        }
    }

    /// The other computer's address.
    pub(crate) fn there(&self) -> Ipv4Addr {
        self.address(2)
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
