//! The demonstration: the product as one process, the simulated factory as another, and this one
//! between them, which also pulls the product's plug (kill -9) and measures from outside. For an
//! owner there is a workshop beside it.

mod shop;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use app::ports::devices::DeviceChange;
use clap::Args;
use model::{DeviceId, DeviceRole};
use serde_json::{Value, json};
use services::console;
use services::register::OfflineRegister;
use text::Lang;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::shop::Shop;
use crate::config;
use crate::terminal::{self, note, say};

/// The page's usual port.
const PORT_USUAL: u16 = 8080;
/// The first page has to be there after this time, or the start has failed.
const FIRST_PAGE_MAX: Duration = Duration::from_secs(20);
/// The product stays without power this long.
const DARK_FOR: Duration = Duration::from_millis(700);
/// The simulated factory may take this much longer than it was asked to run.
const SIM_OVERTIME_MAX: Duration = Duration::from_secs(60);
/// The product may use this much memory.
const RSS_MB_MAX: f64 = 64.0;
/// The first page may take this long after the start.
const FIRST_PAGE_MS_MAX: u128 = 1_000;

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Port of the web page (default: 8080, or a free one) / Web ページのポート
    #[arg(long)]
    port: Option<u16>,
    /// Seed of everything random / 乱数の種
    #[arg(long)]
    seed: Option<u64>,
    /// Run this long, for example 90s or 5m, then judge / 動かす長さ
    #[arg(long = "for", value_parser = terminal::duration)]
    length: Option<Duration>,
    /// No progress in the terminal / 途中経過を出さない
    #[arg(long)]
    headless: bool,
    /// Write what was promised and what happened / 採点表の出力先
    #[arg(long)]
    scorecard: Option<PathBuf>,
    /// Keep the data here (default: a folder that is removed) / データの置き場所
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print the scorecard as JSON / 採点表を JSON で表示
    #[arg(long)]
    json: bool,
    /// A workshop with two weeks behind it, to look at in peace / 二週間分の記録がある町工場
    #[arg(long, conflicts_with_all = ["length", "scorecard", "json"])]
    factory: bool,
    /// The workshop ends when standard input closes (used by the sample)
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

/// Arguments of the hidden command that runs the factory.
#[derive(Debug, Args)]
pub(crate) struct SimArgs {
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    seconds: Option<u64>,
    #[arg(long)]
    mqtt: SocketAddr,
    #[arg(long)]
    http: SocketAddr,
    #[arg(long)]
    light: SocketAddr,
    #[arg(long)]
    tokens: PathBuf,
    #[arg(long)]
    api_token: PathBuf,
    #[arg(long)]
    time_source: PathBuf,
    #[arg(long)]
    scorecard: Option<PathBuf>,
}

/// The simulated factory, in a process of its own.
pub(crate) async fn run_sim(args: SimArgs) -> anyhow::Result<bool> {
    let options = sim::Options {
        seed: args.seed,
        seconds: args.seconds,
        mqtt: args.mqtt,
        api: sim::Api {
            address: args.http,
            token_file: args.api_token,
        },
        light: args.light,
        tokens: serde_json::from_str(&std::fs::read_to_string(&args.tokens)?)?,
        time_source: args.time_source,
        scorecard: args.scorecard,
    };
    tokio::select! {
        result = sim::run(options) => result,
        ended = terminal::wait_for_end(true) => ended.map(|()| true),
    }
}

/// Where everything of one demonstration lives.
struct DemoStage {
    data: PathBuf,
    is_temporary: bool,
    http: SocketAddr,
    mqtt: SocketAddr,
    light: SocketAddr,
    program: PathBuf,
    /// The workshop; `None` in the fast demonstration.
    shop: Option<Shop>,
}

impl Drop for DemoStage {
    fn drop(&mut self) {
        if self.is_temporary {
            std::fs::remove_dir_all(&self.data).ok();
        }
    }
}

fn free_port() -> std::io::Result<SocketAddr> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn page_port(asked: Option<u16>) -> std::io::Result<SocketAddr> {
    match asked {
        // As everywhere, no port in particular.
        Some(0) => return free_port(),
        Some(port) => return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        None => {}
    }
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT_USUAL));
    if std::net::TcpListener::bind(usual).is_ok() {
        Ok(usual)
    } else {
        free_port()
    }
}

impl DemoStage {
    fn set(args: &DemoArgs) -> anyhow::Result<Self> {
        let (data, is_temporary) = match &args.data {
            Some(data) => (data.clone(), false),
            None => {
                let name = format!("mimamori-demo-{}", std::process::id());
                (std::env::temp_dir().join(name), true)
            }
        };
        std::fs::create_dir_all(&data)
            .with_context(|| format!("cannot make {}", data.display()))?;
        let stage = Self {
            data,
            is_temporary,
            http: page_port(args.port)?,
            mqtt: free_port()?,
            light: free_port()?,
            program: std::env::current_exe()?,
            shop: args.factory.then(|| Shop::around(app::clock::now())),
        };
        stage.write_tokens()?;
        stage.write_config()?;
        stage.write_time_client()?;
        Ok(stage)
    }

    fn tokens_file(&self) -> PathBuf {
        self.data.join("demo-tokens.json")
    }

    fn api(&self) -> sim::Api {
        sim::Api {
            address: self.http,
            token_file: self.data.join("demo-api-token"),
        }
    }

    fn write_tokens(&self) -> anyhow::Result<()> {
        if self.tokens_file().exists() {
            return Ok(());
        }
        let mut register = OfflineRegister::open(&*crate::engine(), &self.data)?;
        if !register.registrations().is_empty() {
            bail!(
                "{} belongs to a real factory, not to a demonstration",
                self.data.display()
            );
        }
        let mut tokens = Vec::new();
        for device in self.devices() {
            let added = register.change(DeviceChange::Add {
                id: DeviceId::new(device)?,
                machine: None,
                role: DeviceRole::Device,
            });
            let token = added.ok().and_then(|added| added.token);
            tokens.push((device, token.context("a device could not be registered")?));
        }
        Ok(std::fs::write(
            self.tokens_file(),
            serde_json::to_string(&tokens)?,
        )?)
    }

    fn devices(&self) -> Vec<&'static str> {
        match self.shop {
            Some(_) => shop::devices().collect(),
            None => sim::DEVICES.to_vec(),
        }
    }

    fn write_config(&self) -> anyhow::Result<()> {
        if let Some(shop) = &self.shop {
            return Ok(std::fs::write(self.data.join(config::FILE), shop.config())?);
        }
        let mut text = "[factory]\nlearn_cycles = 10\n".to_owned();
        for machine in sim::MACHINES {
            let (id, ja, en) = (machine.id, machine.ja, machine.en);
            writeln!(
                text,
                "[[machine]]\nid = {id:?}\nname_ja = {ja:?}\nname_en = {en:?}"
            )?;
        }
        writeln!(
            text,
            "[light]\naddress = \"{}\"\nfamily = \"la6\"",
            self.light
        )?;
        Ok(std::fs::write(self.data.join(config::FILE), text)?)
    }

    fn time_source(&self) -> PathBuf {
        self.data.join("demo-time-source")
    }

    /// A stand-in for chrony's client that tells what the simulated time source says.
    fn write_time_client(&self) -> anyhow::Result<()> {
        let folder = self.data.join("demo-bin");
        std::fs::create_dir_all(&folder)?;
        let program = folder.join("chronyc");
        let script = "#!/bin/sh\nexec cat \"$MIMAMORI_TIME_SOURCE\"\n";
        std::fs::write(&program, script)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        Ok(std::fs::set_permissions(&program, mode)?)
    }

    /// Where the product writes how it is claimed.
    fn announced(&self) -> PathBuf {
        self.data.join("demo-announced.json")
    }

    fn start_product(&self) -> anyhow::Result<Child> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.data.join("mimamori.log"))?;
        let usual = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{usual}", self.data.join("demo-bin").display());
        Command::new(&self.program)
            .arg("serve")
            .arg("--data")
            .arg(&self.data)
            .args([
                "--https",
                // The workshop is shown on telephones, too.
                if self.shop.is_some() {
                    "0.0.0.0:0"
                } else {
                    "off"
                },
                "--mqtts",
                "off",
                "--http",
                &self.http.to_string(),
                "--mqtt",
                &self.mqtt.to_string(),
            ])
            .arg("--until-stdin-closes")
            .arg("--time-source")
            .arg(self.time_source())
            .arg("--announce")
            .arg(self.announced())
            .env("MIMAMORI_TIME_SOURCE", self.time_source())
            .env("PATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("the product could not be started")
    }

    fn start_factory(&self, seed: u64, length: Option<Duration>) -> anyhow::Result<Child> {
        let mut command = Command::new(&self.program);
        command.arg("sim").args(["--seed", &seed.to_string()]);
        command.args([
            "--http",
            &self.http.to_string(),
            "--mqtt",
            &self.mqtt.to_string(),
        ]);
        command.args(["--light", &self.light.to_string()]);
        command.arg("--tokens").arg(self.tokens_file());
        command.arg("--api-token").arg(self.api().token_file);
        command.arg("--time-source").arg(self.time_source());
        if let Some(length) = length {
            command.args(["--seconds", &length.as_secs().to_string()]);
            command.arg("--scorecard").arg(self.scorecard_file());
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        command
            .spawn()
            .context("the simulated factory could not be started")
    }

    fn scorecard_file(&self) -> PathBuf {
        self.data.join("scorecard.json")
    }
}

/// Waits until the factory's stack light can be reached.
async fn light_is_on(address: SocketAddr) -> anyhow::Result<()> {
    let start = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        if start.elapsed() > FIRST_PAGE_MAX {
            bail!("the simulated stack light does not listen on {address}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Waits for the first page; says how long it took.
async fn first_page(address: SocketAddr) -> anyhow::Result<u128> {
    let start = Instant::now();
    while start.elapsed() < FIRST_PAGE_MAX {
        if let Ok(true) = page_is_there(address).await {
            return Ok(start.elapsed().as_millis());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!(
        "no page on http://{address}/ after {} s",
        FIRST_PAGE_MAX.as_secs()
    )
}

async fn page_is_there(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let ask = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    // Nobody is signed in: a page that leads to the door is a page.
    Ok(answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.1 303"))
}

/// Resident memory of a process, in megabytes.
fn rss_mb(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

/// What is seen from outside while the demonstration runs.
struct Watcher {
    lang: Lang,
    quiet: bool,
    start: Instant,
    rss_mb_max: f64,
    seen: Vec<String>,
}

impl Watcher {
    fn tell(&self, text: &str) {
        if !self.quiet {
            let s = self.start.elapsed().as_secs();
            say(&format!("{:>3}:{:02}  {text}", s / 60, s % 60));
        }
    }

    fn weigh(&mut self, product: &Child) {
        let now = product.id().and_then(rss_mb).unwrap_or_default();
        self.rss_mb_max = self.rss_mb_max.max(now);
    }

    /// Says what has changed on the board since the last look.
    async fn look(&mut self, api: &sim::Api) {
        if self.quiet {
            return;
        }
        let Some(board) = api.get("board").await else {
            return;
        };
        let mut now = Vec::new();
        for machine in board["machines"].as_array().into_iter().flatten() {
            let name = machine["names"][self.lang.pick("ja", "en")]
                .as_str()
                .unwrap_or_default();
            if machine["learning"]["phase"] == "judging" {
                let learned = self.lang.pick("正常を学習しました", "normal learned");
                let (id, product) = (&machine["id"], &machine["product"]);
                now.push((
                    format!("learned {id} {product}"),
                    format!("{name}: {learned}"),
                    "",
                ));
            }
            let kinds = machine["alarms"].as_array().into_iter().flatten();
            for (place, kind) in kinds.filter_map(Value::as_str).enumerate() {
                let is_unconfirmed = place == 0 && machine["is_unconfirmed"] == true;
                let of = if is_unconfirmed { "once-" } else { "alarm-" };
                let said = format!("{name}: {}", self.lang.coded(of, kind));
                now.push((format!("{of} {} {kind}", machine["id"]), said, "■ "));
            }
        }
        for (key, said, mark) in &now {
            if !self.seen.contains(key) {
                self.tell(&format!("{mark}{said}"));
            }
        }
        let is_alarm = |key: &String| key.starts_with("alarm");
        self.seen
            .retain(|key| !is_alarm(key) || now.iter().any(|(other, ..)| other == key));
        for (key, ..) in now {
            if !self.seen.contains(&key) {
                self.seen.push(key);
            }
        }
    }
}

/// Runs the demonstration.
pub(crate) async fn run(args: DemoArgs, lang: Lang) -> anyhow::Result<bool> {
    let stage = DemoStage::set(&args)?;
    let seed = args
        .seed
        .unwrap_or_else(|| u64::from(std::process::id()) ^ clock_seed());
    if let Some(shop) = &stage.shop {
        return shop.run(&stage, seed, lang, args.until_stdin_closes).await;
    }
    let mut factory = stage.start_factory(seed, args.length)?;
    // Waiting for a child closes its standard input, which here means "stop": hold it apart.
    let factory_runs = factory.stdin.take();
    // A light that is switched on after the product would rightly be reported as silent.
    light_is_on(stage.light).await?;
    let mut product = stage.start_product()?;
    let first_page_ms = first_page(stage.http).await?;
    let owner = claim(&stage).await?;
    if !args.json {
        say(&format!(
            "{}: http://{}/",
            lang.pick("ページ", "Page"),
            stage.http
        ));
        owner.tell(&stage, lang).await?;
        say(&format!("{}: {seed}", lang.pick("乱数の種", "Seed")));
        if args.length.is_none() {
            say(lang.pick("止めるには Ctrl+C", "Press Ctrl+C to stop"));
        }
    }
    let mut watcher = Watcher {
        lang,
        quiet: args.headless || args.json,
        start: Instant::now(),
        rss_mb_max: 0.0,
        seen: Vec::new(),
    };
    let finished = play(
        &stage,
        &mut product,
        &mut factory,
        &mut watcher,
        args.length,
    )
    .await?;
    let ok = match finished {
        Some(sim_ok) => {
            let judged = scorecard(&stage, first_page_ms, watcher.rss_mb_max, sim_ok)?;
            report(&judged, &args, lang)?
        }
        None => true,
    };
    drop(factory_runs);
    drop(product.stdin.take());
    tokio::time::timeout(Duration::from_secs(10), product.wait())
        .await
        .ok();
    if !ok && stage.is_temporary {
        keep_log(&stage.data);
    }
    Ok(ok)
}

/// Who owns the demonstration's box.
#[derive(serde::Serialize, serde::Deserialize)]
struct Owner {
    name: String,
    password: String,
}

impl Owner {
    /// Says how to come in: by a link, and by name and password from another browser.
    async fn tell(&self, stage: &DemoStage, lang: Lang) -> anyhow::Result<()> {
        let request = console::Request::Link {
            name: self.name.clone(),
            forgets: false,
        };
        let link = console::link(&stage.data, &request).await?;
        say(&format!(
            "{}: {link}",
            lang.pick("すぐ入る(一度だけ)", "Sign in (works once)")
        ));
        let (name, password) = (&self.name, &self.password);
        say(&match lang {
            Lang::Ja => format!("別の画面では 名前: {name}  パスワード: {password}"),
            Lang::En => format!("From elsewhere: name {name}, password {password}"),
        });
        Ok(())
    }
}

/// Claims the box with the code on its console, or takes up who claimed it in this folder before.
async fn claim(stage: &DemoStage) -> anyhow::Result<Owner> {
    let file = stage.data.join("demo-owner.json");
    if let Ok(text) = std::fs::read_to_string(&file) {
        return Ok(serde_json::from_str(&text)?);
    }
    let announced = stage.announced();
    let start = Instant::now();
    let code = loop {
        // Written in one go, but perhaps not yet.
        let text = std::fs::read_to_string(&announced).unwrap_or_default();
        if let Ok(said) = serde_json::from_str::<Value>(&text) {
            let code = said["claim_code"].as_str();
            break code.context("the product has no claim code")?.to_owned();
        }
        if start.elapsed() > FIRST_PAGE_MAX {
            bail!("the product has not told its claim code");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let random = sources::new_token()?;
    let owner = Owner {
        name: "demo".to_owned(),
        password: random.get(..12).unwrap_or_default().to_owned(),
    };
    let (name, password) = (owner.name.clone(), owner.password.clone());
    let token = sim::claim(stage.http, code, name, password).await?;
    std::fs::write(stage.api().token_file, token)?;
    std::fs::write(&file, serde_json::to_string(&owner)?)?;
    Ok(owner)
}

/// A seed nobody chose.
fn clock_seed() -> u64 {
    app::clock::now().ms().unsigned_abs() % 1_000_000
}

/// After a failure the log is worth more than a tidy disk.
fn keep_log(data: &Path) {
    if let Ok(log) = std::fs::read_to_string(data.join("mimamori.log")) {
        for line in log
            .lines()
            .rev()
            .take(20)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            note(line);
        }
    }
}

/// Runs to the end; gives what the factory said of itself, or nothing if a person ended it.
async fn play(
    stage: &DemoStage,
    product: &mut Child,
    factory: &mut Child,
    watcher: &mut Watcher,
    length: Option<Duration>,
) -> anyhow::Result<Option<bool>> {
    let mut rounds = interval(Duration::from_millis(500));
    rounds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let cut_at = Duration::from_secs_f64(sim::POWER_CUT_S);
    let mut has_cut = length.is_some_and(|length| length < cut_at + Duration::from_secs(5));
    let end = terminal::wait_for_end(false);
    tokio::pin!(end);
    loop {
        tokio::select! {
            done = factory.wait() => return Ok(Some(done?.success())),
            ended = &mut end => return ended.map(|()| None),
            _ = rounds.tick() => {}
        }
        watcher.weigh(product);
        if let Some(status) = product.try_wait()? {
            bail!("the product ended by itself ({status}); see mimamori.log");
        }
        if !has_cut && watcher.start.elapsed() >= cut_at {
            has_cut = true;
            watcher.tell(
                watcher
                    .lang
                    .pick("× 電源断(kill -9)", "× power cut (kill -9)"),
            );
            product.kill().await?;
            tokio::time::sleep(DARK_FOR).await;
            *product = stage.start_product()?;
            let ms = first_page(stage.http).await?;
            let back = watcher
                .lang
                .pick("復電。最初のページまで", "power back; first page after");
            watcher.tell(&format!("{back} {ms} ms"));
        }
        watcher.look(&stage.api()).await;
        let overdue = length.is_some_and(|l| watcher.start.elapsed() > l + SIM_OVERTIME_MAX);
        if overdue {
            bail!("the simulated factory did not finish in time");
        }
    }
}

/// The factory's own scorecard with what was measured from outside.
fn scorecard(stage: &DemoStage, page_ms: u128, rss_mb: f64, sim_ok: bool) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(stage.scorecard_file())
        .context("the simulated factory left no scorecard")?;
    let mut judged: Value = serde_json::from_str(&text)?;
    let ok = sim_ok && page_ms <= FIRST_PAGE_MS_MAX && rss_mb <= RSS_MB_MAX;
    judged["first_page_ms"] = json!(page_ms);
    judged["rss_mb_max"] = json!((rss_mb * 10.0).round() / 10.0);
    judged["ok"] = json!(ok && judged["ok"] == true);
    Ok(judged)
}

/// A time of the scorecard in words.
fn ms(of: &Value, name: &str) -> String {
    let known = of[name].as_i64();
    known.map_or("–".to_owned(), |v| format!("{v} ms"))
}

fn report(judged: &Value, args: &DemoArgs, lang: Lang) -> anyhow::Result<bool> {
    let ok = judged["ok"] == true;
    let text = serde_json::to_string_pretty(judged)?;
    if let Some(path) = &args.scorecard {
        std::fs::write(path, format!("{text}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.json {
        say(&text);
        return Ok(ok);
    }
    for event in judged["events"].as_array().into_iter().flatten() {
        let mark = if event["ok"] == true { "✓" } else { "✗" };
        let word = |name: &str| event[name].as_str().unwrap_or("–").to_owned();
        say(&format!(
            "{mark} {:<11} {:<8} {:<20} page {:>8}  lamp {:>8}",
            word("kind"),
            word("machine"),
            word("verdict"),
            ms(event, "page_ms"),
            ms(event, "lamp_ms")
        ));
    }
    for cut in judged["proofs"].as_array().into_iter().flatten() {
        let mark = if cut["ok"] == true { "✓" } else { "✗" };
        say(&format!(
            "{mark} {}: {} {}, {} {}",
            lang.pick("時刻源を止めた", "time source stopped"),
            lang.pick("ランプが変わるまで", "lamp dark after"),
            ms(cut, "dark_after_ms"),
            lang.pick("戻るまで", "back after"),
            ms(cut, "back_after_ms"),
        ));
    }
    let number = |name: &str| judged[name].to_string();
    say(&format!(
        "{}: {} / {}  {}: {}  RSS {} MB  {} {} ms",
        lang.pick("読み値 送信/保存", "readings sent/stored"),
        number("readings_sent"),
        number("readings_stored"),
        lang.pick("誤報", "false alarms"),
        number("false_alarms"),
        number("rss_mb_max"),
        lang.pick("最初のページ", "first page"),
        number("first_page_ms"),
    ));
    say(if ok {
        lang.pick("合格", "passed")
    } else {
        lang.pick("不合格", "failed")
    });
    Ok(ok)
}
