//! What is measured: this program, or the home-grown stack.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::process::{Owned, cpu_s, rss_mb};

/// Machines in every load.
pub(crate) const MACHINES: usize = 60;
/// Where this program serves its pages.
const PAGES: &str = "127.0.0.1:18861";
/// Where it listens for MQTT.
const MQTT: &str = "127.0.0.1:18860";
/// Where this program listens for MQTT over TLS.
const SECURE_MQTT: &str = "127.0.0.1:18862";
/// A target has to answer after this time.
const START_MAX: Duration = Duration::from_secs(60);

/// A running target and how to speak with it.
#[derive(Debug)]
pub(crate) struct Target {
    processes: Vec<Owned>,
    folder: PathBuf,
    pub(crate) mqtt: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) is_ours: bool,
    /// Lets a script into our API.
    session: String,
    pub(crate) tokens: Vec<(String, String)>,
    pub(crate) start_ms: u128,
    /// Loads run so far.
    pub(crate) runs: i64,
}

impl Drop for Target {
    fn drop(&mut self) {
        self.processes.clear();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("mimamori-bench-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn wait_for(address: SocketAddr) -> anyhow::Result<()> {
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        if start.elapsed() > START_MAX {
            bail!("nothing answers on {address}");
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    Ok(())
}

fn spawn(command: &mut Command) -> anyhow::Result<Owned> {
    spawn_saying(command, Stdio::null())
}

fn spawn_saying(command: &mut Command, said: Stdio) -> anyhow::Result<Owned> {
    command.stdin(Stdio::null()).stdout(said).stderr(log()?);
    Ok(Owned(
        command
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?,
    ))
}

/// Claims the box with the code on its console; gives what lets the owner in.
fn claim(process: &mut Owned, http: SocketAddr) -> anyhow::Result<String> {
    let said = process
        .0
        .stdout
        .take()
        .context("the program says nothing")?;
    let code = BufReader::new(said)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("Claim code: ")?.to_owned()))
        .context("no claim code was shown")?;
    let config = ureq::Agent::config_builder().max_redirects(0).build();
    let password = "only for measuring";
    let typed = [
        ("code", code.as_str()),
        ("name", "bench"),
        ("password", password),
        ("again", password),
    ];
    let answer = ureq::Agent::from(config)
        .post(format!("http://{http}/claim"))
        .send_form(typed)?;
    let cookie = answer.headers().get("set-cookie");
    cookie
        .and_then(|cookie| cookie.to_str().ok()?.strip_prefix("session="))
        .and_then(|rest| rest.split(';').next())
        .map(str::to_owned)
        .context("the box was not claimed")
}

/// Begins this program on a folder; gives the milliseconds until a page is answered.
fn begin(program: &Path, folder: &Path) -> anyhow::Result<(Owned, u128)> {
    let start = Instant::now();
    let mut command = Command::new(program);
    command.args(["--lang", "en", "serve", "--http", PAGES, "--mqtt", MQTT]);
    command.args(["--https", "off", "--mqtts", SECURE_MQTT, "--data"]);
    let process = spawn_saying(command.arg(folder), Stdio::piped())?;
    let http: SocketAddr = PAGES.parse()?;
    wait_for(http)?;
    ureq::get(&format!("http://{http}/claim")).call()?;
    Ok((process, start.elapsed().as_millis()))
}

/// Takes devices in, as a file of the register says them.
fn import(program: &Path, folder: &Path, register: &str) -> anyhow::Result<()> {
    let file = folder.join("devices.import");
    std::fs::write(&file, register)?;
    let mut import = Command::new(program);
    import.args(["device", "import"]).arg(&file);
    let done = import.arg("--data").arg(folder).output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    anyhow::ensure!(done.status.success(), "{said}");
    Ok(())
}

impl Target {
    /// This program with 60 devices, one reader, and rate limits out of the way.
    pub(crate) fn start_ours(program: &Path) -> anyhow::Result<Self> {
        let folder = folder("ours")?;
        std::fs::write(
            folder.join("mimamori.toml"),
            "[broker]\npublishes_per_s_max = 1000000\nqueue_messages_max = 100000\nconnections_max = 20000\nconnections_per_client_max = 20000\nsessions_max = 20000\n",
        )?;
        let mut tokens = Vec::new();
        for name in (0..MACHINES)
            .map(|i| format!("m{i:02}"))
            .chain(["reader".to_owned()])
        {
            let mut command = Command::new(program);
            command
                .args(["device", "add", &name, "--json", "--data"])
                .arg(&folder);
            if name == "reader" {
                command.arg("--reader");
            }
            let said = command.output()?;
            let said: serde_json::Value = serde_json::from_slice(&said.stdout)?;
            tokens.push((name, said["token"].as_str().unwrap_or_default().to_owned()));
        }
        Self::serve(program, folder, tokens)
    }

    /// This program with so many devices, each with a machine of its own, whose readings leave the
    /// journal this often.
    pub(crate) fn start_with(
        program: &Path,
        machines: usize,
        seal_every_s: u32,
    ) -> anyhow::Result<Self> {
        let folder = folder("scale")?;
        std::fs::write(
            folder.join("mimamori.toml"),
            format!(
                "[broker]\nconnections_max = 20000\nsessions_max = 20000\n\
                 [store]\nseal_every_s = {seal_every_s}\n"
            ),
        )?;
        let tokens: Vec<(String, String)> = (0..machines)
            .map(|number| (format!("m{number:05}"), format!("token of m{number:05}")))
            .collect();
        let entry = |(name, token): &(String, String)| {
            let sha256 = HEXLOWER.encode(&Sha256::digest(token));
            format!("[[device]]\nid = \"{name}\"\ntoken_sha256 = \"{sha256}\"\n")
        };
        let register: String = tokens.iter().map(entry).collect();
        import(program, &folder, &register)?;
        Self::serve(program, folder, tokens)
    }

    fn serve(
        program: &Path,
        folder: PathBuf,
        tokens: Vec<(String, String)>,
    ) -> anyhow::Result<Self> {
        let (mut process, start_ms) = begin(program, &folder)?;
        let (http, mqtt) = (PAGES.parse()?, MQTT.parse()?);
        let session = claim(&mut process, http)?;
        Ok(Self {
            processes: vec![process],
            folder,
            mqtt,
            http,
            is_ours: true,
            session,
            tokens,
            start_ms,
            runs: 0,
        })
    }

    /// Ends the program in order and begins it again; gives the milliseconds until a page is
    /// answered.
    pub(crate) fn restart(&mut self, program: &Path) -> anyhow::Result<u128> {
        for mut process in self.processes.drain(..) {
            let id = rustix::process::Pid::from_child(&process.0);
            rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
            process.0.wait()?;
        }
        let (process, start_ms) = begin(program, &self.folder)?;
        self.processes.push(process);
        Ok(start_ms)
    }

    /// The devices and what lets each in.
    pub(crate) fn devices(&self) -> impl Iterator<Item = (&str, &str)> {
        let known = self.tokens.iter();
        known.map(|(name, token)| (name.as_str(), token.as_str()))
    }

    /// Sends a table of readings as a device.
    pub(crate) fn ingest(&self, device: &str, token: &str, table: &str) -> anyhow::Result<()> {
        let url = format!("http://{}/ingest/{device}", self.http);
        let request = ureq::post(&url).header("Authorization", format!("Bearer {token}"));
        request.content_type("text/csv").send(table)?;
        Ok(())
    }

    /// An open board: what changes on it comes along this connection.
    pub(crate) fn watch_board(&self) -> anyhow::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.http)?;
        let (host, session) = (self.http, &self.session);
        write!(
            stream,
            "GET /live?page=board&lang=ja HTTP/1.1\r\nHost: {host}\r\n\
             Authorization: Bearer {session}\r\nAccept: text/event-stream\r\n\r\n"
        )?;
        Ok(stream)
    }

    /// Asks for a page as the owner; gives how long it is.
    pub(crate) fn page(&self, path: &str) -> anyhow::Result<usize> {
        let url = format!("http://{}{path}", self.http);
        let request = ureq::get(&url).header("Authorization", format!("Bearer {}", self.session));
        let mut answer = request.call()?;
        let limit = 100 * 1024 * 1024;
        Ok(answer
            .body_mut()
            .with_config()
            .limit(limit)
            .read_to_vec()?
            .len())
    }

    /// What the data folder takes.
    pub(crate) fn bytes_on_disk(&self) -> anyhow::Result<u64> {
        let mut bytes = 0;
        for entry in std::fs::read_dir(&self.folder)? {
            bytes += entry?.metadata()?.len();
        }
        Ok(bytes)
    }

    /// Where this program listens for MQTT over TLS, and the file of the authority to trust.
    pub(crate) fn secure(&self) -> anyhow::Result<(SocketAddr, PathBuf)> {
        Ok((SECURE_MQTT.parse()?, self.folder.join("tls-ca.pem")))
    }

    /// mosquitto, InfluxDB and Node-RED with the flow beside this file.
    pub(crate) fn start_peer(peer: &Path) -> anyhow::Result<Self> {
        let folder = folder("peer")?;
        let mosquitto_conf = std::fs::read_to_string(peer.join("mosquitto.conf"))?
            + &format!("persistence_location {}/\nuser root\n", folder.display());
        std::fs::write(folder.join("mosquitto.conf"), mosquitto_conf)?;
        let influx_conf = std::fs::read_to_string(peer.join("influxdb.conf"))?
            .replace("@DATA@", &folder.display().to_string());
        std::fs::write(folder.join("influxdb.conf"), influx_conf)?;
        let user_dir = folder.join("node-red");
        std::fs::create_dir_all(&user_dir)?;
        std::fs::copy(peer.join("flows.json"), user_dir.join("flows.json"))?;
        std::fs::copy(peer.join("settings.js"), user_dir.join("settings.js"))?;
        let modules = std::fs::canonicalize(peer.join("node_modules"))
            .context("bench/peer has no packages: run npm install there")?;
        std::os::unix::fs::symlink(&modules, user_dir.join("node_modules"))?;
        std::fs::write(
            user_dir.join("package.json"),
            std::fs::read(peer.join("package.json"))?,
        )?;

        let start = Instant::now();
        let (mqtt, http) = ("127.0.0.1:18850".parse()?, "127.0.0.1:18852".parse()?);
        let mut processes = vec![
            spawn(
                Command::new("mosquitto")
                    .arg("-c")
                    .arg(folder.join("mosquitto.conf")),
            )?,
            spawn(
                Command::new("influxd")
                    .arg("-config")
                    .arg(folder.join("influxdb.conf")),
            )?,
        ];
        wait_for(mqtt)?;
        wait_for(http)?;
        ureq::post(&format!("http://{http}/query?q=CREATE+DATABASE+bench")).send_empty()?;
        processes.push(spawn(
            Command::new("node")
                .arg(modules.join("node-red/red.js"))
                .arg("--userDir")
                .arg(&user_dir)
                .arg("flows.json"),
        )?);
        wait_for("127.0.0.1:18851".parse()?)?;
        let start_ms = start.elapsed().as_millis();
        // The port answers a moment before the flow has subscribed.
        std::thread::park_timeout(Duration::from_secs(3));
        Ok(Self {
            processes,
            folder,
            mqtt,
            http,
            is_ours: false,
            session: String::new(),
            tokens: Vec::new(),
            start_ms,
            runs: 0,
        })
    }

    /// Connects devices that the program reads, as a file of the register says them.
    pub(crate) fn connect(&self, program: &Path, sources: &str) -> anyhow::Result<()> {
        import(program, &self.folder, sources)
    }

    fn sources(&self) -> anyhow::Result<serde_json::Value> {
        let url = format!("http://{}/api/v1/sources", self.http);
        let request = ureq::get(&url).header("Authorization", format!("Bearer {}", self.session));
        Ok(request.call()?.body_mut().read_json()?)
    }

    /// Values that were read from devices so far, and devices that were read.
    pub(crate) fn read(&self) -> anyhow::Result<(u64, usize)> {
        let page = self.sources()?;
        let items = page["items"].as_array().context("no list of sources")?;
        let readings = items.iter().filter_map(|s| s["state"]["readings"].as_u64());
        let readings: Vec<u64> = readings.filter(|n| *n > 0).collect();
        Ok((readings.iter().sum(), readings.len()))
    }

    /// Values that one reading of the first device gives.
    pub(crate) fn values_of_one(&self) -> anyhow::Result<usize> {
        let page = self.sources()?;
        let last = page["items"][0]["state"]["last"].as_array();
        Ok(last.context("no values")?.len())
    }

    fn ids(&self) -> impl Iterator<Item = u32> {
        self.processes.iter().map(|process| process.0.id())
    }

    pub(crate) fn rss_mb(&self) -> f64 {
        self.ids().map(rss_mb).sum()
    }

    pub(crate) fn cpu_s(&self) -> f64 {
        self.ids().map(cpu_s).sum()
    }

    /// Readings stored so far.
    pub(crate) fn stored(&self) -> Option<u64> {
        if self.is_ours {
            let url = format!("http://{}/api/v1/devices", self.http);
            let request =
                ureq::get(&url).header("Authorization", format!("Bearer {}", self.session));
            let page: serde_json::Value = request.call().ok()?.body_mut().read_json().ok()?;
            return page["readings_stored"].as_u64();
        }
        let query = "SELECT+count(cycle),count(power_w),count(temp_c)+FROM+reading";
        let url = format!("http://{}/query?db=bench&q={query}", self.http);
        let page: serde_json::Value = ureq::get(&url).call().ok()?.body_mut().read_json().ok()?;
        let row = page["results"][0]["series"][0]["values"][0].as_array()?;
        Some(
            row.iter()
                .skip(1)
                .filter_map(serde_json::Value::as_u64)
                .sum(),
        )
    }

    pub(crate) fn topic(&self, machine: usize) -> String {
        if self.is_ours {
            format!("mimamori/m{machine:02}")
        } else {
            format!("f/m{machine:02}/cycle")
        }
    }

    pub(crate) fn alarm_filter(&self) -> &'static str {
        if self.is_ours {
            "mimamori/$alarm/+"
        } else {
            "alarm/+"
        }
    }
}

/// Where targets say what goes wrong: `MIMAMORI_BENCH_LOG`, or nowhere.
fn log() -> anyhow::Result<Stdio> {
    match std::env::var_os("MIMAMORI_BENCH_LOG") {
        Some(path) => Ok(std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)?
            .into()),
        None => Ok(Stdio::null()),
    }
}
