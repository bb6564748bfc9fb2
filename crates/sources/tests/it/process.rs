//! A foreign program that plays a device: started, told what to do, killed.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use socket2::{Domain, Socket, Type};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A TCP port that belongs to one counterpart, also while that one is away: a socket that does not
/// listen keeps it from being given to anybody else, and whoever comes meanwhile is refused.
pub(crate) struct HeldPort {
    socket: Socket,
}

impl HeldPort {
    pub(crate) fn at(address: Ipv4Addr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        let any = SocketAddr::from((address, 0));
        socket.bind(&any.into()).unwrap();
        Self { socket }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let address = self.socket.local_addr().unwrap().as_socket();
        address.expect("an address of the internet")
    }
}

/// A running counterpart; it ends when this is dropped.
pub(crate) struct Process {
    child: Child,
    orders: ChildStdin,
    said: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a program and waits until it says that it is ready.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("a counterpart is missing: {command:?}: {e}"));
        let orders = child.stdin.take().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut process = Self {
            child,
            orders,
            said,
        };
        assert_eq!(process.hear(), "ready", "{command:?} does not start");
        process
    }

    /// A Python counterpart from `tests/counterparts`.
    pub(crate) fn python(script: &str, args: &[&str]) -> Command {
        let mut command = Command::new(root().join(".venv/bin/python"));
        command
            .arg(root().join("tests/counterparts").join(script))
            .args(args);
        command
    }

    /// The next line it says.
    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Tells it something and waits until it has done so.
    pub(crate) fn order(&mut self, words: &str) {
        assert_eq!(self.ask(words), "done", "{words}");
    }

    /// Tells it something; gives what it says to that.
    pub(crate) fn ask(&mut self, words: &str) -> String {
        writeln!(self.orders, "{words}").unwrap();
        self.hear()
    }

    /// Pulls its plug.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
