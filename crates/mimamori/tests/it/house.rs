//! A running program in a folder of its own, on free ports, with devices and their tokens.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rumqttc::{Client, Connection, MqttOptions};
use serde_json::Value;
use tempfile::TempDir;

use super::process::HeldPort;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_mimamori");
/// Who owns the boxes of these tests.
pub(crate) const OWNER: &str = "Hanako";
pub(crate) const PASSWORD: &str = "a password for tests";
/// Nothing in these tests takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program and where it is.
pub(crate) struct House {
    folder: Option<TempDir>,
    pub(crate) data: PathBuf,
    child: Child,
    pub(crate) http: SocketAddr,
    pub(crate) mqtt: SocketAddr,
    /// Pages and MQTT over TLS.
    pub(crate) https: SocketAddr,
    pub(crate) mqtts: SocketAddr,
    /// Keeps its places free of others while it is away.
    held: [HeldPort; 4],
    env: Vec<(&'static str, String)>,
    /// Lets the owner in.
    pub(crate) token: String,
}

impl Drop for House {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Now, in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// Waits for something to become true.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < PATIENCE,
            "{what} did not happen within {PATIENCE:?}"
        );
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// What the program has said so far and will say.
pub(crate) type Said = std::io::Lines<BufReader<ChildStdout>>;

/// Where a program listens.
#[derive(Clone, Copy)]
struct Ports {
    http: SocketAddr,
    mqtt: SocketAddr,
    https: SocketAddr,
    mqtts: SocketAddr,
}

/// Starts a program on addresses for pages, MQTT, and both over TLS.
fn spawn(
    data: &Path,
    held: &[HeldPort; 4],
    env: &[(&'static str, String)],
) -> (Child, Ports, Said) {
    let [http, mqtt, https, mqtts] = &held.each_ref().map(|port| port.address().to_string());
    let mut child = Command::new(PROGRAM)
        .args([
            "--lang", "en", "serve", "--http", http, "--https", https, "--mqtt", mqtt, "--mqtts",
            mqtts, "--data",
        ])
        .arg(data)
        .envs(env.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(
            std::fs::File::options()
                .create(true)
                .append(true)
                .open(data.join("log"))
                .unwrap(),
        )
        .spawn()
        .expect("the program starts");
    let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut address = |prefix: &str| -> SocketAddr {
        let line = said.next().and_then(Result::ok).unwrap_or_else(|| {
            let log = std::fs::read_to_string(data.join("log")).unwrap_or_default();
            panic!("the program did not start: {log}")
        });
        line.trim_start_matches(prefix)
            .trim_end_matches('/')
            .parse()
            .expect("an address")
    };
    let ports = Ports {
        http: address("Page: http://"),
        mqtt: address("MQTT: "),
        https: address("Secure page: https://"),
        mqtts: address("Secure MQTT: "),
    };
    let line = said.next().and_then(Result::ok).expect("a fingerprint");
    assert!(line.starts_with("Certificate fingerprint: "), "{line}");
    (child, ports, said)
}

/// Claims a box as its owner would in a browser; gives the session's secret.
fn claim(http: SocketAddr, said: &mut Said) -> String {
    let line = said.next().and_then(Result::ok).expect("a claim code");
    let code = line.trim_start_matches("Claim code: ");
    let typed = [
        ("code", code),
        ("name", OWNER),
        ("password", PASSWORD),
        ("again", PASSWORD),
    ];
    let answer = agent()
        .post(format!("http://{http}/claim"))
        .send_form(typed)
        .expect("claimed");
    session_of(answer.headers()).expect("a session")
}

/// The session's secret in a `Set-Cookie` header.
pub(crate) fn session_of(headers: &ureq::http::HeaderMap) -> Option<String> {
    let cookies = headers.get_all("set-cookie").into_iter();
    let mut cookies = cookies.filter_map(|cookie| cookie.to_str().ok());
    let session = cookies.find_map(|cookie| cookie.strip_prefix("session="))?;
    session.split(';').next().map(str::to_owned)
}

/// A client that tells what happened instead of failing or following.
pub(crate) fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .build();
    config.into()
}

impl House {
    /// A program with an empty folder and this configuration.
    pub(crate) fn with_config(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().to_owned();
        let mut house = Self::in_folder(&data, config);
        house.folder = Some(folder);
        house
    }

    /// A program in a folder somebody else owns.
    pub(crate) fn in_folder(data: &Path, config: &str) -> Self {
        Self::listening_on(data, config, "127.0.0.1:0")
    }

    /// A program in a folder somebody else owns whose pages are where the caller says.
    pub(crate) fn listening_on(data: &Path, config: &str, http: &str) -> Self {
        Self::started(data, config, http, &[])
    }

    /// A program in a folder somebody else owns, in another environment.
    pub(crate) fn with_env(data: &Path, config: &str, env: &[(&'static str, String)]) -> Self {
        Self::started(data, config, "127.0.0.1:0", env)
    }

    fn started(data: &Path, config: &str, http: &str, env: &[(&'static str, String)]) -> Self {
        let (mut house, mut said) = Self::begun(data, config, [http, "127.0.0.1:0"], env);
        house.token = claim(house.http, &mut said);
        house
    }

    /// A program in a folder that somebody owns already.
    pub(crate) fn owned(data: &Path) -> Self {
        let (mut house, said) = Self::begun(data, "", ["127.0.0.1:0"; 2], &[]);
        std::thread::spawn(move || said.for_each(drop));
        let data = data.to_str().unwrap();
        let (code, token) = mimamori(&[
            "user", "token", "tests", "--role", "owner", "--json", "--data", data,
        ]);
        assert_eq!(code, 0, "{token}");
        let token: Value = serde_json::from_str(&token).unwrap();
        token["token"]
            .as_str()
            .unwrap()
            .clone_into(&mut house.token);
        house
    }

    /// A program that takes MQTT in clear text from other computers.
    pub(crate) fn clear_to_all(data: &Path) -> Self {
        let ways = ["127.0.0.1:0", "0.0.0.0:0"];
        let (mut house, mut said) = Self::begun(data, "", ways, &[]);
        house.token = claim(house.http, &mut said);
        house
    }

    /// A program that nobody owns yet, on ports it keeps when it starts anew, and its claim code.
    pub(crate) fn unclaimed(config: &str) -> (Self, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().to_owned();
        let (mut house, _) = Self::begun(&data, config, ["127.0.0.1:0"; 2], &[]);
        house.folder = Some(folder);
        house.kill();
        let mut said = house.start();
        let line = said.next().and_then(Result::ok).expect("a claim code");
        let code = line.trim_start_matches("Claim code: ").to_owned();
        // What it says later must find a reader.
        std::thread::spawn(move || said.for_each(drop));
        (house, code)
    }

    fn begun(
        data: &Path,
        config: &str,
        [http, mqtt]: [&str; 2],
        env: &[(&'static str, String)],
    ) -> (Self, Said) {
        std::fs::write(data.join("mimamori.toml"), config).expect("configuration");
        let held = [http, mqtt, http, http].map(|asked| {
            let asked: SocketAddrV4 = asked.parse().expect("an address");
            assert_eq!(asked.port(), 0, "a port of nobody in particular");
            HeldPort::at(*asked.ip())
        });
        let (child, ports, said) = spawn(data, &held, env);
        let house = Self {
            token: String::new(),
            folder: None,
            data: data.to_owned(),
            child,
            http: ports.http,
            mqtt: ports.mqtt,
            https: ports.https,
            mqtts: ports.mqtts,
            held,
            env: env.to_vec(),
        };
        (house, said)
    }

    pub(crate) fn new() -> Self {
        Self::with_config("[factory]\nlearn_cycles = 10\n")
    }

    /// Takes devices in, as a file of them says; gives what is told.
    pub(crate) fn import(&self, register: &str) -> (bool, String) {
        let mut command = Command::new(PROGRAM);
        command.args(["--lang", "en", "device", "import", "-", "--data"]);
        command.arg(&self.data);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut import = command.spawn().expect("the program runs");
        let mut stdin = import.stdin.take().unwrap();
        stdin.write_all(register.as_bytes()).unwrap();
        drop(stdin);
        let output = import.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    /// The same, where nothing is wrong with them.
    pub(crate) fn take_in(&self, register: &str) {
        let (is_taken, said) = self.import(register);
        assert!(is_taken, "{said}");
    }

    /// Registers a device as a person would and gives its token.
    pub(crate) fn device(&self, name: &str, more: &[&str]) -> String {
        let output = Command::new(PROGRAM)
            .args(["device", "add", name, "--json", "--data"])
            .arg(&self.data)
            .args(more)
            .output()
            .expect("the program runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        said["token"].as_str().expect("a token").to_owned()
    }

    /// Pulls the plug and starts again on the same ports.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        drop(self.start());
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    pub(crate) fn start(&mut self) -> Said {
        let said;
        (self.child, _, said) = spawn(&self.data, &self.held, &self.env);
        said
    }

    /// Ends as a system would end it; gives the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.end_by("-TERM")
    }

    /// Ends by a signal; gives the exit code.
    pub(crate) fn end_by(&mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        self.child.wait().expect("ends").code()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&mut self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        sent.expect("a counterpart is missing: kill");
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("known").is_none()
    }

    /// Gets JSON from the API.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.ask(path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// The same of a program that may just be beginning; `None` where nothing answers yet.
    pub(crate) fn try_get(&self, path: &str) -> Option<Value> {
        self.ask(path).ok()
    }

    fn ask(&self, path: &str) -> Result<Value, ureq::Error> {
        let url = format!("http://{}/api/v1/{path}", self.http);
        let mut answer = ureq::get(&url)
            .header("Authorization", format!("Bearer {}", self.token))
            .call()?;
        answer.body_mut().read_json()
    }

    /// A machine's state; empty while the machine is not known.
    pub(crate) fn state(&self, machine: &str) -> String {
        let all = self.get("machines");
        let found = all["items"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|m| m["id"] == machine);
        found
            .and_then(|m| m["state"].as_str())
            .unwrap_or_default()
            .to_owned()
    }

    /// All pages of a list.
    pub(crate) fn get_all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{separator}limit=5000{cursor}"));
            items.extend(page["items"].as_array().expect("a list").iter().cloned());
            match page["next"].as_i64() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// Sends a request with a body as the owner and gives status and body.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let bearer = format!("Bearer {}", self.token);
        let all = [&[("Authorization", bearer.as_str())], headers].concat();
        self.send_bare(method, path, &all, body)
    }

    /// Sends a request with these headers and no others.
    pub(crate) fn send_bare(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let url = format!("http://{}{path}", self.http);
        let mut request = ureq::http::Request::builder().method(method).uri(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = agent()
            .run(request.body(body.to_owned()).expect("a request"))
            .expect("sent");
        (
            answer.status().as_u16(),
            answer.body_mut().read_to_string().unwrap_or_default(),
        )
    }

    /// Sends readings of a device.
    pub(crate) fn ingest(
        &self,
        device: &str,
        token: &str,
        kind: &str,
        body: &str,
    ) -> (u16, String) {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", kind)];
        self.send_bare("POST", &format!("/ingest/{device}"), &headers, body)
    }

    /// A foreign client that is let in as a device, with room for so many requests.
    pub(crate) fn client(&self, device: &str, token: &str, room: usize) -> (Client, Connection) {
        let mut options = MqttOptions::new(device, "127.0.0.1", self.mqtt.port());
        options.set_credentials(device, token);
        Client::new(options, room)
    }

    /// The box's certificate, as a file.
    pub(crate) fn certificate(&self) -> PathBuf {
        let file = self.data.join("mimamori.crt");
        let certificate = self.send("GET", "/trust/mimamori.crt", &[], "").1;
        std::fs::write(&file, certificate).expect("written");
        file
    }

    /// A token for a script with a role.
    pub(crate) fn token_for(&self, role: &str) -> String {
        let json = [("Content-Type", "application/json")];
        let body = format!("{{\"label\":\"test\",\"role\":\"{role}\"}}");
        let (status, said) = self.send("POST", "/api/v1/tokens", &json, &body);
        assert_eq!(status, 200, "{said}");
        let made: Value = serde_json::from_str(&said).expect("JSON");
        made["token"].as_str().expect("a token").to_owned()
    }

    /// How often a source was refused for a reason.
    pub(crate) fn refused(&self, source: &str, reason: &str) -> u64 {
        let counts = self.get("refused")["counts"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let of = |c: &&Value| c["source"] == source && c["reason"] == reason.replace('-', "_");
        counts
            .iter()
            .find(of)
            .and_then(|c| c["n"].as_u64())
            .unwrap_or(0)
    }

    /// A counter of `/metrics`.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let url = format!("http://{}/metrics", self.http);
        let text = ureq::get(&url)
            .header("Authorization", format!("Bearer {}", self.token))
            .call()
            .unwrap()
            .body_mut()
            .read_to_string()
            .unwrap();
        let line = format!("mimamori_{name} ");
        let value = text
            .lines()
            .find_map(|l| l.strip_prefix(&line))
            .unwrap_or("0");
        value.parse().expect("a number")
    }

    /// Waits until so many readings are stored.
    pub(crate) fn until_stored(&self, n: u64) {
        until(&format!("{n} readings stored"), || {
            self.get("devices")["readings_stored"] == n
        });
    }

    /// The program's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_own_folder(&self) -> bool {
        self.folder.is_some()
    }
}

/// Runs the program to its end; gives its exit code and what it said.
pub(crate) fn mimamori(args: &[&str]) -> (i32, String) {
    let mut command = Command::new(PROGRAM);
    let output = command.args(["--lang", "en"]).args(args).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    (output.status.code().unwrap(), said)
}
